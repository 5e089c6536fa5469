"Real photos: a few dozen of those in the hackathon's unpacked folder, where SHIPVIZ_HACKATHON names it."
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from shipviz import cli
from shipviz.data import weighted_f1
from shipviz.datasets import load_ships, make_ships
from shipviz.models import MODELS, find_model, real_ships, train_on
from shipviz.predictions import prediction_table, probabilities
from shipviz.ships import CLASSES

HACKATHON = os.environ.get("SHIPVIZ_HACKATHON")
needs_photos = pytest.mark.skipif(
    not (HACKATHON and Path(HACKATHON).is_dir()),
    reason="NOT TESTED ON REAL PHOTOS: SHIPVIZ_HACKATHON does not name the unpacked folder of the hackathon")
WEIGHTS = Path(cli.__file__).parent/"weights"


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    "A folder in the hackathon's layout with ten labelled photos of each class and eight to predict."
    to, df = tmp_path_factory.mktemp("few"), load_ships(HACKATHON)
    (to/"train"/"images").mkdir(parents=True)
    known, tests = df[df.split != "test"].groupby("label").head(10), df[df.split == "test"].head(8)
    for p in [*known.path, *tests.path]: shutil.copy(p, to/"train"/"images")
    known[["image", "category"]].to_csv(to/"train"/"train.csv", index=False)
    tests[["image"]].iloc[::-1].to_csv(to/"test_some.csv", index=False)
    return to


# the head that comes with the package

def test_the_head_and_its_card_belong_together():
    card = json.loads((WEIGHTS/"real-ships.json").read_text())
    assert card["weights"] == hashlib.sha256((WEIGHTS/"real-ships.safetensors").read_bytes()).hexdigest()
    assert (WEIGHTS/"real-ships.safetensors").stat().st_size < 30_000
    shapes = {k: tuple(v.shape) for k, v in load_file(WEIGHTS/"real-ships.safetensors").items()}
    assert shapes == {"weight": (5, 1280), "bias": (5,)}
    assert card["classes"] == CLASSES and card["trained_on"] == sum(card["photos"].values()) == 4400
    f1 = card["score"]["weighted_f1"]
    assert .86 < f1["low"] < f1["value"] < f1["high"] and card["limits"]


def test_the_head_is_a_whole_network_without_training():
    start = time.process_time()
    learn = real_ships()
    assert time.process_time() - start < 20
    from shipviz.heatmaps import heatmap
    from shipviz.ships import render_ship
    h = heatmap(learn, render_ship("Cruise", seed=1).image, method="cam")
    z = h.logits[0, h.targets[0]]
    bias = learn.model[1][-1].bias[h.targets[0]]
    # the map's mean is the logit, but for the bias
    assert float(h.maps[0].mean()) == pytest.approx(float(z - bias), abs=1e-2)


@needs_photos
def test_the_head_knows_real_ships():
    df = load_ships(HACKATHON)
    some = df[df.split != "test"].groupby("label").head(12)
    said = probabilities(real_ships(), some.path.tolist(), progress=False).argmax(1).numpy() + 1
    assert weighted_f1(some.category.to_numpy(int), said) > .75  # 60 photos; it was trained on them


# names

def test_a_file_of_yours_is_not_shadowed_in_silence(run, tmp_path):
    for e in (".safetensors", ".json"): shutil.copy(WEIGHTS/f"real-ships{e}", tmp_path/f"real-ships{e}")
    with pytest.warns(UserWarning, match="./real-ships"): find_model("real-ships")
    with pytest.raises(ValueError, match="does not describe"): find_model("./real-ships")
    # a Path is always a file
    with pytest.raises(ValueError, match="does not describe"): find_model(Path("./real-ships"))
    for name in MODELS:
        r = run("train", tmp_path, "-o", name)
        assert r.exit_code == 2 and "comes with shipviz" in r.output


def test_the_names_of_the_command_line_are_those_of_the_library():
    assert set(cli.RESERVED) == set(MODELS)


# predictions

def test_tables_and_refusals(run, tmp_path):
    Image.new("RGB", (210, 140), "navy").save(tmp_path/"a.png")
    Image.new("RGB", (210, 140), "grey").save(tmp_path/"b.png")
    r = run("predict", "real-ships", "b.png", "a.png", "-o", "out.csv")
    assert r.exit_code == 0, r.output
    table = pd.read_csv(tmp_path/"out.csv")
    assert table.image.tolist() == ["b.png", "a.png"] and list(table)[1:] == ["predicted", *CLASSES]
    assert np.allclose(table[CLASSES].sum(1), 1, atol=1e-4)
    r = run("predict", "real-ships", "a.png", "-o", "out.csv")
    assert r.exit_code == 1 and "--force" in r.output
    assert run("predict", "real-ships", "a.png", "-o", "out.csv", "--force").exit_code == 0
    assert len(pd.read_csv(tmp_path/"out.csv")) == 1
    r = run("predict", "real-ships", "nowhere.png", "-o", "new.csv")
    assert r.exit_code == 1 and "nowhere.png: no such file" in r.output
    (tmp_path/"empty").mkdir()
    r = run("predict", "real-ships", "empty", "-o", "new.csv")
    assert r.exit_code == 1 and "no pictures" in r.output
    r = run("predict", "real-ships,imagenet", "a.png", "-o", "new.csv")
    assert r.exit_code == 1 and "different classes" in r.output
    assert not (tmp_path/"new.csv").exists()


@needs_photos
def test_the_submission_has_the_order_of_the_test_file(run, tmp_path, few):
    r = run("predict", "real-ships", few, "-o", "submission.csv")
    assert r.exit_code == 0 and "submission for 8" in r.output, r.output
    table, wanted = pd.read_csv(tmp_path/"submission.csv"), pd.read_csv(few/"test_some.csv")
    assert list(table) == ["image", "category"] and table.image.tolist() == wanted.image.tolist()
    assert table.category.isin(range(1, 6)).all()
    assert len(prediction_table(real_ships(), few, progress=False)) == 58


@needs_photos
def test_training_on_a_few_real_photos_beats_guessing(run, tmp_path, few):
    r = run("train", few, "-o", "m", "--size", "96x128", "--epochs", 4)
    assert r.exit_code == 0 and "processor time" in r.output, r.output
    card = json.loads((tmp_path/"m.json").read_text())
    assert card["size"] == [96, 128] and card["training"]["trained_on"] == 40
    assert card["metrics"]["weighted_f1"] > .25
    r = run("report", "m", few, "-o", "page")
    assert r.exit_code == 0, r.output
    page = (tmp_path/"page"/"report.html").read_text()
    assert "no true masks" in page and "Deletion" in page and "held out" in page


# a run that is killed

def killed_once(data, out, home, after):
    "Start `shipviz train`, kill it once its state has been written, and say whether it was killed."
    env = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1]), "SHIPVIZ_HOME": str(home)}
    options = dict(size=64, epochs=3, out=str(out), progress=False, every=0)
    code = f"from shipviz.models import train_on; train_on({str(data)!r}, **{options})"
    p = subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.PIPE)
    for _ in range(1200):
        if p.poll() is not None: break
        if len(list((home/"training").glob("*.safetensors"))) and (after := after - 1) < 0:
            p.send_signal(signal.SIGKILL)
            break
        time.sleep(.1)
    p.wait()
    return p.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    data, home = make_ships(tmp_path/"d", 60, 0, size=64, progress=False), tmp_path/"home"
    assert killed_once(data, tmp_path/"m", home, 5) and not (tmp_path/"m.json").exists()
    monkeypatch.setenv("SHIPVIZ_HOME", str(home))
    states = list((home/"training").glob("*.safetensors"))
    assert len(states) == 1
    train_on(data, size=64, epochs=3, out=tmp_path/"m", progress=False)
    assert not list((home/"training").glob("*.safetensors"))
    train_on(data, size=64, epochs=3, out=tmp_path/"whole", progress=False)
    ours, theirs = load_file(tmp_path/"m.safetensors"), load_file(tmp_path/"whole.safetensors")
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
