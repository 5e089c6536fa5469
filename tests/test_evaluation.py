"Scores of heatmaps and tests of faithfulness: what is refused, what is counted, and that the model stays."
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

import shipviz
from shipviz import evaluation
from shipviz.evaluation import compare_methods, picture_scores, pictures_and_masks, score_differences
from shipviz.faithfulness import (
    deletion_insertion,
    impute,
    randomisation_check,
    randomised,
    rank_correlation,
    road,
    ssim,
)
from shipviz.heatmaps import heatmap
from shipviz.scores import (
    bootstrap,
    dilate,
    energy_in_mask,
    exact,
    interval,
    iou,
    paired_difference,
    pointing_game,
    score_maps,
    seed_scores,
)
from shipviz.ships import CLASSES, render_ship

SIZE = 48
MASK = torch.zeros(1, 8, 8, dtype=torch.bool)
MASK[:, 2:5, 3:7] = True


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(),
                         nn.Conv2d(6, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
                         nn.Dropout(.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


@pytest.fixture(scope="module")
def ships():
    return [render_ship(c, seed=11 + i, size=SIZE) for i, c in enumerate(CLASSES)]


@pytest.fixture(scope="module")
def learn(tmp_path_factory, ships):
    from fastai.learner import Learner
    from fastai.vision.data import ImageDataLoaders
    folder = tmp_path_factory.mktemp("ships")
    files = [folder/f"{i}.png" for i in range(len(ships))]
    for ship, file in zip(ships, files): ship.image.save(file)
    dls = ImageDataLoaders.from_lists(folder, files*2, list(CLASSES)*2, bs=2, num_workers=0, seed=0)
    return Learner(dls, network(), loss_func=nn.CrossEntropyLoss())


@pytest.fixture
def x(): return torch.randn(4, 3, 24, 24, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def maps(): return torch.rand(4, 6, 6, generator=torch.Generator().manual_seed(4))


def test_importing_the_scores_costs_no_fastai_and_no_pyplot():
    code = ("import sys, shipviz.scores, shipviz.faithfulness; "
            "sys.exit(bool({'fastai', 'matplotlib.pyplot', 'jupyterlab', 'ipywidgets'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_evaluation_is_the_public_face():
    names = set(shipviz.scores.__all__) | set(shipviz.faithfulness.__all__)
    assert names - {"Maps", "Masks"} <= set(evaluation.__all__)
    assert {"pictures_and_masks", "compare_methods", "plot_comparison"} <= set(evaluation.__all__)


# Targets

def test_a_target_may_be_a_name_an_index_or_one_for_each_picture(learn, ships):
    names = list(learn.dls.vocab)
    def row(target):
        table = compare_methods(learn, ships, "gradcam", target=target, deletion=3, chance=False)
        return table.map(str).loc["gradcam"].tolist()
    cargo = names.index("Cargo")
    for same in (cargo, cargo - 5, ["Cargo"]*5, np.full(5, cargo), torch.tensor([cargo]*5)):
        assert row(same) == row("Cargo")
    assert row(-1) == row(4) == row(names[-1])
    each = names[::-1]
    assert row(each) == row([4, 3, 2, 1, 0])
    for bad, says in (("Canoe", "none of the classes"), (5, "5 classes"), (1.5, "1.5"),
                      ([0, 1], "2 targets for 5 pictures")):
        with pytest.raises(ValueError, match=says): row(bad)


@pytest.mark.parametrize("test", [deletion_insertion, road])
def test_targets_without_a_mask(test, learn, x, maps):
    kwargs = dict(steps=3) if test is deletion_insertion else dict(percent=(30,))
    def run(model, target): return torch.cat([t.flatten() for t in test(model, x, maps, target, **kwargs)])
    names = list(learn.dls.vocab)
    torch.testing.assert_close(run(learn, "Cargo"), run(learn, names.index("Cargo")))
    torch.testing.assert_close(run(learn, -1), run(learn.model, 4))
    torch.testing.assert_close(run(learn, names[:4]), run(learn.model, [0, 1, 2, 3]))
    with pytest.raises(ValueError, match="no class names"): run(learn.model, "Cargo")
    with pytest.raises(ValueError, match="2 targets for 4 pictures"): run(learn, [0, 1])
    with pytest.raises(ValueError, match="5 classes"): run(learn, 7)


# Layers and methods

def test_each_layer_has_its_row_also_if_two_are_of_one_class(learn, ships):
    a, b = learn.model[0], learn.model[3]
    table = compare_methods(learn, ships, ("gradcam", "layercam"), layers=(a, b), chance=False)
    assert list(table.index) == ["gradcam @ 0", "layercam @ 0", "gradcam @ 3", "layercam @ 3"]
    for layer in ("0", "3"):
        alone = compare_methods(learn, ships, "layercam", layers=layer, chance=False)
        expected = pytest.approx(alone.loc["layercam"].ratio.value, abs=1e-5)
        assert table.loc[f"layercam @ {layer}"].ratio.value == expected


def test_a_comparison_needs_ships_and_counts_them(learn, ships):
    with pytest.raises(ValueError, match="no ships"): compare_methods(learn, [])
    with pytest.raises(ValueError, match="deletion"): compare_methods(learn, ships, deletion=-1)
    table = compare_methods(learn, ships[:1], ("gradcam",), tolerance=0, deletion=1)
    row = table.loc["gradcam"]
    assert row.pointing.n == row.deletion.n == 1 and "(swapped)" not in table.index


# Intervals

def ends(i): return np.array([i.low, i.high])


def test_a_tie_changes_an_interval_a_little_and_not_its_kind():
    for hits in (np.r_[np.zeros(4), np.ones(96)], np.ones(40), np.zeros(9)):
        np.testing.assert_allclose(ends(interval(abs(hits - 1e-9))), ends(exact(hits)), atol=.01)
    for tie in (.05, .5, .95):
        tied = ends(interval(np.r_[np.ones(199), tie]))
        least, most = ends(exact(np.r_[np.ones(199), 0])), ends(exact(np.ones(200)))
        assert (least - .003 <= tied).all() and (tied <= most + .003).all()
    assert bootstrap(np.r_[np.ones(199), .95]).low > .999     # 200 pictures can't know so much
    constant = interval(np.full(50, .25))
    assert constant.low < constant.value == .25 < constant.high
    with pytest.raises(ValueError, match="bootstrap"): interval(np.array([.5, 1.5]))
    with pytest.raises(ValueError, match="0.95"): interval(np.array([.5, 1]), level=95)


@pytest.mark.parametrize("parts", [0, .02, .3, 1])
@pytest.mark.parametrize("share", [.9, .98])
def test_intervals_of_hits_and_parts_of_hits_hold_the_truth(parts, share):
    "Where some scores are parts of hits, 95 intervals of 100 hold the mean; more where misses are rare."
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        scores = (rng.random(60) < share).astype(float)
        tied = rng.random(60) < parts
        scores[tied] = rng.uniform(.2, .6, tied.sum())
        i = interval(scores)
        held += i.low <= (1 - parts)*share + parts*.4 <= i.high
    assert held/400 >= .935, held/400


# Masks

def test_masks_of_zeros_and_ones_are_masks():
    maps = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0))
    array = MASK.numpy()
    for same in (MASK.long(), MASK.byte(), array.astype(int), [array[0]], array[:, ::-1].copy()[:, ::-1]):
        assert torch.equal(energy_in_mask(maps, same), energy_in_mask(maps, MASK))
        assert torch.equal(dilate(same, 1), dilate(MASK, 1))


@pytest.mark.parametrize("bad,says", [
    (MASK.byte()*255, "mask > 127"), (MASK.long()*2, "palette"), (MASK.float(), "masks > 0.5"),
    (MASK & False, r"masks \[0\] are empty"), (MASK.long()*0, "are empty"), (MASK[0], r"masks\[None\]"),
    ([], "no masks"), ([MASK[0], MASK[0, :4]], "differ in size"),
])
def test_what_is_no_mask_is_refused_in_words(bad, says):
    for score in (pointing_game, energy_in_mask, iou, score_maps):
        with pytest.raises(ValueError, match=says): score(torch.rand(1, 4, 4), bad)


def test_a_mask_must_lie_on_its_picture(ships):
    image = ships[0].image
    with pytest.raises(ValueError, match="Ship 1 has a mask of 40×20 pixels, but a picture of 48×48"):
        pictures_and_masks([ships[0], SimpleNamespace(image=image, mask=np.ones((20, 40), bool))], (24, 24))
    with pytest.raises(ValueError, match="Ship 0 has an empty mask"):
        pictures_and_masks([SimpleNamespace(image=image, mask=np.zeros((SIZE, SIZE), bool))], (24, 24))
    images, masks = pictures_and_masks(ships, (24, 30))
    assert len(images) == 5 and masks.shape == (5, 24, 30) and masks.dtype == torch.bool


# Maps that are not finite

@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_broken_map_is_counted_and_never_scored(value):
    maps, masks = torch.rand(3, 4, 4) + .1, MASK.expand(3, -1, -1)
    maps[1, 0, 0] = value
    for score in (pointing_game, energy_in_mask, iou, lambda a, b: iou(a, b, "best")):
        with pytest.warns(UserWarning, match="1 of 3 maps hold values that are not finite"):
            found = score(maps, masks)
        assert found.isnan().tolist() == [False, True, False]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = score_maps(maps, masks)
    assert table.problem.tolist() == ["", "not finite", ""]
    assert table.drop(columns="problem").isna().to_numpy().tolist() == [[False]*5, [True]*5, [False]*5]
    assert bootstrap(table.ratio).missing == interval(table.pointing).missing == 1


def test_a_value_between_the_pixels_of_the_mask_is_found_too():
    maps = torch.rand(1, 81, 81)
    maps[0, 0, 0] = torch.inf      # three cells to a pixel: the resized map would not show this one
    with pytest.warns(UserWarning, match="not finite"):
        assert pointing_game(maps, torch.ones(1, 27, 27, dtype=torch.bool)).isnan().all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_broken_maps_without_a_mask(value, x, maps):
    broken = maps.clone()
    broken[2, 1, 1] = value
    for test in (deletion_insertion, road):
        with pytest.raises(ValueError, match=r"maps \[2\] hold values that are not finite"):
            test(network(), x, broken)
    for compare in (rank_correlation, ssim):
        with pytest.warns(UserWarning, match="1 of 4 maps"):
            assert compare(maps, broken).isnan().tolist() == [False, False, True, False]


def test_a_comparison_counts_broken_maps(learn, ships, monkeypatch):
    def broken(*args):
        maps = torch.rand(5, 6, 6) + .1
        maps[1] = torch.nan
        return {("gradcam", "3"): SimpleNamespace(maps=maps)}
    monkeypatch.setattr(evaluation, "heatmaps", broken)
    row = compare_methods(learn, ships, "gradcam", deletion=3, chance=False).loc["gradcam"]
    assert list(row.index) == ["pointing", "ratio", "iou", "best_iou", "deletion", "insertion", "unusable"]
    assert row.unusable == 1 and row.pointing.missing == row.ratio.missing == row.iou.missing == 1
    assert (row.deletion.n, row.deletion.missing) == (row.insertion.n, row.insertion.missing) == (2, 1)


# The model stays as it was

def half_trained():
    "A network of which some modules train and others don't"
    net = network().train()
    net[1].eval()
    net[6].eval()
    return net


def state(net):
    return [m.training for m in net.modules()], {k: v.clone() for k, v in net.state_dict().items()}

def assert_untouched(net, before):
    modes, weights = before
    assert [m.training for m in net.modules()] == modes
    for name, value in net.state_dict().items(): assert torch.equal(value, weights[name]), name
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def explain(net, images): return heatmap(net, images)

RUNS = dict(deletion=lambda net, x, maps: deletion_insertion(net, x, maps, steps=2),
            road=lambda net, x, maps: road(net, x, maps, percent=(50,)),
            randomised=lambda net, x, maps: list(randomised(net, x, 3)),
            check=lambda net, x, maps: randomisation_check(net, x, explain, 2))


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.filterwarnings("ignore:.*maps are constant")
def test_modes_and_weights_stay(run, x, maps):
    net, random = half_trained(), torch.get_rng_state()
    before = state(net)
    RUNS[run](net, x, maps)
    assert_untouched(net, before)
    assert torch.equal(random, torch.get_rng_state())


class Fails(nn.Module):
    "Passes its input on until it has been called so often"
    def __init__(self, calls):
        super().__init__()
        self.calls = calls
    def forward(self, x):
        self.calls -= 1
        if self.calls < 0: raise ZeroDivisionError
        return x


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("calls", [0, 1])
@pytest.mark.filterwarnings("ignore:.*maps are constant")
def test_modes_and_weights_stay_after_an_error(run, calls, x, maps):
    net = half_trained()
    net[2] = Fails(calls)
    before = state(net)
    with pytest.raises(ZeroDivisionError): RUNS[run](net, x, maps)
    assert_untouched(net, before)


def test_an_error_in_explain(x):
    net = half_trained()
    before, seen = state(net), []
    def failing(copy, images):
        seen.append(copy)
        if len(seen) > 1: raise ZeroDivisionError
        return explain(copy, images)
    with pytest.raises(ZeroDivisionError): randomisation_check(net, x, failing)
    assert_untouched(net, before)
    assert net not in seen and not any(m.training for copy in seen for m in copy.modules())
    with pytest.raises(ValueError, match="explain must return maps"):
        randomisation_check(net, x, lambda n, i: torch.rand(1, 4, 4))


def test_scores_are_those_of_evaluation_mode(x, maps):
    net = half_trained()
    first, second = (deletion_insertion(net, x, maps, steps=2).deletion for _ in range(2))
    assert torch.equal(first, second)                                # no dropout
    with torch.no_grad(): p = network().eval()(x).softmax(1).amax(1)
    torch.testing.assert_close(first[:, 0], p)


def test_a_network_with_a_part_called_model(x, maps):
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.model, self.last = network(), nn.Linear(5, 3)
        def forward(self, x): return self.last(self.model(x))
    net = Whole()
    assert deletion_insertion(net, x, maps, target=2, steps=1).deletion.shape == (4, 2)
    with pytest.raises(ValueError, match="3 classes"): deletion_insertion(net, x, maps, target=3)
    assert ["last"] == next(iter(randomised(net, x)))[0]


def test_a_network_in_double_precision_or_without_weights(x, maps):
    single, double = network(), network().double()
    found, expected = (deletion_insertion(net, x, maps, steps=2).deletion for net in (double, single))
    torch.testing.assert_close(found, expected)
    plain = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert road(plain, x, maps, percent=(50,)).most.shape == (4, 1)
    assert len(list(randomised(double, x, 2))) == 2
    with pytest.raises(ValueError, match=r"scores \(N,K\)"): deletion_insertion(nn.Conv2d(3, 1, 3), x, maps)


# Numbers

def test_bootstrap_is_the_percentile_bootstrap():
    a, b = np.random.default_rng(0).random((2, 30))
    draws = [np.corrcoef(a[i], b[i])[0, 1] for i in np.random.default_rng(7).integers(0, 30, (500, 30))]
    found = bootstrap(a, b, stat=lambda a, b: np.corrcoef(a, b)[0, 1], n_boot=500, level=.9, seed=7)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [.05, .95])), abs=1e-12)
    with pytest.raises(ValueError, match="0.95"): bootstrap(a, level=95)
    with pytest.raises(ValueError, match="n_boot"): bootstrap(a, n_boot=0)
    assert exact(np.array([])).n == 0 and np.isnan(bootstrap(np.array([])).value)


def test_a_difference_is_taken_picture_by_picture():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=60)
    a, b = hard + .1*rng.normal(size=60) + .1, hard + .1*rng.normal(size=60)
    assert bootstrap(a).low < bootstrap(b).high                      # the intervals overlap
    d = paired_difference(a, b)
    assert d.low > 0 and (d.value, d.n) == (pytest.approx((a - b).mean()), 60)
    assert (d.low, d.high) == (bootstrap(a - b).low, bootstrap(a - b).high)
    same = paired_difference(np.ones(40), np.ones(40))
    assert same.value == 0 and -.12 < same.low < -.05 < .05 < same.high < .12
    with pytest.raises(ValueError, match="two scores for each picture"): paired_difference(a, b[1:])


def test_scores_of_pictures_are_those_that_a_comparison_means(learn, ships):
    methods = ("mean_activation", "eigencam")
    scores = picture_scores(learn, ships, methods)
    table = compare_methods(learn, ships, methods)
    assert list(scores.index.unique("map")) == list(table.index)
    for name in table.index:
        assert table.ratio[name].value == pytest.approx(scores.loc[name].ratio.mean())
    found = score_differences(scores, "mean_activation", columns=("ratio",))
    assert list(found.index) == [name for name in table.index if name != "mean_activation"]
    value = table.ratio["eigencam"].value - table.ratio["mean_activation"].value
    assert found.ratio["eigencam"].value == pytest.approx(value)
    with pytest.raises(ValueError, match="no scores of 'cam', only of mean_activation"):
        score_differences(scores, "cam")


def test_the_stored_trainings_are_those_of_todays_recipe():
    "`scripts/make_seeds.py` makes them; delete the file and run it again if this fails"
    import json
    from pathlib import Path

    from shipviz.ships import RENDERER
    path = Path(shipviz.__file__).parent/"weights"/"seeds.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert (stored["format"], stored["renderer"]) == (1, RENDERER) and path.stat().st_size < 150_000
    assert len({(run["seed"], run["threads"]) for run in stored["runs"]}) == len(stored["runs"]) >= 5
    assert len({run["seed"] for run in stored["runs"]}) >= 5 and stored["size"] == 160
    table = seed_scores()
    assert table.groupby(["run", "map"]).size().eq(300).all() and not table.isna().any().any()
    assert set(table["map"]) == {"gradcam", "layercam", "(swapped)"} and table.picture.nunique() == 300
    assert table.pointing.between(0, 1).all() and table.iou.between(0, 1).all() and table.ratio.gt(0).all()
    grad = table[table["map"] == "gradcam"]
    means = grad.groupby("run")[["right", "pointing"]].mean()
    assert means.right.min() > .9                                    # all have learnt their classes
    widest = max(i.high - i.low for i in (interval(rows.pointing) for _, rows in grad.groupby("run")))
    assert means.pointing.max() - means.pointing.min() > 1.5*widest  # and look at different places


def test_rank_correlation_is_spearmans():
    g = torch.Generator().manual_seed(1)
    a, b = torch.randn(3, 9, 9, generator=g), torch.randn(3, 9, 9, generator=g).round()
    expected = [spearmanr(p.flatten(), q.flatten()).statistic for p, q in zip(a, b)]
    assert rank_correlation(a, b).tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(rank_correlation(a.flatten(1), b.flatten(1)), rank_correlation(a, b))
    with pytest.raises(ValueError, match="differ in size"): rank_correlation(a, b[:, :4])


def test_what_cannot_be_deleted_is_refused(x, maps):
    net = network()
    for kwargs in (dict(steps=0), dict(steps=2.5), dict(bs=0)):
        with pytest.raises(ValueError, match="whole number"): deletion_insertion(net, x, maps, **kwargs)
    for percent in ((20, 100), (-1,), ()):
        with pytest.raises(ValueError, match="percent"): road(net, x, maps, percent=percent)
    with pytest.raises(ValueError, match="4 maps but 2 images"): road(net, x[:2], maps)
    with pytest.raises(ValueError, match="normalise"): deletion_insertion(net, (x*10).long(), maps)
    with pytest.raises(ValueError, match=r"gone \(H,W\)"): impute(x[0], torch.ones(3, 3))
