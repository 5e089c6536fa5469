"""What the training notebook can't show well: hostile files, no network, two processes at once, repeatability."""
import json
import multiprocessing as mp
from unittest.mock import patch
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

from shipviz import learners
from shipviz.data import get_dls
from shipviz.learners import (
    cached_learner,
    find_arch,
    fingerprint,
    load_model,
    predict,
    save_model,
    ship_learner,
    trained_learner,
)
from shipviz.training import train_all, train_head


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "Two classes of plain pictures, dark and light."
    path, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for label, low in (("dark", 0), ("light", 120)):
        (path / label).mkdir()
        for i in range(15): Image.fromarray(rng.integers(low, low + 100, (48, 48, 3), dtype=np.uint8)).save(path / label / f"{i}.png")
    return path


@pytest.fixture(scope="module")
def dls(folder): return get_dls(folder, size=64, bs=6)


def quiet(learn, f, *args):
    with learn.no_bar(), learn.no_logging(): return f(learn, *args)


@pytest.fixture(scope="module")
def learn(dls):
    learn = ship_learner(dls, head="linear", bn_final=False)
    return quiet(learn, train_head, 1)


@pytest.fixture
def saved(learn, tmp_path):
    save_model(learn, tmp_path / "m")
    return tmp_path / "m"


def numbers(learn): return [[float(v) for v in row] for row in learn.recorder.values]


def test_same_seed_same_numbers(dls):
    def run(seed):
        learn = ship_learner(dls, seed=seed)
        torch.rand(5), np.random.rand(5)
        quiet(learn, train_head, 1)
        quiet(learn, train_all, 1)
        return numbers(learn)
    assert run(3) == run(3) != run(4)


def test_the_dataloaders_given_are_untouched(dls):
    before = list(dls.after_batch.fs)
    ship_learner(dls)
    assert list(dls.after_batch.fs) == before


def test_saved_and_loaded(learn, saved, folder):
    pictures = sorted(folder.rglob("*.png"))[:4]
    again = load_model(saved)
    for name in (saved, f"{saved}.json", f"{saved}.safetensors"):
        torch.testing.assert_close(predict(load_model(name), pictures), predict(learn, pictures), rtol=1e-3, atol=1e-4)
    opened = [Image.open(p) for p in pictures]
    torch.testing.assert_close(predict(again, opened), predict(again, pictures))
    assert numbers(again) == numbers(learn) and list(again.dls.vocab) == ["dark", "light"]
    assert json.loads(saved.with_suffix(".json").read_text())["data"] == fingerprint(learn.dls)


@pytest.mark.parametrize("options", [{}, dict(bn_final=False), dict(lin_ftrs=[64], ps=.1), dict(head="linear")])
def test_every_head_comes_back(dls, tmp_path, options):
    learn = ship_learner(dls, pretrained=False, **options)
    save_model(learn, tmp_path / "m", metrics={})
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad(): torch.testing.assert_close(load_model(tmp_path / "m").model(x), learn.model.eval()(x), rtol=1e-3, atol=1e-4)


def test_resnets_work_without_weights(dls, tmp_path):
    learn = ship_learner(dls, "resnet18", pretrained=False)
    quiet(learn, train_all, 1)
    save_model(learn, tmp_path / "m")
    assert load_model(tmp_path / "m").recipe["arch"] == "resnet18"


def test_nothing_is_overwritten(learn, saved):
    with pytest.raises(FileExistsError, match="force=True"): save_model(learn, saved)
    saved.with_suffix(".safetensors").unlink()
    with pytest.raises(FileExistsError, match="json"): save_model(learn, saved)
    save_model(learn, saved, force=True)


def test_a_failed_save_leaves_nothing(learn, tmp_path):
    with patch.object(learners, "save_file", side_effect=OSError("disk full")), pytest.raises(OSError, match="disk full"):
        save_model(learn, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def edit(saved, **changes):
    card = saved.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | changes))


@pytest.mark.parametrize("spoil, says", [
    (lambda p: p.with_suffix(".safetensors").write_bytes(p.with_suffix(".safetensors").read_bytes()[:-9]), "belong together"),
    (lambda p: p.with_suffix(".safetensors").write_bytes(b""), "belong together"),
    (lambda p: p.with_suffix(".json").write_text("{"), "does not describe"),
    (lambda p: p.with_suffix(".json").write_bytes(b"\xff\xfe\x00"), "does not describe"),
    (lambda p: p.with_suffix(".json").write_text("[]"), "does not describe"),
    (lambda p: p.with_suffix(".json").write_text('{"format": "another"}'), "another"),
    (lambda p: edit(p, classes="ships"), "classes"),
    (lambda p: edit(p, classes=["a", "b", "c"]), "does not fit"),
    (lambda p: edit(p, arch="resnet18"), "does not fit"),
    (lambda p: edit(p, arch="resnet43"), "no network 'resnet43'"),
    (lambda p: edit(p, head="hydra"), "head"),
    (lambda p: edit(p, size=[64]), "size"),
    (lambda p: edit(p, normalisation={"mean": [0, 0, 0]}), "std"),
])
def test_spoiled_files_are_named(saved, spoil, says):
    spoil(saved)
    with pytest.raises(ValueError, match=says): load_model(saved)


def test_missing_files_are_named(saved):
    with pytest.raises(FileNotFoundError, match="yacht"): load_model(saved.with_name("yacht"))
    saved.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match="json"): load_model(saved)


def test_nothing_is_unpickled(saved):
    with patch("pickle.load", side_effect=AssertionError), patch("torch.load", side_effect=AssertionError): load_model(saved)


def test_offline_says_the_way_out(dls):
    offline = dict(side_effect=URLError("no name"))
    with patch("torch.hub.load_state_dict_from_url", **offline), patch("torchvision.models._api.load_state_dict_from_url", **offline):
        with pytest.raises(ConnectionError, match="efficientnet_lite0.*pretrained=False"): ship_learner(dls, "resnet34")


def test_only_a_failed_download_is_turned_into_that_message(dls):
    def broken(pretrained): raise OSError("disk full")
    with pytest.raises(OSError, match="^disk full$"): ship_learner(dls, broken)


def test_unknown_networks_and_heads(dls):
    with pytest.raises(ValueError, match="resnet34"): find_arch("resnet43")
    with pytest.raises(ValueError, match="'concat', 'linear'"): ship_learner(dls, head="none")
    with pytest.raises(ValueError, match="1 to 9"): cached_learner(ship_learner(dls), cut=10)


def test_pictures_that_cannot_be_read(learn, tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(FileNotFoundError, match="nowhere"): predict(learn, ["nowhere.jpg"])
    with pytest.raises(ValueError, match="x.jpg"): predict(learn, tmp_path / "x.jpg")


def test_cached_layers_are_the_learners_own(dls):
    learn = ship_learner(dls, head="linear", bn_final=False)
    cached = cached_learner(learn, cut=5, flip=False)
    whole = learn.dls.test_dl(dls.valid.items, with_labels=True).one_batch()[0]
    learn.model.eval()
    with torch.no_grad():
        x = torch.stack([cached.dls.valid_ds[i][0] for i in range(len(whole))])
        torch.testing.assert_close(cached.model(x), learn.model(whole.as_subclass(torch.Tensor)), rtol=2e-2, atol=2e-2)
    low = [p.clone() for p in learn.model[0][:5].parameters()]
    high = [p.clone() for p in learn.model[0][5:].parameters()]
    cached.unfreeze()
    quiet(cached, lambda c: c.fit_one_cycle(1, 1e-3))
    assert all(torch.equal(p, q) for p, q in zip(low, learn.model[0][:5].parameters()))
    assert not all(torch.equal(p, q) for p, q in zip(high, learn.model[0][5:].parameters()))


TINY = dict(n=30, n_test=10, size=64, cut=5, bs=16, epochs=1, lr=1e-3)


def train_in(home, queue):
    import os
    os.environ["SHIPVIZ_HOME"] = str(home)
    torch.set_num_threads(1)
    with patch.dict(learners._RECIPES, quick=TINY):
        trainings = []
        train = learners._train
        with patch.object(learners, "_train", side_effect=lambda *a: (trainings.append(1), train(*a))):
            learn = trained_learner(quick=True, progress=False)
        queue.put((len(trainings), learn.metrics_saved["weighted_f1"]))


def test_two_processes_train_once(tmp_path):
    context = mp.get_context("spawn")
    queue = context.Queue()
    both = [context.Process(target=train_in, args=(tmp_path, queue)) for _ in range(2)]
    for p in both: p.start()
    answers = [queue.get(timeout=300) for _ in both]
    for p in both: p.join()
    assert sorted(n for n, _ in answers) == [0, 1]
    assert answers[0][1] == answers[1][1]


def test_a_damaged_cache_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path))
    with patch.dict(learners._RECIPES, quick=TINY):
        first = trained_learner(quick=True, progress=False)
        weights = next(tmp_path.rglob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:100])
        again = trained_learner(quick=True, progress=False)
    for p, q in zip(first.model.parameters(), again.model.parameters()): assert torch.equal(p, q)
    assert not again.model.training
