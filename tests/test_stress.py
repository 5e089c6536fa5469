"A handful of what `make stress` does at length: killed work, full disks, long use."
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
