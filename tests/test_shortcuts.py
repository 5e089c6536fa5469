"The planted mark, the probe and the heat on a suspect object."
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from shipviz.scores import energy_in_mask
from shipviz.shortcuts import Probe, feature_maps, heat_ratio, mark_box, mark_mask, plant_mark


def test_importing_it_costs_no_fastai():
    code = ("import sys, shipviz.shortcuts, shipviz.pooling; "
            "sys.exit(bool({'fastai', 'matplotlib.pyplot'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("size", [3, 10, 64, 224])
def test_the_mark_lies_in_its_box(size):
    picture = Image.new("RGB", (size, size), "navy")
    marked = plant_mark(picture)
    changed = (np.asarray(marked) != np.asarray(picture)).any(-1)
    assert changed.any() and not (changed & ~mark_mask(size)).any() and marked.size == picture.size
    assert np.asarray(picture).std(axis=(0, 1)).max() == 0           # the original stays
    x0, y0, x1, y1 = mark_box(size)
    assert 0 <= x0 < x1 <= size and mark_mask(size).sum() == (x1 - x0)*(y1 - y0)


def test_pictures_of_other_modes_and_no_pictures():
    assert plant_mark(Image.new("L", (40, 40), 99)).mode == "RGB"
    with pytest.raises(ValueError, match="square"): plant_mark(Image.new("RGB", (30, 20)))
    with pytest.raises(ValueError, match="size"): mark_box(2)


def test_features_in_evaluation_mode():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(.5)).train()
    trunk[2].eval()
    before = {k: v.clone() for k, v in trunk.state_dict().items()}
    images = [Image.new(mode, (12, 12), 50*i) for i, mode in enumerate(("RGB", "L", "RGB"))]
    found = feature_maps(trunk, images, bs=2)
    assert found.shape == (3, 4, 10, 10)
    assert torch.allclose(found[2:], feature_maps(trunk, images[2:]), atol=1e-6)
    assert [m.training for m in trunk] == [True, True, False]
    for name, value in trunk.state_dict().items(): assert torch.equal(value, before[name])
    with pytest.raises(ValueError, match="no pictures"): feature_maps(trunk, [])
    with pytest.raises(ValueError, match="differ in size"):
        feature_maps(trunk, [images[0], images[0].resize((9, 9))])
    trunk[0].forward = lambda x: 1/0
    with pytest.raises(ZeroDivisionError): feature_maps(trunk, images)
    assert [m.training for m in trunk] == [True, True, False]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_map_adds_up_to_the_probability(classes):
    g = torch.Generator().manual_seed(classes)
    maps, labels = torch.rand(30, 6, 3, 3, generator=g), np.arange(30) % classes
    probe = Probe(maps, labels)
    scores = torch.stack([probe.cam(maps, k).mean((1, 2)) for k in range(classes)], 1).numpy()
    bias = probe.head.intercept_ if classes > 2 else np.r_[-probe.head.intercept_, probe.head.intercept_]/2
    p = torch.from_numpy(scores + bias).softmax(1).numpy()
    assert np.allclose(p, probe.probs(maps), atol=1e-5) and np.array_equal(probe.predict(maps), p.argmax(1))
    assert torch.equal(probe.cam(maps, -1), probe.cam(maps, classes - 1))
    with pytest.raises(ValueError, match=f"{classes} classes"): probe.cam(maps, classes)


@pytest.mark.parametrize("labels", [[0, 2]*5, [1, 2]*5, [0]*10])
def test_a_probe_needs_every_class(labels):
    with pytest.raises(ValueError, match="class numbers from 0"): Probe(torch.rand(10, 4, 2, 2), labels)


def test_heat_ratio_is_the_relative_energy():
    g = torch.Generator().manual_seed(0)
    maps, masks = torch.randn(5, 4, 4, generator=g), torch.rand(5, 8, 8, generator=g) > .5
    expected = energy_in_mask(maps, masks, relative=True).numpy()
    assert np.allclose(heat_ratio(maps, masks), expected)
    of_one = energy_in_mask(maps, masks[:1].expand(5, -1, -1), relative=True)
    assert np.allclose(heat_ratio(maps, masks[0].numpy()), of_one)
    assert np.allclose(heat_ratio(maps, masks.numpy().astype(int)), expected)
    assert np.isfinite(heat_ratio(maps, np.rot90(masks[0].numpy(), 2))).all()  # negative strides
    assert np.allclose(heat_ratio(maps[:1], masks[:1]), expected[:1])
    masks[2] = False
    assert np.isnan(heat_ratio(maps, masks)).tolist() == [False, False, True, False, False]
    assert np.isnan(heat_ratio(-maps.abs(), masks)).all()
    maps[1, 0, 0] = torch.inf
    with pytest.warns(UserWarning, match="1 of 5 maps are not finite"):
        assert np.isnan(heat_ratio(maps, masks)[1])
    with pytest.raises(ValueError, match="5 maps, but 2 masks"): heat_ratio(maps, masks[:2])
