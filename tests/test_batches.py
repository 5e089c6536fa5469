"Many pictures for `heatmap`: paths, DataLoaders, batches; in their order, the next ones opened ahead."
import threading
from pathlib import Path

import pandas as pd
import pytest
import torch
from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    DataBlock,
    ImageBlock,
    RandomResizedCrop,
    Resize,
    TransformBlock,
)
from PIL import Image

from shipviz import batches
from shipviz.heatmaps import heatmap, predict_with_heatmaps


@pytest.fixture(scope="module")
def files(learn): return [str(p) for p in [*learn.dls.train_ds.items, *learn.dls.valid_ds.items]]

@pytest.fixture(scope="module")
def wanted(learn, files): return heatmap(learn, files)

def waiting(): return [t.name for t in threading.enumerate() if t.name.startswith("shipviz-ahead")]


def test_small_batches_give_the_same_in_the_same_order(learn, files, wanted):
    found = heatmap(learn, files, bs=7)
    torch.testing.assert_close(found.maps, wanted.maps, atol=1e-4, rtol=1e-3)
    assert found.pictures == files and found.labels == wanted.labels and not waiting()
    targets = [i % 5 for i in range(len(files))]
    assert heatmap(learn, files, targets, bs=7).targets.tolist() == targets


def test_a_bad_picture_is_named_when_its_turn_comes(learn, files, tmp_path, monkeypatch):
    bad = tmp_path/"bad.jpg"
    bad.write_bytes(b"no picture")
    computed, one_pass = [], batches.Batches.__iter__
    def watched(self):
        for rows, part in one_pass(self): computed.append(rows.stop); yield rows, part
    monkeypatch.setattr(batches.Batches, "__iter__", watched)
    with pytest.raises(ValueError, match="bad.jpg"): heatmap(learn, [*files[:9], bad, *files[9:]], bs=4)
    assert computed == [4, 8] and not waiting()


def test_transforms_that_remember_a_picture_are_used_by_one_thread(learn, files):
    crop = DataBlock((ImageBlock, CategoryBlock), get_y=lambda p: "a b"[::2][int(Path(p).stem[-1]) % 2],
                     item_tfms=RandomResizedCrop(32), batch_tfms=[])
    assert batches.opening_threads(learn, 3) == 3 and batches.opening_threads(learn.model, 3) == 3
    class Cropping: dls = crop.dataloaders(files, bs=4)
    assert batches.opening_threads(Cropping, 3) == 1


def test_an_error_while_computing_leaves_no_thread(learn, files):
    def fails(out): raise RuntimeError("no score")
    with pytest.raises(RuntimeError, match="no score"): heatmap(learn, files, fails, bs=4)
    assert not waiting()


def test_batches_of_a_test_loader(learn, files, wanted):
    loader = learn.dls.test_dl([Path(f) for f in files], bs=8)
    found = heatmap(learn, loader)
    torch.testing.assert_close(found.maps, wanted.maps, atol=1e-4, rtol=1e-3)
    assert [str(p) for p in found.pictures] == files and found.seen is not None
    logits = torch.cat([z for z, _, _ in predict_with_heatmaps(learn, loader)])
    torch.testing.assert_close(logits, wanted.logits, atol=1e-4, rtol=1e-3)
    x, = loader.one_batch()
    for given in (x, (x,)): assert len(heatmap(learn, given)) == 8
    with pytest.raises(ValueError, match="3 targets for 30 pictures"): heatmap(learn, loader, [1, 2, 3])


def test_labelled_batches_and_those_of_a_training(learn):
    x, y = learn.dls.valid.one_batch()
    torch.testing.assert_close(heatmap(learn, (x, y)).maps, heatmap(learn, x).maps, atol=1e-4, rtol=1e-3)
    augmented = heatmap(learn, learn.dls.train)
    assert len(augmented) == len(learn.dls.train)*learn.dls.train.bs and augmented.pictures is None


def test_rows_of_a_table(learn, files):
    df = pd.DataFrame(dict(path=files[:12], label=["a", "b"]*6))
    block = DataBlock((ImageBlock, CategoryBlock), get_x=ColReader("path"), get_y=ColReader("label"),
                      item_tfms=Resize(64))
    learn.rows, ours = block.dataloaders(df, bs=4, num_workers=0), learn.dls
    try:
        learn.dls = learn.rows
        found = heatmap(learn, learn.dls.test_dl(df))
        assert [str(p) for p in found.pictures] == files[:12]
        wanted = heatmap(learn, files[:12])
        for h in (found, heatmap(learn, df.path)):
            torch.testing.assert_close(h.maps, wanted.maps, atol=1e-4, rtol=1e-3)
        with pytest.raises(TypeError, match="A table is no picture: give its column"): heatmap(learn, df)
    finally:
        learn.dls = ours
        del learn.rows


def test_an_opener_of_ones_own_for_rows_of_a_table(learn, files):
    df = pd.DataFrame(dict(path=files[:8], label=["a", "b"]*4))
    def opened(path): return Image.open(path).convert("L").convert("RGB")
    pictures = TransformBlock(type_tfms=[opened, lambda im: torch.tensor(list(im.resize((48, 48)).tobytes()))
                                         .float().reshape(48, 48, 3).permute(2, 0, 1)/255])
    block = DataBlock((pictures, CategoryBlock), get_x=ColReader("path"), get_y=ColReader("label"))
    ours = learn.dls
    try:
        learn.dls = block.dataloaders(df, bs=4, num_workers=0)
        by_rows, by_files = heatmap(learn, learn.dls.test_dl(df)), heatmap(learn, files[:8])
        torch.testing.assert_close(by_rows.maps, by_files.maps, atol=1e-4, rtol=1e-3)
    finally: learn.dls = ours
