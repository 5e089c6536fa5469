"A handful of what `make stress` does at length: killed work, full disks, long use, damaged files."
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

STRESS = Path(__file__).with_name("stress")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has other signals")
def test_work_that_is_killed_leaves_nothing_half_made():
    "In a process of its own: one that has threads must not fork."
    done = subprocess.run([sys.executable, str(STRESS/"kills.py"), "2", "explorer", "render"],
                          capture_output=True, text=True, timeout=600,
                          env={**os.environ, "PYTHONPATH": str(STRESS.parents[1]), "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("2 kills") == 2


def test_nothing_grows_with_use(monkeypatch):
    monkeypatch.syspath_prepend(str(STRESS))
    import long
    long.heatmaps(60)
    long.sliders(60)
    widget, rng = long.StrideExplorer(), random.Random(0)
    long.flat("changes", lambda i: long.change(widget, rng), 60)
    widget.close()


def test_growth_is_noticed(monkeypatch):
    monkeypatch.syspath_prepend(str(STRESS))
    import long
    kept = []
    with pytest.raises(AssertionError, match="became"):
        long.flat("files", lambda i: kept.append(open(os.devnull)), 10)
    for file in kept: file.close()


def damaged(rng, data):
    "Bytes with a few of them changed, taken out, doubled, or cut off."
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, n = rng.randrange(len(data) + 1), rng.randint(1, 8)
        how = rng.randrange(4)
        if how == 0: data[at:at + n] = rng.randbytes(n)
        elif how == 1: del data[at:at + n]
        elif how == 2: data[at:at] = data[at:at + n]
        else: del data[at:]
    return bytes(data)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, of what it skips
@pytest.mark.parametrize("reader", ["table", "card", "rules", "picture", "upload"])
def test_damaged_files_are_read_or_refused_in_words(monkeypatch, tmp_path, reader):
    "As fuzz.py does, without its guide."
    monkeypatch.syspath_prepend(str(STRESS))
    monkeypatch.setenv("SHIPVIZ_MAX_MEGAPIXELS", "1")
    import fuzz
    seeds, rng, refused = fuzz.seeds()[reader], random.Random(0), 0
    if reader != "card": fuzz.READERS[reader](seeds[0], tmp_path)  # whole, it is read; a card is no model
    for i in range(200):
        try: fuzz.READERS[reader](damaged(rng, seeds[i % len(seeds)]), tmp_path)
        except fuzz.REFUSED: refused += 1
    assert refused > 0
