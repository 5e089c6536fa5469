"""Long use: does anything grow? long.py [HOW MUCH, 1 for the whole] [PART]...

1,000 heatmaps, 1,000 moves of a slider, 200 changes of every widget's controls, 20 trainings, each part in a
process of its own; memory, open files, threads, hooks and widgets are counted after the first tenth and at
the end."""
import shipviz  # first: it repairs torchvision

# isort: split
import contextlib
import gc
import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch
from ipywidgets.widgets.widget import _instances
from PIL import Image
from torchvision.models import resnet18

from shipviz.data import get_dls
from shipviz.datasets import make_ships
from shipviz.heatmaps import heatmap
from shipviz.learners import load_model
from shipviz.models import train_on
from shipviz.widgets import HeatmapExplorer, KernelExplorer, StrideExplorer, TopLossBrowser


def megabytes():
    "Memory of this process; where that is not known, 0."
    try: pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError: return 0.
    return pages*os.sysconf("SC_PAGE_SIZE")/1e6

def files():
    "Open files of this process; where that is not known, 0."
    with contextlib.suppress(OSError): return len(os.listdir("/proc/self/fd"))
    return 0

def hooks(model):
    "How many hooks a network has."
    kinds = "_forward_hooks", "_forward_pre_hooks", "_backward_hooks"
    return sum(len(getattr(m, kind)) for m in model.modules() for kind in kinds)

def counts(model=None):
    gc.collect()
    return dict(files=files(), threads=threading.active_count(), hooks=hooks(model) if model else 0,
                widgets=len(_instances))

def flat(name, work, times, model=None, room=60):
    """Do `work(i)` so often. Raises AssertionError if anything grew after the first tenth: memory by more
    than `room` MB, the others at all."""
    warm = max(3, times//10)
    for i in range(warm): work(i)
    before, memory = counts(model), megabytes()
    for i in range(warm, times): work(i)
    after, grown = counts(model), megabytes() - memory
    print(f"{name}: {times} times, {grown:+.0f} MB, {after}", flush=True)
    assert after == before, f"{name}: {before} became {after}"
    assert grown < room, f"{name}: {grown:.0f} MB more after {times} times"


def heatmaps(times):
    torch.manual_seed(0)
    net, x = resnet18(weights=None).eval(), torch.rand(2, 3, 64, 64)
    methods = ["gradcam", "layercam", "eigencam", "saliency", "hirescam", "gradcampp"]
    flat("heatmaps", lambda i: heatmap(net, x, method=methods[i % len(methods)]), times, net)

def settings(widget):
    "{control: values to choose from} of a widget's sliders, menus and boxes."
    found, todo = {}, [widget]
    while todo:
        w = todo.pop()
        todo += getattr(w, "children", ())
        kind = type(w).__name__
        if getattr(w, "options", None): found[w] = [o[1] if isinstance(o, tuple) else o for o in w.options]
        elif kind == "Checkbox": found[w] = [True, False]
        elif "Slider" in kind and hasattr(w, "min"): found[w] = [w.min, w.max, (w.min + w.max)/2]
    return found

def change(widget, rng):
    control, values = rng.choice(list(settings(widget).items()))
    value = rng.choice(values)
    control.value = int(value) if type(control).__name__ == "IntSlider" else value

def sliders(times):
    explorer = KernelExplorer(Image.radial_gradient("L").convert("RGB"))
    cells = [w for w in settings(explorer) if type(w).__name__ == "IntSlider" and w.min == -200]
    flat("slider moves", lambda i: setattr(cells[i % len(cells)], "value", (7*i) % 200), times)
    explorer.close()

def widgets(times, learn, photos):
    from shipviz.interpretation import ShipInterpretation
    interp = ShipInterpretation.from_learner(learn, progress=False)
    for make in (lambda: KernelExplorer(Image.radial_gradient("L").convert("RGB")), StrideExplorer,
                 lambda: HeatmapExplorer(learn, photos), lambda: TopLossBrowser(interp)):
        widget, rng = make(), random.Random(0)
        for control in settings(widget): control.value = control.value
        for _ in range(60): change(widget, rng)  # what it makes once, such as a larger grid, is there then
        flat(type(widget).__name__, lambda i, w=widget, r=rng: change(w, r), times)
        widget.close()

def trainings(times, folder):
    def train(i): train_on(folder, size=48, epochs=1, seed=i, progress=False, out=folder.parent/"m",
                           force=True)
    flat("trainings", train, times)

def touched(times, folder):
    "Every widget, the last two of a network that has been trained and loaded."
    train_on(folder, size=48, epochs=1, progress=False, out=folder.parent/"w")
    learn = load_model(folder.parent/"w")
    learn.dls = get_dls(folder, size=48, bs=8)
    widgets(times, learn, sorted((folder/"train/images").iterdir())[:3])

PARTS = {"trainings": lambda share, folder: trainings(max(5, round(20*share)), folder),
         "heatmaps": lambda share, folder: heatmaps(round(1000*share)),
         "sliders": lambda share, folder: sliders(round(1000*share)),
         "widgets": lambda share, folder: touched(round(200*share), folder)}

def run(share, names):
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="shipviz-long-") as place:
        os.environ["SHIPVIZ_HOME"] = str(Path(place)/"home")
        folder = make_ships(Path(place)/"ships", n=25, n_test=0, size=48, difficulty="easy", progress=False)
        for name in names: PARTS[name](share, folder)


if __name__ == "__main__":
    share, names = float((sys.argv[1:] or ["1"])[0]), sys.argv[2:]
    if names: run(share, names)
    command = [sys.executable, __file__, str(share)]
    for name in () if names else PARTS: subprocess.run([*command, name], check=True)
