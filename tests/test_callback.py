"HeatmapCallback: the training is the same with it and without, and what is kept is true and bounded."
import pickle
import random
import sys
import types

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import lr_find  # noqa: F401 (importing it gives Learners that method)
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from PIL import Image
from torch import nn

from shipviz.callback import HeatmapCallback
from shipviz.data import get_dls
from shipviz.datasets import load_ships
from shipviz.heatmaps import heatmap


@pytest.fixture
def new(folder):
    "A function that makes the same small Learner, with dropout, each time."
    def new(cbs=None, augment=False):
        for seed in (random.seed, np.random.seed, torch.manual_seed): seed(0)
        df = load_ships(folder)
        few = pd.concat([df[df.split == "train"].head(12), df[df.split == "valid"].head(4)])
        dls = get_dls(few, size=48, bs=6, augment=augment)
        body = [nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, 2)]
        head = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(.3), nn.Linear(8, 5)
        net = nn.Sequential(*body, *head)
        learn = Learner(dls, net, loss_func=CrossEntropyLossFlat(), cbs=cbs)
        for cb in [*learn.cbs]:
            if type(cb).__name__ == "ProgressCallback": learn.remove_cb(cb)
        learn.logger = lambda *a: None
        return learn
    return new


def everything(learn):
    "All that a training leaves behind."
    modules, parameters = list(learn.model.modules()), list(learn.model.parameters())
    return dict(weights=[t.clone() for t in learn.model.state_dict().values()],
                modes=[m.training for m in modules],
                grads=[p.grad.clone() for p in parameters if p.grad is not None],
                hooks=[len(d) for m in modules for d in (m._forward_hooks, m._forward_pre_hooks,
                                                         m._backward_hooks)],
                needs=[p.requires_grad for p in parameters],
                random=[random.random(), np.random.rand(), torch.rand(1).item()],
                losses=[float(l) for l in learn.recorder.losses],
                values=[[float(v) for v in row[:2]] for row in learn.recorder.values])

def same(a, b):
    if isinstance(a, torch.Tensor): return torch.equal(a, b)
    return len(a) == len(b) and all(map(same, a, b)) if isinstance(a, list) else a == b


@pytest.mark.parametrize("options", [
    {}, {"method": "smoothgrad"}, {"pictures": [Image.new("RGB", (60, 50), "red")], "target": "Cargo"}])
def test_the_training_is_the_same(new, options):
    def trained(cbs):
        learn = new(augment=True)
        learn.fit(3, 1e-2, cbs=cbs)
        return everything(learn)
    cb = HeatmapCallback(**options)
    a, b = trained(None), trained(cb)
    assert cb.epochs == [0, 1, 2, 3] and not torch.equal(cb.frames[0].heat.maps, cb.frames[3].heat.maps)
    assert a.keys() == b.keys()
    for k in a: assert same(a[k], b[k]), k


def test_the_frames_are_those_of_the_network_after_each_epoch(new):
    weights = []
    class Copy(Callback):
        def after_epoch(self): weights.append({k: v.clone() for k, v in self.model.state_dict().items()})
    learn, cb = new(), HeatmapCallback(3, every=2)
    learn.fit(5, 1e-2, cbs=[Copy(), cb])
    assert cb.epochs == [0, 2, 4, 5]                    # the last, too
    x, labels = cb.batch
    for frame in cb.frames[1:]:
        learn.model.load_state_dict(weights[frame.epoch - 1])
        now = heatmap(learn, x, labels, plan=False)
        assert torch.equal(now.maps, frame.heat.maps) and frame.heat.targets.tolist() == labels
        torch.testing.assert_close(torch.tensor(frame.numbers), now.logits.softmax(1)[range(3), labels])


def test_two_trainings_are_one_story(new):
    learn, cb = new(), HeatmapCallback(2)
    learn.fit(1, 1e-2, cbs=cb)
    learn.fit(2, 1e-2, cbs=cb)
    assert cb.epochs == [0, 1, 2, 3]


def test_memory_is_bounded(new):
    learn, cb = new(), HeatmapCallback(1, most=2)
    learn.fit(5, 1e-3, cbs=cb)
    assert cb.epochs == [0, 5] and cb.step == 8         # 0 1 2, then 0 2 4, then 0 4 5: each time halved
    assert sum(f.heat.maps.nelement() for f in cb.frames) == 2*11*11


def test_what_is_no_training_is_not_kept(new):
    cb = HeatmapCallback(1)
    learn = new(cbs=cb)
    learn.validate()
    learn.get_preds()
    learn.lr_find(num_it=12, show_plot=False)
    assert cb.epochs == []
    learn.fit(1, 1e-2)
    learn.validate()
    assert cb.epochs == [0, 1]


def test_what_goes_wrong_at_first_stops_the_training_and_later_the_maps(new):
    learn = new()
    before = [p.clone() for p in learn.model.parameters()]
    with pytest.raises(ValueError, match="No method 'grad-cam'"):
        learn.fit(1, 1e-2, cbs=HeatmapCallback(method="grad-cam"))
    assert same(before, list(learn.model.parameters()))
    def log(epoch, image, words):
        if epoch: raise OSError("the disk is full")
    cb = HeatmapCallback(1, log=log)
    with pytest.warns(UserWarning, match="which goes on: .*the disk is full"): learn.fit(2, 1e-2, cbs=cb)
    assert len(learn.recorder.values) == 2
    for wrong in ({"pictures": 0}, {"every": 0}, {"most": 1}):
        with pytest.raises(ValueError): HeatmapCallback(**wrong)


def test_a_training_that_is_stopped(new):
    class Stop(Callback):
        def after_epoch(self):
            if self.epoch == 1: raise CancelFitException()
    Stop.order = 70
    learn, cb = new(), HeatmapCallback(1)
    learn.fit(5, 1e-2, cbs=[cb, Stop()])
    assert cb.epochs == [0, 1, 2] and "epochs 0, 1, 2" in cb.words()


def test_a_number_in_place_of_a_class(new):
    learn, cb = new(), HeatmapCallback(2, target=lambda out: out[:, 0] - out[:, 1])
    learn.fit(1, 1e-2, cbs=cb)
    out = learn.model.eval()(cb.batch[0]).detach()
    found = torch.tensor(cb.frames[-1].numbers)
    torch.testing.assert_close(found, out[:, 0] - out[:, 1], atol=1e-5, rtol=1e-4)
    assert "None" not in cb.words() and cb.figure(2)


def test_pictures_and_words(new, tmp_path):
    learn, cb = new(), HeatmapCallback(2)
    learn.fit(2, 1e-2, cbs=cb)
    fig = cb.figure(ncols=2)
    titles = [ax.get_title() for ax in fig.axes]
    assert len(titles) == 4 and "epoch 0" in titles[0] and "epoch 2" in titles[1]
    path = cb.gif(tmp_path/"heat.gif", ms=50)
    with Image.open(path) as gif:
        assert gif.n_frames == 3 and gif.info["comment"].decode() == cb.words()
    with pytest.raises(FileExistsError): cb.gif(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["heat.gif"]


def test_what_is_written_with_a_learner_is_small(new):
    "A Learner's file holds its callbacks: the frames, but not the pictures' tensors."
    cb = HeatmapCallback(2)
    learn = new(cbs=cb)
    learn.fit(1, 1e-2)
    learn.remove_cb(cb)
    kept = pickle.loads(pickle.dumps(cb))
    assert kept.epochs == [0, 1] and kept.batch is None and kept.words() == cb.words()


# Logs

class Writer:
    def __init__(self): self.images, self.texts = [], []
    def add_image(self, tag, image, step, dataformats):
        self.images.append((tag, image.shape, step, dataformats))
    def add_text(self, tag, text, step): self.texts.append((text, step))

def test_fastais_tensorboard_callback_gets_the_strips(new):
    class TensorBoardBaseCallback(Callback):            # as fastai's, which imports tensorboard
        order = 51
        def before_fit(self): self.writer = Writer()
    tb, cb = TensorBoardBaseCallback(), HeatmapCallback(2)
    learn = new()
    learn.fit(2, 1e-2, cbs=[tb, cb])
    steps = len(learn.dls.train)
    assert [i[2] for i in tb.writer.images] == [0, steps, 2*steps]
    tag, shape, _, formats = tb.writer.images[0]
    assert tag == "heatmaps" and shape[2] == 3 and formats == "HWC"
    assert tb.writer.texts[-1][0] == cb.words(cb.frames[-1:])

def test_fastais_wandb_callback_gets_the_strips(new, monkeypatch):
    logged = []
    wandb = types.ModuleType("wandb")
    wandb.Image = lambda image, caption: (image.size, caption)
    wandb.log = lambda values, step: logged.append((values["heatmaps"], step))
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    class WandbCallback(Callback):
        order = 51
        def before_fit(self): self._wandb_step = -1
        def after_batch(self): self._wandb_step += self.training
    learn, cb = new(), HeatmapCallback(2)
    learn.fit(2, 1e-2, cbs=[WandbCallback(), cb])
    assert [step for _, step in logged] == [0, len(learn.dls.train) - 1, 2*len(learn.dls.train) - 1]
    assert logged[-1][0][1] == cb.words(cb.frames[-1:])

def test_tensorboard_itself(new, tmp_path):
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator",
                                 reason="pip install shipviz[tensorboard]")
    new().fit(1, 1e-2, cbs=HeatmapCallback(2, log=tmp_path/"runs"))
    events = module.EventAccumulator(str(tmp_path/"runs"))
    events.Reload()
    assert [e.step for e in events.Images("heatmaps")] == [0, 1]

def test_without_tensorboard_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install shipviz\[tensorboard\]"):
        HeatmapCallback(log=tmp_path)
