"What the training notebooks can't show: hostile files, no network, two processes at once, repeatability."
import hashlib
import json
import multiprocessing as mp
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from shipviz import archs, cards, learners
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
        for i in range(15):
            pixels = rng.integers(low, low + 100, (48, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path / label / f"{i}.png")
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
    said = predict(learn, pictures)
    for name in (saved, f"{saved}.json", f"{saved}.safetensors"):
        torch.testing.assert_close(predict(load_model(name), pictures), said, rtol=1e-3, atol=1e-4)
    opened = [Image.open(p) for p in pictures]
    torch.testing.assert_close(predict(again, opened), predict(again, pictures))
    assert numbers(again) == numbers(learn) and list(again.dls.vocab) == ["dark", "light"]
    assert json.loads(saved.with_suffix(".json").read_text())["data"] == fingerprint(learn.dls)


@pytest.mark.parametrize("options", [
    {}, dict(bn_final=False), dict(lin_ftrs=[64], ps=.1), dict(head="linear")])
def test_every_head_comes_back(dls, tmp_path, options):
    learn = ship_learner(dls, pretrained=False, **options)
    save_model(learn, tmp_path / "m", metrics={})
    x = torch.rand(2, 3, 64, 64)
    again = load_model(tmp_path / "m")
    with torch.no_grad():
        torch.testing.assert_close(again.model(x), learn.model.eval()(x), rtol=1e-3, atol=1e-4)


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


# one file is the whole model

def card_of(saved):
    with safe_open(saved.with_suffix(".safetensors"), "pt") as f: return json.loads(f.metadata()["shipviz"])


def recard(saved, **changes):
    "Change the card inside a model's file."
    path = saved.with_suffix(".safetensors")
    save_file(load_file(path), path, {"shipviz": json.dumps(card_of(saved) | changes)})
    saved.with_suffix(".json").unlink()


def as_two_files(saved):
    "The model as earlier versions wrote it: the card beside the weights, with their hash."
    path, card = saved.with_suffix(".safetensors"), card_of(saved)
    save_file(load_file(path), path)
    card["weights"] = hashlib.sha256(path.read_bytes()).hexdigest()
    del card["tensors"]
    saved.with_suffix(".json").write_text(json.dumps(card))
    return saved


def test_the_weights_file_alone_is_the_model(learn, saved, folder):
    saved.with_suffix(".json").unlink()
    pictures = sorted(folder.rglob("*.png"))[:4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load_model(saved)
    torch.testing.assert_close(predict(again, pictures), predict(learn, pictures), rtol=1e-3, atol=1e-4)
    assert not saved.with_suffix(".json").exists()


def test_the_copy_beside_it_is_never_believed(learn, saved, tmp_path, dls):
    other = ship_learner(dls, "resnet18", pretrained=False)
    save_model(other, tmp_path / "other", metrics={})
    (tmp_path / "other.json").replace(tmp_path / "m.json")
    with pytest.warns(UserWarning, match="m.json"):
        assert load_model(saved).recipe["arch"] == "efficientnet_lite0"
    for text in (b"{", b"\xff\xfe", b"[]"):
        saved.with_suffix(".json").write_bytes(text)
        with pytest.warns(UserWarning, match="force=True"): load_model(saved)


def test_a_save_that_is_killed_between_the_files_leaves_a_whole_model(saved, dls):
    new = ship_learner(dls, "resnet18", pretrained=False)
    with patch.object(cards, "_write_copy", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        save_model(new, saved, force=True, metrics={})
    with pytest.warns(UserWarning, match="not the card"):
        assert load_model(saved).recipe["arch"] == "resnet18"
    with patch("os.replace", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        save_model(new, saved, force=True)
    with pytest.warns(UserWarning, match="not the card"): load_model(saved)
    save_model(new, saved, force=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(saved)


def test_two_savers_at_once_leave_one_model(saved, tmp_path):
    card = {k: v for k, v in card_of(saved).items() if k != "tensors"}
    def save(k):
        tensors = {"w": torch.full((50_000,), float(k))}
        for _ in range(8): cards.write_model(tmp_path / "both", card | dict(seed=k), tensors, force=True)
    with ThreadPoolExecutor(3) as pool: list(pool.map(save, range(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, tensors = cards.read_model(tmp_path / "both")
    assert (tensors["w"] == found["seed"]).all()
    assert json.loads((tmp_path / "both.json").read_text())["seed"] == found["seed"]


def test_models_of_earlier_versions_are_read(learn, saved, folder):
    pictures = sorted(folder.rglob("*.png"))[:4]
    said = predict(load_model(as_two_files(saved)), pictures)
    torch.testing.assert_close(said, predict(learn, pictures), rtol=1e-3, atol=1e-4)
    saved.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match="json"): load_model(saved)


def test_saved_files_have_the_rights_of_any_file(learn, tmp_path):
    before = os.umask(0o022)
    try: save_model(learn, tmp_path / "m")
    finally: os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o644}


def test_any_name_that_the_disk_takes(learn, tmp_path):
    path = tmp_path / os.fsdecode(b"ships\xff")
    save_model(learn, path)
    assert list(load_model(path).dls.vocab) == ["dark", "light"]


# what could not be saved is kept

def test_a_model_that_cannot_be_saved_is_kept(learn, tmp_path, monkeypatch):
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path / "home"))
    (tmp_path / "out").mkdir()
    write = cards.atomic_write
    def full(path):
        if path.parent.name == "out": raise OSError(28, "No space left on device")
        return write(path)
    with patch.object(cards, "atomic_write", full), pytest.raises(OSError, match="No space left.*rescued"):
        save_model(learn, tmp_path / "out" / "m")
    assert not list((tmp_path / "out").iterdir())
    kept, = (tmp_path / "home" / "rescued").glob("m-*.safetensors")
    assert list(load_model(kept).dls.vocab) == ["dark", "light"]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="can't make the folder.*rescued"):
        save_model(learn, tmp_path / "file" / "m")
    assert len(list((tmp_path / "home" / "rescued").glob("m-*.safetensors"))) == 2


def test_where_nothing_can_be_saved_both_places_are_named(learn, tmp_path):
    full = patch.object(cards, "atomic_write", side_effect=OSError("disk full"))
    with full, pytest.raises(OSError, match="disk full.*elsewhere"):
        save_model(learn, tmp_path / "m")
    assert not list(tmp_path.glob("m*"))


def test_the_copy_of_the_card_is_not_worth_an_error(learn, tmp_path):
    write = cards.atomic_write
    def no_json(path):
        if path.suffix == ".json": raise OSError("disk full")
        return write(path)
    no_card = patch.object(cards, "atomic_write", no_json)
    with no_card, pytest.warns(UserWarning, match="is saved, but 'm.json'"):
        save_model(learn, tmp_path / "m")
    load_model(tmp_path / "m")


# the history of the training

def test_what_comes_after_training_is_no_history(dls, tmp_path):
    learn = ship_learner(dls, head="linear", bn_final=False)
    quiet(learn, train_head, 2)
    rows = numbers(learn)
    def later(learn):
        learn.validate()
        learn.get_preds()
        learn.lr_find(num_it=12, show_plot=False)
    quiet(learn, later)
    save_model(learn, tmp_path / "m")
    again = load_model(tmp_path / "m")
    names = ["train_loss", "valid_loss", "weighted_f1", "accuracy"]
    assert again.history.to_numpy().tolist() == rows and list(again.history) == names
    assert again.metrics_saved == dict(zip(again.history, rows[-1]))
    quiet(again, lambda learn: learn.validate())
    save_model(again, tmp_path / "n")
    assert load_model(tmp_path / "n").metrics_saved == again.metrics_saved


def test_an_untrained_network_has_no_scores(dls, tmp_path):
    learn = ship_learner(dls, head="linear", bn_final=False)
    quiet(learn, lambda learn: learn.validate())
    save_model(learn, tmp_path / "m")
    assert load_model(tmp_path / "m").metrics_saved == {} and not len(load_model(tmp_path / "m").history)


# hostile files

def edit(saved, **changes):
    card = saved.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | changes))


def cut(saved):
    path = saved.with_suffix(".safetensors")
    path.write_bytes(path.read_bytes()[:-9])


def flip(saved):
    path = saved.with_suffix(".safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("spoil, says", [
    (cut, "damaged"),
    (flip, "belong together"),
    (lambda p: p.with_suffix(".safetensors").write_bytes(b""), "damaged"),
    (lambda p: p.with_suffix(".json").write_text("{"), "does not describe"),
    (lambda p: p.with_suffix(".json").write_bytes(b"\xff\xfe\x00"), "does not describe"),
    (lambda p: p.with_suffix(".json").write_text("[]"), "does not describe"),
    (lambda p: p.with_suffix(".json").write_text("["*100_000), "does not describe"),
    (lambda p: p.with_suffix(".json").write_text('{"format": "another"}'), "another"),
    (lambda p: edit(p, classes="ships"), "classes"),
    (lambda p: edit(p, classes=["a", "b", "c"]), "do(es)? not fit"),
    (lambda p: edit(p, arch="resnet18"), "do(es)? not fit"),
    (lambda p: edit(p, arch="resnet43"), "no network 'resnet43'"),
    (lambda p: edit(p, head="hydra"), "head"),
    (lambda p: edit(p, size=[64]), "size"),
    (lambda p: edit(p, normalisation={"mean": [0, 0, 0]}), "std"),
])
def test_spoiled_pairs_of_files_are_named(saved, spoil, says):
    spoil(as_two_files(saved))
    with pytest.raises(ValueError, match=says): load_model(saved)


@pytest.mark.parametrize("spoil, says", [
    (cut, "damaged"),
    (flip, "damaged"),
    (lambda p: p.with_suffix(".safetensors").write_bytes(b"\x10" + bytes(30)), "damaged"),
    (lambda p: recard(p, classes=["a", "b", "c"]), "do(es)? not fit"),
    (lambda p: recard(p, classes=[]), "'classes'"),
    (lambda p: recard(p, classes=["a", "a"]), "'classes'"),
    (lambda p: recard(p, arch="vit_b_16"), "'vit_b_16'"),
    (lambda p: recard(p, size=[20000, 20000]), "'size'"),
    (lambda p: recard(p, size=[True, 64]), "'size'"),
    (lambda p: recard(p, seed=False), "'seed'"),
    (lambda p: recard(p, options={"path": "/"}), "'path'"),
    (lambda p: recard(p, options={"y_range": [0, 1]}), "'y_range'"),
    (lambda p: recard(p, tensors="0"*64), "damaged"),
])
def test_spoiled_files_are_named(saved, spoil, says):
    spoil(saved)
    with pytest.raises(ValueError, match=says): load_model(saved)


def test_options_that_a_card_cannot_hold_are_refused_and_those_of_the_learner_left_out(dls, tmp_path):
    with pytest.raises(ValueError, match="y_range"):
        save_model(ship_learner(dls, pretrained=False, y_range=(0, 1)), tmp_path / "m", metrics={})
    save_model(ship_learner(dls, pretrained=False, path=tmp_path, wd=.01), tmp_path / "m", metrics={})
    assert load_model(tmp_path / "m").recipe["options"] == dict(bn_final=True, wd=.01)


def test_weights_that_are_not_finite_are_refused(dls, tmp_path, saved):
    path = saved.with_suffix(".safetensors")
    tensors, card = load_file(path), card_of(saved)
    tensors["0.stem.conv.weight"][0] = torch.inf
    save_file(tensors, path, {"shipviz": json.dumps(card | dict(tensors=cards._tensor_hash(tensors)))})
    saved.with_suffix(".json").unlink()
    with pytest.raises(ValueError, match="not finite.*0.stem.conv.weight"): load_model(saved)


def test_missing_files_are_named(saved):
    with pytest.raises(FileNotFoundError, match="yacht"): load_model(saved.with_name("yacht"))


def test_nothing_is_unpickled(saved):
    unpickling = patch("pickle.load", side_effect=AssertionError)
    with unpickling, patch("torch.load", side_effect=AssertionError): load_model(saved)


def test_offline_says_the_way_out(dls):
    offline = dict(side_effect=URLError("no name"))
    hub = patch("torch.hub.load_state_dict_from_url", **offline)
    torchvision = patch("torchvision.models._api.load_state_dict_from_url", **offline)
    with hub, torchvision, pytest.raises(ConnectionError, match="efficientnet_lite0.*pretrained=False"):
        ship_learner(dls, "resnet34")


def test_only_a_failed_download_is_turned_into_that_message(dls):
    def broken(pretrained): raise OSError("disk full")
    with pytest.raises(OSError, match="^disk full$"): ship_learner(dls, broken)


@pytest.mark.slow
def test_networks_that_cannot_be_cut_are_those_that_are_refused():
    "Each network of torchvision is built without memory for weights, cut, and asked for maps."
    from fastai.vision.learner import create_body, model_meta
    known = archs._torchvision_archs()
    assert set(archs._NO_BODY) <= set(known)
    for name, build in known.items():
        device = "cpu" if name == "regnet_y_400mf" else "meta"
        # regnets compute with numbers while they are built; all are alike
        if name.startswith("regnet") and device == "meta": continue
        alone = torch.random.fork_rng(devices=[])
        with alone, torch.device(device), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                body = create_body(build(weights=None), 3, False, model_meta.get(build, {}).get("cut"))
                gives_maps = nn.Sequential(*body.children()).eval()(torch.empty(1, 3, 224, 224)).ndim == 4
            except (StopIteration, RuntimeError, NotImplementedError): gives_maps = False
        assert gives_maps == (name not in archs._NO_BODY), name
        if gives_maps: assert find_arch(name) is build
        else:
            for arch in (name, build):
                with pytest.raises(ValueError, match=name): find_arch(arch)


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
        want = learn.model(whole.as_subclass(torch.Tensor))
        torch.testing.assert_close(cached.model(x), want, rtol=2e-2, atol=2e-2)
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
        weights = next(tmp_path.rglob("ships-quick-*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:100])
        again = trained_learner(quick=True, progress=False)
    for p, q in zip(first.model.parameters(), again.model.parameters()): assert torch.equal(p, q)
    assert not again.model.training


def test_a_good_cache_that_cannot_be_written_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path))
    forbidden = patch.object(learners, "FileLock", side_effect=PermissionError("read-only"))
    with patch.dict(learners._RECIPES, quick=TINY):
        with forbidden, pytest.raises(OSError, match="SHIPVIZ_HOME"):
            trained_learner(quick=True, progress=False)
        first = trained_learner(quick=True, progress=False)
        with forbidden: again = trained_learner(quick=True, progress=False)
        (next(tmp_path.rglob("ships-quick-*.json"))).unlink()
        with forbidden: trained_learner(quick=True, progress=False)
    assert first.metrics_saved == again.metrics_saved
    assert first.history.equals(again.history) and again.has_pictures


def test_a_cache_that_cannot_keep_the_network_gives_it_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path))
    full = patch.object(cards, "atomic_write", side_effect=OSError("disk full"))
    with patch.dict(learners._RECIPES, quick=TINY), full:
        with pytest.warns(UserWarning, match="disk full"): learn = trained_learner(quick=True, progress=False)
    assert learn.metrics_saved["training_seconds"] > 0 and not learn.model.training
    assert not list(Path(tmp_path).rglob("ships-quick-*.safetensors"))
