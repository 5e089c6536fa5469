"What a network says to labelled pictures, with a small network on few rendered ships."
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.vision.all import CategoryBlock, ColReader, DataBlock, ImageBlock, RandomSplitter, Resize
from PIL import Image

from shipviz.answers import carries_pictures
from shipviz.data import get_dls
from shipviz.datasets import load_ships, make_ships
from shipviz.interpretation import ShipInterpretation
from shipviz.learners import load_model, save_model, ship_learner


@pytest.fixture(scope="module")
def loaded(learn, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")/"model"
    save_model(learn, path)
    return load_model(path)


def test_one_pass_with_heatmaps_says_the_same(learn, valid):
    plain = ShipInterpretation.from_learner(learn)
    full = ShipInterpretation.from_learner(learn, df=valid, method="gradcam")
    assert plain.maps is None and len(full) == len(plain) == len(valid)
    assert full.names(range(len(full))) == plain.names(range(len(plain)))
    torch.testing.assert_close(full.probs, plain.probs, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(full.losses, plain.losses, atol=1e-4, rtol=1e-3)
    assert full.targs.tolist() == plain.targs.tolist()
    assert full.maps.targets.tolist() == full.predicted.tolist()
    again = full.heatmaps([2, 0])[1]
    torch.testing.assert_close(full.maps.maps[[2, 0]], again.maps, atol=1e-4, rtol=1e-3)
    assert full.size == plain.size == (64, 64) and full.picture(0).size == (64, 64)


def test_own_pictures_with_heatmaps(learn):
    own = ShipInterpretation.from_learner(learn, method="layercam")
    assert own.maps.method == "layercam" and len(own.maps.maps) == len(own)
    torch.testing.assert_close(own.losses, -own.p_actual.log(), atol=1e-4, rtol=1e-3)


def test_a_look_does_not_cost_the_training_curve(learn):
    before = [list(row) for row in learn.recorder.values]
    assert len(before) == 2
    ShipInterpretation.from_learner(learn)
    ShipInterpretation(learn, learn.dls.valid, torch.zeros(len(learn.dls.valid_ds)))
    assert [list(row) for row in learn.recorder.values] == before


def test_a_loaded_model_carries_no_pictures(loaded, learn, valid):
    assert carries_pictures(learn) and not carries_pictures(loaded)
    with pytest.raises(ValueError, match="carries no pictures: give df=.* or dl="):
        ShipInterpretation.from_learner(loaded)
    there = ShipInterpretation.from_learner(loaded, df=valid)
    here = ShipInterpretation.from_learner(learn)
    torch.testing.assert_close(there.probs, here.probs, atol=1e-4, rtol=1e-3)
    assert there.plot_top_losses(2)
    assert len(ShipInterpretation.from_learner(loaded, dl=learn.dls.valid)) == len(valid)


@pytest.mark.parametrize("change,words", [
    (lambda df: df.assign(label="Ferry"), "'Ferry'; its classes are"),
    (lambda df: df.drop(columns="label"), "no 'label'"),
    (lambda df: df.iloc[:0], "no pictures in this table")])
def test_tables_that_are_no_use(learn, valid, change, words):
    with pytest.raises(ValueError, match=words): ShipInterpretation.from_learner(learn, df=change(valid))


def test_arguments_are_checked(learn):
    interp = ShipInterpretation.from_learner(learn)
    for wrong in (lambda: interp.heatmaps([len(interp)]), lambda: interp.heatmaps([.5]),
                  lambda: interp.heatmaps([0], "Ferry"), lambda: interp.heatmaps([0, 1], [1, 2, 3]),
                  lambda: interp.heatmaps([0], 5), lambda: interp.plot([0], "all"), lambda: interp.plot([]),
                  lambda: interp.table(2.5), lambda: interp.confused("Ferry", "Cargo")):
        with pytest.raises(ValueError): wrong()
    with pytest.raises(ValueError, match="not both"):
        ShipInterpretation.from_learner(learn, dl=learn.dls.valid, df=pd.DataFrame())


def test_a_class_can_be_given_by_name(learn):
    interp = ShipInterpretation.from_learner(learn)
    name = str(interp.vocab[3])
    for third in (name, [3, 3]): assert interp.heatmaps([0, 1], third)[1].targets.tolist() == [3, 3]


def test_markup_in_names_stays_text(learn, tmp_path):
    interp = ShipInterpretation.from_learner(learn)
    interp.vocab = [f"<script>alert({i})</script>&" for i in range(len(interp.vocab))]
    page = interp.to_html(tmp_path/"page.html", k=2).read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;alert(0)&lt;/script&gt;&amp;" in page


@pytest.mark.skipif(os.name == "nt", reason="names of files are text there")
def test_a_name_that_is_not_utf8(learn, valid, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    try: shutil.copy(valid.path[0], odd)
    except OSError: pytest.skip("this disk takes only UTF-8")
    interp = ShipInterpretation.from_learner(learn, df=pd.DataFrame(dict(path=[odd], label=[valid.label[0]])))
    assert interp.table()["item"].tolist() == ["caf\ufffd.jpg"]
    assert interp.to_html(tmp_path/"page.html", k=1).exists()


def test_pictures_that_are_no_files(learn, valid):
    "A picture in memory is shown as well."
    pictures = [Image.open(p).convert("RGB") for p in valid.path[:2]]
    table = pd.DataFrame(dict(path=pictures, label=valid.label[:2]))
    interp = ShipInterpretation.from_learner(learn, df=table)
    assert np.asarray(interp.picture(1)).shape == (64, 64, 3)


def test_captions_of_the_page(learn, tmp_path):
    interp = ShipInterpretation.from_learner(learn)
    page = interp.to_html(tmp_path/"page.html", k=1).read_text(encoding="utf-8")
    top = interp.table(1).iloc[0]
    classes, loss = f"{top.predicted} / {top.actual}", f"loss {top.loss:.2f} / p(actual) {top.p_actual:.2f}"
    assert f"{classes} / {loss}</figcaption>" in page


def test_shuffled_pictures_keep_their_labels(learn, folder):
    train = learn.dls.train
    assert train.shuffle
    interp = ShipInterpretation.from_learner(learn, dl=train, method="gradcam")
    label = load_ships(folder).set_index("path").label
    assert interp._names(interp.targs) == [label[p] for p in interp.items(range(len(interp)))]
    assert len(interp) == len(train.dataset)


def test_a_picture_that_is_cut_is_shown_cut(valid):
    "The heat would lie beside the ship if the whole picture were shown."
    block = DataBlock((ImageBlock, CategoryBlock(sorted(set(valid.label)))), get_x=ColReader("path"),
                      get_y=ColReader("label"), item_tfms=Resize(64), splitter=RandomSplitter(.5, seed=0))
    learn = ship_learner(block.dataloaders(valid, bs=2, num_workers=0), head="linear", bn_final=False)
    cut = ShipInterpretation.from_learner(learn)
    whole = Image.open(cut.items([0])[0].path).convert("RGB").resize((64, 64), Image.Resampling.BILINEAR)
    assert not cut.squeezed
    shown = np.asarray(cut.picture(0)).astype(float)
    assert abs(shown - cut._batch([0])[1][0]).max() == 0 and abs(shown - np.asarray(whole)).mean() > 2
