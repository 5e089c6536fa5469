"""Fuzz the readers of tables, cards, pictures and uploads, guided by coverage: fuzz.py [SECONDS] [READER]...

Whatever the bytes are, a reader takes them or says in words why not: ValueError or OSError, nothing else.
Needs atheris (pip install atheris, Linux); SECONDS are for each reader. Ends with an error at the first other
exception."""
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

REFUSED = ValueError, OSError  # errors in words; PictureError is a ValueError


def table(data, folder):
    from shipviz.tables import check_names, read_codes, read_table
    file = folder/"train.csv"
    file.write_bytes(data)
    found = read_table(file, ["image", "category"])
    check_names(found, file, folder)
    codes = read_codes(found, file)
    assert set(codes) <= set(range(1, 6))
    assert all((folder/name).resolve().is_relative_to(folder.resolve()) for name in found.image)

def card(data, folder):
    from shipviz.cards import read_model
    length = len(data).to_bytes(8, "little")
    (folder/"m.safetensors").write_bytes(length + data if data[:1] == b"{" else data)
    read_model(folder/"m")

def rules(data, folder):
    from shipviz.cards import check_card
    check_card(json.loads(data))

def picture(data, folder):
    from shipviz.core import open_picture
    (folder/"p").write_bytes(data)
    shown = open_picture(folder/"p")
    assert shown.mode == "RGB" and shown.width*shown.height <= 1_000_000

def upload(data, folder):
    from shipviz.core import open_picture
    open_picture(bytes(data), "RGBA")

def seeds():
    "{reader: bytes to begin with}"
    from PIL import Image
    def saved(kind, mode="RGB"):
        Image.radial_gradient("L").resize((9, 7)).convert(mode).save(out := io.BytesIO(), kind)
        return out.getvalue()
    pictures = [saved(k) for k in ("png", "jpeg", "gif", "bmp", "tiff", "webp")] + [saved("png", "P")]
    whole = dict(format="shipviz model 1", arch="resnet18", head="linear", options={"ps": .5}, seed=42,
                 classes=["a", "b"], size=[64, 64], normalisation=dict(mean=[0, 0, 0], std=[1, 1, 1]),
                 data="",
                 metrics={"f1": 1}, history=dict(names=["a"], values=[[1]]))
    header = json.dumps({"__metadata__": {"shipviz": json.dumps(whole)}}).encode()
    tables = [b"image,category\na.jpg,1\n", b"\xef\xbb\xbfid;image;category\r\n",
              b'image,category\n"a\nb",2\n']
    return dict(table=tables, card=[header, b"\2\0\0\0\0\0\0\0{}"], rules=[json.dumps(whole).encode()],
                picture=pictures, upload=pictures)

READERS = dict(table=table, card=card, rules=rules, picture=picture, upload=upload)


def fuzz(name, seconds, corpus):
    "Fuzz one reader; this process ends with it."
    import atheris
    with atheris.instrument_imports(include=["shipviz.tables", "shipviz.cards", "shipviz.core",
                                             "shipviz.broken",
                                             "PIL", "csv", "json"]):
        import shipviz.broken
        import shipviz.cards
        import shipviz.tables
    os.environ["SHIPVIZ_MAX_MEGAPIXELS"] = "1"  # a large picture takes the time of a hundred small ones
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="shipviz-fuzz-"))
    def one(data):
        try: READERS[name](data, folder)
        except REFUSED: pass
    options = [sys.argv[0], corpus, f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=4096",
               "-timeout=20", "-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={corpus}/../{name}-"]
    atheris.Setup(options, one)
    atheris.Fuzz()


def run(seconds=720, names=READERS):
    "Each reader in a process of its own; what libFuzzer says of it at the end."
    with tempfile.TemporaryDirectory(prefix="shipviz-corpora-") as place:
        for name in names:
            corpus = Path(place)/name
            corpus.mkdir()
            for i, seed in enumerate(seeds()[name]): (corpus/str(i)).write_bytes(seed)
            command = [sys.executable, __file__, "--one", name, str(seconds), str(corpus)]
            done = subprocess.run(command, capture_output=True, text=True)
            said = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
            print(f"{name}: {seconds} s,", *(line.split()[-1] for line in said), "executions", flush=True)
            if done.returncode:
                print(done.stdout[-3000:], done.stderr[-3000:])
                raise SystemExit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]: fuzz(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else: run(int((sys.argv[1:] or ["720"])[0]), sys.argv[2:] or READERS)
