"A word before a heatmap that will take longer than ten seconds."
import pytest
import torch
from torch import nn

import shipviz  # first: it repairs torchvision
from shipviz import pace
from shipviz.heatmaps import METHODS, heatmap

NET = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                    nn.Linear(8, 3)).eval()
X = torch.rand(2, 3, 32, 32)


@pytest.mark.parametrize("method, options", [
    ("scorecam", {}), ("occlusion", dict(window=8, stride=6)), ("smoothgrad", dict(n=3))])
def test_the_passes_are_those_that_the_network_makes(method, options, monkeypatch):
    heatmap(NET, X)
    seen = []
    handle = NET[0].register_forward_hook(lambda module, args, out: seen.append(len(args[0])))
    try: heatmap(NET, X, method=method, **options)
    finally: handle.remove()
    told = pace.passes(method, 8, (32, 32), **options)
    backward = 2*options["n"] if method == "smoothgrad" else 0  # counted as two passes each
    checks = 2 if method == "smoothgrad" else 0                 # may pictures go through together?
    made = sum(seen)/len(X) - checks
    assert made <= told - backward + 1 and told - backward <= made + 1


def test_long_work_is_announced_and_short_work_is_not(capsys, monkeypatch):
    assert all(pace.passes(method, 8, (32, 32)) >= 1 for method in METHODS)
    heatmap(NET, X, method="scorecam")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(pace, "LONG", 0)
    heatmap(NET, X)
    assert capsys.readouterr().err == ""  # one pass is never announced
    heatmap(NET, X, method="scorecam")
    said = capsys.readouterr().err
    assert said.startswith("This will take about ")
    assert said.endswith("scorecam needs 9 passes of the network for each of 2 picture(s).\n")


def test_times_are_said_in_words():
    assert [pace.duration(s) for s in (12, 89, 600, 36000)] == ["12 s", "89 s", "10 minutes", "10.0 hours"]
