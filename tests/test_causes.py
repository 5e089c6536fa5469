"Ships taken apart, and grids in which a cell cannot matter, against models whose causes are known exactly."
import numpy as np
import pytest
import torch
from torch import nn

from shipviz.counterfactuals import (
    Apart,
    OneCell,
    as_grid,
    cell_shares,
    from_grid,
    heat_by_part,
    part_effects,
    rank_by_part,
    take_apart,
)
from shipviz.heatmaps import heatmap
from shipviz.ships import render_ship


class Linear(nn.Module):
    "Class 1 has the logit sum(weight*pixel), class 0 its negative"
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)
    def forward(self, x):
        s = (self.weight*x).flatten(1).sum(1)
        return torch.stack([-s, s], 1)


@pytest.fixture
def toy():
    "A linear model, three pictures of four parts that are blanked, and the map weight × pixel"
    g = torch.Generator().manual_seed(1)
    weight, x = torch.rand(1, 10, 12, generator=g), torch.rand(3, 1, 10, 12, generator=g)
    masks = np.zeros((4, 10, 12), bool)
    masks[0, :2, :3] = masks[1, :4, 6:] = masks[2, 5:, :5] = masks[3, 8:, 9:11] = True
    rows = [(i, k) for i in range(3) for k in range(4)]
    without = torch.stack([x[i]*~torch.from_numpy(masks[k]) for i, k in rows])
    apart = Apart(["1"]*3, x, np.array([i for i, _ in rows]), [str(k) for _, k in rows], without,
                  np.stack([masks[k] for _, k in rows]))
    return Linear(weight), apart, (weight*x)[:, 0]


def test_a_linear_model_has_rank_correlation_one(toy):
    model, apart, maps = toy
    effects = part_effects(model, apart, target=1)
    assert np.allclose(heat_by_part(maps, apart), effects, rtol=1e-4)
    assert rank_by_part(heat_by_part(maps, apart), effects, apart.owner).tolist() == pytest.approx([1]*3)
    against = part_effects(model, apart, target=0)
    assert rank_by_part(heat_by_part(maps, apart), against, apart.owner).tolist() == pytest.approx([-1]*3)
    mixed = part_effects(model, apart, target=[1, 0, 1], bs=5)
    assert np.allclose(mixed[apart.owner == 1], against[4:8], rtol=1e-4)


def test_a_flat_map_ranks_by_size(toy):
    model, apart, maps = toy
    flat, sizes = torch.ones(3, 5, 6), apart.masks.sum((1, 2))
    assert np.allclose(heat_by_part(flat, apart), sizes)
    assert rank_by_part(heat_by_part(flat, apart, per_pixel=True), sizes, apart.owner).tolist() == [0, 0, 0]
    maps = maps.clone()
    maps[2, 0, 0] = torch.inf
    assert np.isnan(heat_by_part(maps, apart)).tolist() == (apart.owner == 2).tolist()


def test_rank_correlation_of_parts():
    owner = np.array([5, 5, 5, 2, 2, 7])
    found = rank_by_part(np.array([1., 2, 3, 9, 8, 1]), np.array([10., 30, 20, 1, 2, 1]), owner)
    assert found[:2].tolist() == pytest.approx([-1, .5]) and np.isnan(found[2])   # ships in ascending order
    with pytest.raises(ValueError, match="one length"):
        rank_by_part(np.ones(2), np.ones(3), np.ones(3))


def test_what_cannot_be_measured_is_refused(toy):
    model, apart, maps = toy
    with pytest.raises(ValueError, match="no class names"): part_effects(model, apart)
    with pytest.raises(ValueError, match="2 classes"): part_effects(model, apart, target=5)
    with pytest.raises(ValueError, match="2 targets for 3"): part_effects(model, apart, target=[0, 1])
    with pytest.raises(ValueError, match="2 maps, but 3 ships"): heat_by_part(maps[:2], apart)
    with pytest.raises(ValueError, match="whole number"): part_effects(model, apart, target=1, bs=0)


def test_ships_are_taken_apart():
    apart = take_apart([("Cruise", 1), ("Military", 2)], size=(64, 96), workers=1)
    assert apart.masks.shape == (len(apart), 64, 96) and apart.masks.any((1, 2)).all()
    for r, (i, part) in enumerate(zip(apart.owner, apart.part)):
        label, seed = [("Cruise", 1), ("Military", 2)][i]
        whole = render_ship(label, seed, (64, 96), crane=True)
        without = [] if part == "crane" else part
        other = render_ship(label, seed, (64, 96), crane=part != "crane", without=without)
        assert apart.whole[i] == whole.image and apart.without[r] == other.image
        if part != "crane": assert (whole.parts[part] <= apart.masks[r]).all()
    assert set(apart.owner) == {0, 1} and apart.labels == ["Cruise", "Military"]
    assert "crane" not in take_apart([("Cruise", 1)], size=64, crane=False, workers=1).part
    with pytest.raises(ValueError, match="no ships"): take_apart([])
    with pytest.raises(ValueError, match="class"): take_apart([("Boat", 1)], workers=1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_grids_come_apart_again(n):
    cells = torch.rand(2*n*n, 3, 4, 6)
    grid = as_grid(cells, n)
    assert grid.shape == (2, 3, 4*n, 6*n) and torch.equal(from_grid(grid, n), cells)
    shares = cell_shares(grid[:, 0], n)
    assert shares.shape == (2, n*n) and torch.allclose(shares.sum(1), torch.ones(2).double())
    heat = cells[:, 0].double().sum((1, 2)).view(2, n*n)
    assert torch.allclose(shares, heat/heat.sum(1, keepdim=True))


def test_cells_that_are_not_read_cannot_matter():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    net = OneCell(body, head, n=2, cell=1).eval()
    x = torch.rand(3, 3, 16, 16)
    other = x.clone()
    other[..., 8:, :] = other[..., :8, :8] = 0
    other[..., :8, 8:] = x[..., :8, 8:]
    with torch.no_grad():
        assert torch.equal(net(x), net(other)) and not torch.equal(net(x), net(x*2))
    for method, dead in (("hirescam", True), ("layercam", True), ("mean_activation", False)):
        shares = cell_shares(heatmap(net, x, 0, "features", method), 2)
        heat = shares[:, [0, 2, 3]].nansum()
        assert heat == 0 if dead else heat > .5, method
    with pytest.raises(ValueError, match="cells 0 to 3"): OneCell(body, body, 2, 4)
    with pytest.raises(ValueError, match="multiple of 4"): as_grid(x)
    with pytest.raises(ValueError, match="5 divides"): from_grid(x, 5)
