#!/usr/bin/env python
"""Compile shipviz/page/engine.c, the network of the explorer page, or check what is committed.

    python scripts/wasm.py build    write shipviz/page/engine.wasm (with the compiler that `make wasm` has)
    python scripts/wasm.py check    compile, and compare with the committed bytes
    python scripts/wasm.py source   without a compiler: does engine.wasm name this engine.c as its source?

The compiler is clang as the PyPI package `ziglang` brings it, pinned: the same source gives the same bytes
on every machine. A custom section of the file, `source`, holds the SHA-256 of engine.c and the compiler's
version."""
import argparse
import hashlib
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE, WASM = ROOT/"shipviz"/"page"/"engine.c", ROOT/"shipviz"/"page"/"engine.wasm"
COMPILER = "0.13.0"  # of ziglang
FLAGS = ["-target", "wasm32-freestanding", "-mcpu=generic+simd128", "-O3", "-ffp-contract=off",
         "-fno-builtin", "-nostdlib", "-Wl,--no-entry", "-Wl,--import-memory", "-Wl,--export=__heap_base",
         "-Wl,--strip-all", "-Wl,-z,stack-size=16384"]


class Wrong(Exception):
    "What is wrong, in words."


def origin():
    "What the custom section says: which source, which compiler."
    text = SOURCE.read_text(encoding="utf-8").replace("\r\n", "\n")
    return f"engine.c {hashlib.sha256(text.encode()).hexdigest()} ziglang {COMPILER}".encode()

def section(name, content):
    "A custom section of a WASM file; both are shorter than 16 kB."
    def leb(n): return bytes([n & 127 | 128, n >> 7]) if n > 127 else bytes([n])
    body = leb(len(name)) + name + content
    return b"\0" + leb(len(body)) + body

def compiled():
    "The bytes that the source gives."
    try: version = metadata.version("ziglang")
    except metadata.PackageNotFoundError: version = None
    if version != COMPILER:
        found = f"version {version}" if version else "none"
        raise Wrong(f"This needs ziglang {COMPILER}, and there is {found}: pip install ziglang=={COMPILER}, "
                    "or `make wasm`, which has an environment for it.")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder)/"engine.c", Path(folder)/"engine.wasm"
        source.write_bytes(SOURCE.read_bytes().replace(b"\r\n", b"\n"))
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-o", out.name, source.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode: raise Wrong(f"engine.c does not compile:\n{done.stderr}")
        return out.read_bytes() + section(b"source", origin())

def committed():
    if not WASM.exists(): raise Wrong("There is no engine.wasm: python scripts/wasm.py build")
    return WASM.read_bytes()

def main(argv=None):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("what", choices=["build", "check", "source"])
    what = parser.parse_args(argv).what
    try:
        if what == "build":
            WASM.write_bytes(compiled())
            print(f"Wrote {WASM.relative_to(ROOT)}: {WASM.stat().st_size:,} bytes.")
        elif what == "check":
            if committed() != compiled():
                raise Wrong("engine.wasm is not what engine.c gives: python scripts/wasm.py build")
            print(f"engine.wasm is what engine.c gives: {WASM.stat().st_size:,} bytes.")
        elif not committed().endswith(section(b"source", origin())):
            raise Wrong("engine.wasm was made from another engine.c, or by another compiler: "
                        "python scripts/wasm.py build")
    except Wrong as e: sys.exit(str(e))


if __name__ == "__main__": main()
