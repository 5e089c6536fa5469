"What a network says to labelled pictures, with a small network on few rendered ships."
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from fastai.losses import (
    BaseLoss,
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    FocalLossFlat,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
)
from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    DataBlock,
    ImageBlock,
    ImageDataLoaders,
    Learner,
    MaskBlock,
    MultiCategoryBlock,
    RandomSplitter,
    RegressionBlock,
    Resize,
    load_learner,
)
from PIL import Image
from torch import nn

from shipviz.answers import carries_pictures
from shipviz.datasets import load_ships
from shipviz.heatmaps import heatmap, input_gradients, predict_with_heatmaps
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


# The loss that is shown, and the probability beside it

WEIGHTS = torch.tensor([1., 2, 3, 4, 5])

def doubled(z, y): return 2*F.cross_entropy(z, y)

@pytest.mark.parametrize("loss, name, wanted", [
    (F.cross_entropy, "loss", lambda p, w: p),
    (nn.CrossEntropyLoss(), "loss", lambda p, w: p),
    (BaseLoss(nn.CrossEntropyLoss), "loss", lambda p, w: p),
    (lambda z, y: F.cross_entropy(z, y), "loss", lambda p, w: p),       # knows no reduction
    (doubled, "doubled", lambda p, w: 2*p),
    (nn.CrossEntropyLoss(weight=WEIGHTS), "weighted cross-entropy", lambda p, w: w*p),
    (CrossEntropyLossFlat(weight=WEIGHTS), "weighted cross-entropy", lambda p, w: w*p),
    (FocalLossFlat(gamma=2.), "focal loss", lambda p, w: (1 - (-p).exp())**2*p),
    (LabelSmoothingCrossEntropyFlat(eps=.2), "smoothed cross-entropy", None),
])
def test_the_loss_is_that_of_the_probability_or_says_what_it_is(learn, valid, loss, name, wanted):
    own = Learner(learn.dls, learn.model, loss_func=loss)
    interp = ShipInterpretation.from_learner(own)
    torch.testing.assert_close(interp.probs.sum(1), torch.ones(len(interp)))
    usual = ShipInterpretation.from_learner(learn)
    torch.testing.assert_close(interp.probs, usual.probs, atol=1e-5, rtol=1e-4)
    plain = -interp.p_actual.log()
    if wanted:
        right = wanted(plain, WEIGHTS[interp.targs])
        torch.testing.assert_close(interp.losses, right, atol=1e-4, rtol=1e-3)
    assert interp.loss_name == name and f"{name} {interp.losses[0]:.2f}" in interp._title(0)
    table = interp.table()
    assert ("cross_entropy" in table) == (name != "loss")
    assert table.columns.name == (None if name == "loss" else f"loss: {name}")
    if name != "loss": np.testing.assert_allclose(table.cross_entropy, -np.log(table.p_actual), atol=1e-4)
    by_table = ShipInterpretation.from_learner(own, df=valid)
    torch.testing.assert_close(by_table.losses, interp.losses, atol=1e-4, rtol=1e-3)


def test_the_page_says_what_its_loss_is(learn, tmp_path):
    for loss, said in ((FocalLossFlat(), True), (CrossEntropyLossFlat(), False)):
        interp = ShipInterpretation.from_learner(Learner(learn.dls, learn.model, loss_func=loss))
        page = interp.to_html(tmp_path/"page.html", k=1, force=True).read_text(encoding="utf-8")
        assert ("The loss is the focal loss that the network was trained with" in page) == said


# Learners of other kinds

def small(*heads):
    "Convolution, pooling, and then the heads."
    return nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), *heads)

class Fork(nn.Module):
    def __init__(self, *heads): super().__init__(); self.heads = nn.ModuleList(heads)
    def forward(self, x): return tuple(h(x) for h in self.heads)

def block_learn(df, blocks, get_y, net, loss, **kwargs):
    torch.manual_seed(0)
    block = DataBlock(blocks, get_x=ColReader("path"), get_y=get_y, item_tfms=Resize(64),
                      splitter=RandomSplitter(.5, seed=0), **kwargs)
    return Learner(block.dataloaders(df, bs=4, num_workers=0), net, loss_func=loss)

@pytest.fixture(scope="module")
def table(folder):
    df = load_ships(folder)[["path"]].head(24).reset_index(drop=True)
    kinds = [["Cargo", "Carrier", "Cruise"][i % 3] for i in range(24)]
    return df.assign(path=df.path.astype(str), label=kinds, warm=[i % 4 < 2 for i in range(24)],
                     number=np.arange(24)/10,
                     labels=[f"{kind};{'ab'[i % 2]}" for i, kind in enumerate(kinds)])

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("loss", [MSELossFlat(), nn.L1Loss(), nn.functional.smooth_l1_loss])
def test_heatmaps_of_a_network_that_returns_numbers(table, n, loss):
    "Regression: there is no class to explain, and the error says what to give; with it all is as elsewhere."
    df = table.assign(other=-table.number)
    net = small(nn.Linear(8, n)).eval()
    learn = block_learn(df, (ImageBlock, RegressionBlock(n)), ColReader(["number", "other"][:n] if n > 1 else
                        "number"), net, loss)
    x = learn.dls.valid.one_batch()[0].as_subclass(torch.Tensor)
    def number(out): return out[:, 0]
    words = r"taught with \w*(MSE|L1|l1)\w*: what its network returns .*number.*lambda out: out\[:, 0\]"
    for explain in (heatmap, input_gradients, lambda m, x: next(predict_with_heatmaps(m, [x]))):
        with pytest.raises(ValueError, match=words): explain(learn, x)
    for method in ("gradcam", "scorecam", "saliency"):
        h = heatmap(learn, x, number, method=method)
        assert h.labels == [None]*len(x) and h.targets is None
        torch.testing.assert_close(h.scores, net(x)[:, 0].detach())
        torch.testing.assert_close(h.maps, heatmap(net, x, number, method=method).maps)
    A = net[:2](x).detach().requires_grad_()
    g, = torch.autograd.grad(net[2:](A)[:, 0].sum(), A)
    torch.testing.assert_close(heatmap(net, x, number).maps, (g.mean((2, 3), keepdim=True)*A).sum(1).detach())
    if n == 1: return
    torch.testing.assert_close(heatmap(learn, x, 1).maps, heatmap(learn, x, lambda out: out[:, 1]).maps)

def test_several_labels_with_weights_and_a_threshold(table):
    n = table.label.nunique() + 2
    net = small(nn.Linear(8, n))
    loss = BCEWithLogitsLossFlat(thresh=.51)
    get_y = ColReader("labels", label_delim=";")
    learn = block_learn(table, (ImageBlock, MultiCategoryBlock), get_y, net, loss)
    interp = ShipInterpretation.from_learner(learn)
    assert interp.loss_name == "loss" and torch.equal(interp.predicted, (interp.probs > .51).float())
    np.testing.assert_allclose(interp.losses, -np.log(interp.p_actual)/n, rtol=1e-3)
    learn.loss_func = BCEWithLogitsLossFlat(pos_weight=torch.arange(1., n + 1))
    weighted = ShipInterpretation.from_learner(learn)
    assert weighted.loss_name == "weighted binary cross-entropy" and torch.equal(weighted.probs, interp.probs)
    learn.loss_func = F.binary_cross_entropy_with_logits
    assert torch.equal(ShipInterpretation.from_learner(learn).probs, interp.probs)


def test_what_has_no_classes_is_refused_in_words(table):
    net = small(nn.Linear(8, 1))
    number = block_learn(table, (ImageBlock, RegressionBlock), ColReader("number"), net, MSELossFlat())
    with pytest.raises(ValueError, match="are no classes, but numbers, places or masks"):
        ShipInterpretation.from_learner(number)
    assert heatmap(number, table.path.tolist()[:2], target=lambda out: out[:, 0]).maps.shape[0] == 2
    def mask(row): return Image.new("L", (9, 9))
    masks = block_learn(table, (ImageBlock, MaskBlock(codes=["sea", "ship"])), mask, nn.Conv2d(3, 2, 1),
                        CrossEntropyLossFlat(axis=1))
    with pytest.raises(ValueError, match="are no classes"): ShipInterpretation.from_learner(masks)


def test_one_head_of_two(table):
    net = small(Fork(nn.Linear(8, table.label.nunique()), nn.Linear(8, 2)))
    def both(z, y, warm): return F.cross_entropy(z[0], y) + F.cross_entropy(z[1], warm)
    learn = block_learn(table, (ImageBlock, CategoryBlock, CategoryBlock),
                        [ColReader("label"), ColReader("warm")], net, both, n_inp=1)
    with pytest.raises(ValueError, match="have 2 kinds of labels, .* choose one with head=0 or head=1"):
        ShipInterpretation.from_learner(learn)
    with pytest.raises(ValueError, match="choose one with head=0 or head=1"):
        ShipInterpretation.from_learner(learn, head=2)
    x = learn.dls.valid.one_batch()[0]
    for head, classes in ((0, table.label.nunique()), (1, 2)):
        interp = ShipInterpretation.from_learner(learn, head=head)
        assert len(interp.vocab) == interp.probs.shape[1] == classes and interp.loss_name == "loss"
        torch.testing.assert_close(interp.losses, -interp.p_actual.log())
        out = net.eval()(x)[head].softmax(1).detach()
        torch.testing.assert_close(interp.probs[:len(x)], out.as_subclass(torch.Tensor))
        maps = interp.heatmaps([0, 1], "actual")[1]
        assert maps.targets.tolist() == interp.targs[:2].tolist()
        weight = net[-1].heads[head].weight[interp.targs[:2]].detach()        # pooling, then a product: CAM
        by_hand = (weight[:, :, None, None]*net[:2](x[:2].as_subclass(torch.Tensor))).sum(1).detach()
        torch.testing.assert_close(maps.maps, by_hand/by_hand[0].numel(), atol=1e-5, rtol=1e-3)
        assert interp.plot_top_losses(2, heatmap="both")


def test_an_embedding_beside_the_logits(table):
    n = table.label.nunique()
    net = small(Fork(nn.Identity(), nn.Linear(8, n)))
    def second(z, y): return F.cross_entropy(z[1], y)
    learn = block_learn(table, (ImageBlock, CategoryBlock), ColReader("label"), net, second)
    interp = ShipInterpretation.from_learner(learn)
    assert interp.probs.shape == (12, n) and interp.head == 1 and interp.plot_top_losses(1)
    assert torch.equal(ShipInterpretation.from_learner(learn, head=1).probs, interp.probs)


def test_one_logit_for_two_classes(table):
    net = small(nn.Linear(8, 1))
    learn = block_learn(table, (ImageBlock, CategoryBlock), ColReader("warm"), net, BCEWithLogitsLossFlat())
    interp = ShipInterpretation.from_learner(learn)
    assert interp.probs.shape == (12, 2) and interp.loss_name == "loss"
    torch.testing.assert_close(interp.losses, -interp.p_actual.log(), atol=1e-5, rtol=1e-4)
    no, yes = (interp.heatmaps([0, 1], c)[1] for c in (0, 1))
    torch.testing.assert_close(no.maps, -yes.maps, atol=1e-5, rtol=1e-4)
    x = interp._batch([0, 1])[0]
    plain = heatmap(net, x, lambda out: out[:, 0]).maps
    torch.testing.assert_close(yes.maps, plain, atol=1e-5, rtol=1e-4)


# Tables, files of Learners, test-time augmentation

def test_pictures_of_a_table_are_called_by_their_files(table):
    net = small(nn.Linear(8, table.label.nunique()))
    learn = block_learn(table, (ImageBlock, CategoryBlock), ColReader("label"), net, CrossEntropyLossFlat())
    interp = ShipInterpretation.from_learner(learn)
    rows = table.loc[learn.dls.valid_ds.items.index]
    names = [os.path.basename(p) for p in rows.path]
    assert interp.names(range(12)) == names and set(interp.table()["item"]) == set(names)
    labels = dict(zip(names, rows.label))
    assert [labels[n] for n in interp.names(range(12))] == interp._names(interp.targs)
    again = ShipInterpretation.from_learner(learn, dl=learn.dls.test_dl(rows, with_labels=True))
    assert again.names(range(12)) == names and torch.equal(again.targs, interp.targs)


def exported(learn, path):
    """A Learner as `export` and `load_learner` leave it: without pictures.

    With plum-dispatch 2.10, fastai 2.8 can export none that opens pictures ("cannot pickle '_thread.RLock'"):
    then without the way over the disk."""
    try: learn.export(path)
    except TypeError as e:
        if "RLock" not in str(e): raise
        return Learner(learn.dls.new_empty(), learn.model, loss_func=learn.loss_func)
    return load_learner(path)

def test_a_learner_from_a_file(table, tmp_path):
    files = table.assign(name=[os.path.relpath(p, os.path.dirname(table.path[0])) for p in table.path])
    root = os.path.dirname(table.path[0])
    paths, options = list(table.path), dict(item_tfms=Resize(64), bs=4, num_workers=0)
    loaders = [ImageDataLoaders.from_df(files, root, fn_col="name", label_col="label", **options),
               ImageDataLoaders.from_lists(root, paths, list(table.label), **options)]
    for i, dls in enumerate(loaders):
        learn = Learner(dls, small(nn.Linear(8, dls.c)), loss_func=CrossEntropyLossFlat())
        loaded = exported(learn, tmp_path/f"{i}.pkl")
        for pictures in (paths[:3], [Image.open(p) for p in paths[:3]]):
            here, there = heatmap(learn, pictures), heatmap(loaded, pictures)
            torch.testing.assert_close(here.maps, there.maps, atol=1e-4, rtol=1e-3)
            assert there.labels == here.labels
        with pytest.raises(ValueError, match="no pictures"): ShipInterpretation.from_learner(loaded)
        interp = ShipInterpretation.from_learner(loaded, df=table)
        assert interp.names([0, 5]) == [os.path.basename(paths[i]) for i in (0, 5)]
        assert interp.plot_top_losses(1)


def test_of_predictions_that_are_there(learn):
    with learn.no_bar(): probs, targs = learn.tta(n=2)
    interp = ShipInterpretation.from_preds(learn, probs, targs)
    right = -probs[range(len(targs)), targs].log()
    torch.testing.assert_close(interp.losses, right.as_subclass(torch.Tensor))
    assert interp.loss_name == "loss" and interp.plot_top_losses(1)
    assert interp.targs.tolist() == ShipInterpretation.from_learner(learn).targs.tolist()
    for p, words in ((3*probs, "no probabilities"), (probs[:5], "5 predictions")):
        with pytest.raises(ValueError, match=words): ShipInterpretation.from_preds(learn, p, targs)
