#!/usr/bin/env python
"""Kill a run of `save_maps` again and again, and compare the end with that of a run that was not killed.

    python tests/stress_stream.py                          5,000 pictures, 20 kills
    python tests/stress_stream.py --pictures 200 --kills 3"""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def make_pictures(folder, n, bad=()):
    "Small pictures in subfolders, `bad` of which are none."
    for i in range(n):
        path = Path(folder)/f"{i % 7}"/f"{i:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i in bad: path.write_bytes(b"no picture")
        else:
            rng = np.random.default_rng(i)
            Image.fromarray(rng.integers(0, 255, (24, 36, 3), np.uint8)).save(path, quality=90)
    return Path(folder)

def network(seed=0):
    "A small network with three classes."
    import torch
    from torch import nn
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3)).eval()

def prepare(image):
    "A picture as `network` takes it."
    import torch
    return torch.from_numpy(np.asarray(image.resize((36, 24)), np.float32)/255).permute(2, 0, 1)

def slow(image):
    "As `prepare`, but so slowly that there is time to kill it."
    time.sleep(.03)
    return prepare(image)


def go(pictures, out, workers, prepare=prepare):
    "One run, to its end."
    from shipviz.saved_maps import save_maps
    return save_maps(network(), pictures, out, prepare=prepare, workers=workers, progress=False)

def rows(out):
    "All rows of a data set in the order of their ids, maps as bytes."
    from shipviz.saved_maps import load_maps
    maps = load_maps(out)
    return maps.table(*maps._table(maps.parts[0]).column_names).sort_by("id") if maps.parts else None

def start(pictures, out, workers):
    code = f"import stress_stream as s; s.go({str(pictures)!r}, {str(out)!r}, {workers}, s.slow)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=env, start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

def killed(pictures, out, kills, workers=1, seed=0):
    """Run until the end, killed so many times, each time after it has made a part; how many parts there were
    at each kill."""
    parts, rng, seen = Path(out)/"parts", random.Random(seed), []
    def there(): return len(list(parts.glob("part-*.parquet"))) if parts.is_dir() else 0
    while len(seen) < kills:
        before, process = there(), start(pictures, out, workers)
        limit = time.monotonic() + 300
        while there() == before and process.poll() is None and time.monotonic() < limit: time.sleep(.002)
        time.sleep(rng.random()*.1)
        if process.poll() is not None: raise RuntimeError(f"ended before kill {len(seen) + 1}: "
                                                          f"{process.stderr.read().decode()[-500:]}")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seen.append(there())
    process = start(pictures, out, workers)
    if process.wait(): raise RuntimeError(process.stderr.read().decode()[-500:])
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        pictures = make_pictures(d/"pictures", a.pictures, bad={3, a.pictures//2})
        go(pictures, d/"whole", 1)
        seen = killed(pictures, d/"killed", a.kills, a.workers)
        whole, mended = rows(d/"whole"), rows(d/"killed")
        left = [p.name for p in (d/"killed").rglob("*.tmp")]
        print(f"{a.kills} kills, with so many parts there at each: {seen}")
        print(f"{len(whole)} rows of a run that was not killed, {len(mended)} of the one that was; "
              f"equal, maps byte for byte: {whole.equals(mended)}; files left half: {left}")
        if not whole.equals(mended) or left or len(whole) != a.pictures: raise SystemExit(1)


if __name__ == "__main__": main()
