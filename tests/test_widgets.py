"""The widgets without a browser: every setting against torch, what is refused, what is not computed twice,
and what a page holds."""
import copy
import gc
import json
import re
import weakref
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import comm
import ipywidgets
import numpy as np
import pytest
import torch
import torchvision
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Learner,
    Normalize,
    Resize,
    ResizeMethod,
    imagenet_stats,
)
from ipywidgets.embed import dependency_state
from ipywidgets.widgets.widget import _instances
from PIL import Image
from torch import nn
from torch.nn import functional as F
from traitlets import TraitError

import shipviz.widgets
from shipviz.filters import KERNELS, makes_picture, signed_rgb
from shipviz.heatmaps import layers
from shipviz.kernels import PADDING_MODES
from shipviz.ships import render_ship
from shipviz.widgets import (
    MOST,
    TURNS,
    HeatmapExplorer,
    KernelExplorer,
    StrideExplorer,
    TopLossBrowser,
    centred,
    colour_limit,
    explorer_page,
    signed_png,
    stages,
)


@pytest.fixture(autouse=True)
def no_kernel(monkeypatch):
    "Messages are sent, though to nobody, whatever another test has imported: ipykernel would drop them."
    monkeypatch.setattr(comm, "create_comm", comm.DummyComm)


@pytest.fixture
def picture(): return torch.rand(3, 20, 27, generator=torch.manual_seed(0)).mul(255).round()/255

@pytest.fixture
def explorer(picture): return KernelExplorer(picture)

def pixels(png):
    if bytes(png[:5]) == b"data:": png = b64decode(bytes(png).partition(b",")[2])
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))

def expected(x, kernels, mode, stride, relu):
    p = kernels.shape[-1]//2
    x = x[None] if mode == "none" else F.pad(x[None], [p]*4, mode="constant" if mode == "zeros" else mode)
    y = F.conv2d(x, kernels[None], stride=stride)[0, 0]
    return y.relu() if relu else y


class Net(nn.Module):
    "A network that needs no training and keeps what it saw last. Two layers in its head: no CAM network."
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 8), nn.ReLU(),
                                  nn.Linear(8, 2))

    def forward(self, x):
        self.saw = x.detach()
        return self.head(self.body(x))

@pytest.fixture(scope="module")
def files(tmp_path_factory):
    "Twelve pictures of two classes, 60 rows and 90 columns; the last lies on its side, as its EXIF data say."
    folder, noise = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(12):
        image = Image.fromarray(noise.integers(0, 255, (6, 9, 3), dtype=np.uint8)).resize((90, 60))
        image.save(folder/f"{'ab'[i % 2]}{i:02}.png")
    exif = Image.Exif()
    exif[0x0112] = 6                                                  # to be seen upright, turn it clockwise
    image.rotate(90, expand=True).save(folder/"b11.png", exif=exif)
    return sorted(folder.iterdir())

def small_learner(files, method=ResizeMethod.Squish):
    block = DataBlock((ImageBlock, CategoryBlock), get_y=lambda path: path.name[0],
                      splitter=IndexSplitter(range(0, 12, 2)),
                      item_tfms=Resize(64, method), batch_tfms=Normalize.from_stats(*imagenet_stats))
    torch.manual_seed(0)
    return Learner(block.dataloaders(files, bs=4, num_workers=0), Net(), loss_func=nn.CrossEntropyLoss())

@pytest.fixture(scope="module")
def learner(files): return small_learner(files)

@pytest.fixture
def any_explorer(name, request):
    "Each of the four explorers by its name."
    if name == "kernel": return KernelExplorer(request.getfixturevalue("picture"))
    if name == "stride": return StrideExplorer()
    learner = request.getfixturevalue("learner")
    if name == "heat": return HeatmapExplorer(learner, request.getfixturevalue("files"), ("gradcam", "cam"))
    browser = TopLossBrowser(learner, per_page=2)
    browser.w_wrong.value = False
    return browser

def tree(widget):
    "A widget and everything in it."
    yield widget
    for child in getattr(widget, "children", ()): yield from tree(child)


@pytest.mark.parametrize("mode", [*PADDING_MODES, "none"])
@pytest.mark.parametrize("k", [3, 5])
def test_every_setting_is_torchs_conv2d(explorer, picture, mode, k):
    explorer.kernels, explorer.padding, explorer.colours = centred(KERNELS["top_edge"], k), mode, "signed"
    for stride in (1, 2, 3, 4):
        for shared in (True, False):
            explorer.stride, explorer.shared = stride, shared
            if not shared:
                kernels = explorer.kernels
                kernels[2, 0, 1] = -.7 - .05*stride
                explorer.kernels, explorer.channel = kernels, 2
            for relu in (True, False):
                explorer.relu = relu
                want = expected(picture, explorer.kernels, mode, stride, relu)
                torch.testing.assert_close(explorer.map, want, rtol=1e-4, atol=1e-5)
                colours = signed_rgb(want, colour_limit(explorer.kernels)).numpy()
                step = abs(np.asarray(explorer.shown()).astype(int) - colours).max()
                assert step <= 6  # two of 255 colours
                exec(explorer.code(), space := dict(x=picture[None]))
                torch.testing.assert_close(space["y"][0, 0], want, rtol=1e-4, atol=1e-4)
            h, w = want.shape
            for r, c in ((0, 0), (h - 1, w - 1), (h//2, 1)):
                explorer.row, explorer.column = r, c
                assert explorer.place() == (r, c)
                if not shared: continue
                shown = explorer.map[r, c].item()
                assert explorer.window()[2].sum().item() == pytest.approx(shown, abs=1e-4)
            explorer.load("top_edge")

@pytest.mark.parametrize("name", KERNELS)
def test_presets_and_turns(explorer, name):
    for k in (3, 5):
        explorer.kernels = torch.zeros(k, k)
        explorer.load(name)
        kernel = centred(KERNELS[name], k)
        torch.testing.assert_close(explorer.kernels, kernel.expand(3, k, k))
        for turn, do in TURNS.items():
            explorer.turn(turn)
            torch.testing.assert_close(explorer.kernels, do(kernel).expand(3, k, k))
            explorer.load(name)

def test_weights_that_sum_to_1_show_a_picture_by_themselves(explorer, picture):
    for name, kernel in KERNELS.items():
        explorer.load(name)
        grey = makes_picture(kernel)
        assert explorer.shows_picture() == grey == (abs(kernel.sum() - 1) < 1e-4)
        shown = np.asarray(explorer.shown()).astype(int)
        want = explorer.map.div(3).clamp(0, 1).mul(255).round()[..., None].expand(-1, -1, 3) if grey \
            else signed_rgb(explorer.map, colour_limit(explorer.kernels))
        assert abs(shown - want.int().numpy()).max() <= (1 if grey else 6)
    explorer.load("identity")
    np.testing.assert_allclose(np.asarray(explorer.shown())[..., 0], picture.mean(0)*255, atol=.6)
    kernels = explorer.kernels
    kernels[0, 1, 1] = 0                                               # of red; green and blue make 2
    explorer.kernels = kernels
    assert not explorer.shows_picture() and not explorer.shared
    kernels[1:, 1, 1] = .5                                             # all weights together: 1
    explorer.kernels = kernels
    for colours, grey in (("signed", False), ("as picture", True), ("automatic", True)):
        explorer.colours = colours
        assert explorer.shows_picture() == grey

@pytest.mark.parametrize("name", ["kernel", "stride", "heat", "losses"])
def test_a_still_picture_stands_beside_every_widget(any_explorer, name):
    "For where there is no Python: GitHub, nbviewer, a notebook that was opened and not run."
    data, _ = any_explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    if name in ("kernel", "heat"):
        shown = Image.open(BytesIO(b64decode(data["image/png"])))
        height = any_explorer.photo.height if name == "kernel" else pixels(any_explorer.w_out.value).shape[0]
        assert shown.height == height and shown.width > 2*height          # two pictures
        assert data["text/html"].startswith("<img alt=")
    else: assert ("shipviz-grids" if name == "stride" else "<figure") in data["text/html"]

def test_turns_are_of_the_chosen_channel_alone(explorer):
    explorer.shared, explorer.channel = False, 1
    before = explorer.kernels
    explorer.turn("negate")
    assert torch.equal(explorer.kernels, before*torch.tensor([1., -1, 1])[:, None, None])


@pytest.mark.parametrize("value", [MOST + .5, -11., float("nan"), float("inf")])
def test_a_weight_out_of_range_is_refused_in_words(explorer, value):
    kernels = explorer.kernels
    with pytest.raises(TraitError, match=f"from −{MOST} to {MOST} is wanted"):
        explorer.kernels = torch.full((3, 3), value)
    assert torch.equal(explorer.kernels, kernels)

def test_what_the_browser_says_is_what_code_reads(explorer):
    "State comes as the script sends it; whatever is not possible leaves everything as it was."
    weights = [[0.]*25, [.5]*25, [-1.25]*25]
    explorer.set_state(dict(weights=weights, shared=False, channel=2, row=3, column=4, stride=2, relu=True,
                            padding="reflect", colours="as picture", preset="blur"))
    assert explorer.kernels.shape == (3, 5, 5) and explorer.kernels[2].unique().tolist() == [-1.25]
    assert explorer.place() == (3, 4) and explorer.map.shape == (10, 14) and explorer.shows_picture()
    for wrong in (dict(weights=[[0.]*9]), dict(weights=[[1e9]*9]*3), dict(stride=0), dict(padding="x")):
        with pytest.raises(TraitError): explorer.set_state(wrong)
    assert explorer.kernels.shape == (3, 5, 5) and explorer.stride == 2

def test_a_picture_from_the_readers_disk_is_there_for_code(explorer):
    image = render_ship("Cruise", seed=3, size=64).image
    buffer = BytesIO()
    image.save(buffer, "PNG")
    explorer.set_state(dict(address=f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"))
    np.testing.assert_array_equal(np.asarray(explorer.photo), np.asarray(image))
    assert explorer.x.shape == (3, *image.size[::-1]) and explorer.map.shape == image.size[::-1]

def test_a_drag_in_the_browser_computes_nothing_here(explorer, monkeypatch):
    "No round trip: what comes from the browser is kept, and answered by nothing but an echo."
    def fail(*args, **kwargs): raise AssertionError("computed")
    monkeypatch.setattr(F, "conv2d", fail)
    sent = []
    monkeypatch.setattr(ipywidgets.Widget, "_send", lambda self, msg, buffers=None: sent.append(msg))
    for i in range(20): explorer.set_state(dict(weights=[[i/20]*9]*3))
    assert all(m.get("method") == "echo_update" for m in sent), sent

def test_scripts_and_styles_travel_with_the_widget(explorer):
    page = Path(shipviz.widgets.__file__).parent/"page"
    for name in ("kernel.js", "kernel_widget.js"): assert (page/name).read_text() in explorer._esm
    assert explorer._css == (page/"kernel.css").read_text()
    state = dependency_state(explorer)[explorer.model_id]
    assert state["model_module"] == "anywidget" and state["state"]["_esm"] == explorer._esm
    assert {"weights", "padding", "shared", "address"} <= set(state["state"])

@pytest.mark.parametrize("name", ["stride", "heat", "losses"])
def test_no_text_of_a_widget_runs(any_explorer, name):
    "A page whose policy forbids scripts in its text must have nothing to forbid."
    texts = [w.value for w in tree(any_explorer) if isinstance(w, ipywidgets.HTML)]
    assert len(texts) >= 2
    script = (Path(shipviz.widgets.__file__).parent/"widgets.js").read_text()
    for text in texts: assert not re.search(r"<script|\son\w+\s*=|javascript:", text)
    for code in (script, KernelExplorer._esm): assert not re.search(r"\beval\b|\bFunction\(|innerHTML", code)

def test_a_saved_page_carries_the_script():
    explorer = StrideExplorer()
    state = dependency_state(explorer)
    saved = state[explorer.script.model_id]
    assert saved["model_module"] == "anywidget" and saved["state"]["_esm"] == explorer.script._esm
    assert {w.model_id for w in tree(explorer)} <= set(state)


def test_signed_png_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(H,W\)"): signed_png(torch.zeros(1, 2, 2), 1)
    got, want = signed_png(torch.tensor([[-9., 9.]]), 1), signed_rgb(torch.tensor([[-1., 1.]]), 1)
    assert pixels(got).tolist() == want.tolist()

def test_stride_explorer_agrees_with_torch():
    e = StrideExplorer()
    for k, s, p, d in [(3, 1, 0, 1), (3, 2, 1, 1), (2, 3, 2, 1), (5, 1, 2, 2), (7, 5, 4, 1)]:
        settings = dict(kernel_size=1, dilation=d, stride=s, padding=p)
        for name, v in settings.items(): e.controls[name].value = v
        e.controls["kernel_size"].value = k
        x, weight = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, k, k)
        m = F.conv2d(x, weight, stride=s, padding=p, dilation=d).shape[-1]
        assert e.w_at.max == e.w_play.max == m*m - 1 and f"output {m}×{m}" in e.w_view.value
        for at in (0, m*m - 1):
            e.w_at.value = at
            counts = {name: e.w_view.value.count(f'class="{name}"') for name in ("read", "made", "done")}
            assert counts == dict(read=k*k, made=1, done=at)

def test_stride_explorer_has_buttons_with_names():
    e = StrideExplorer(n=4, padding=0, kernel_size=3)                      # four positions
    buttons = [w for w in tree(e) if isinstance(w, ipywidgets.Button)]
    assert all(re.search("[a-z]", b.description) for b in buttons) and len(buttons) == 4
    assert e.w_play.layout.display == "none"
    reached = []
    for name in ("back", "on", "on", "on", "on", "back", "first"):
        e.w_steps[name].click()
        reached.append(e.w_at.value)
    assert reached == [0, 1, 2, 3, 3, 2, 0]
    e.w_steps["walk"].click()
    assert e.w_play.playing and e.w_steps["walk"].description == "■ stop"
    e.w_at.value = 3                                                       # as the clock in the browser does
    e.w_play.playing = False
    assert e.w_steps["walk"].description == "▶ walk"
    e.w_steps["walk"].click()                                              # from the end: from the beginning
    assert e.w_at.value == 0 and e.w_play.playing
    e.w_steps["on"].click()
    assert not e.w_play.playing

def test_stride_explorer_stays_usable_after_a_refusal():
    e = StrideExplorer(n=2, padding=0, kernel_size=2)
    e.controls["kernel_size"].value = 7
    assert "only 2" in e.w_view.value and 'role="alert"' in e.w_view.value
    e.controls["kernel_size"].value = 1
    assert "output 2×2" in e.w_view.value


def test_the_page_is_whole(tmp_path, picture):
    text = explorer_page(tmp_path/"kernel.html", picture).read_text(encoding="utf-8")
    config = json.loads(re.search(r'id="config">(.*?)</script>', text, re.S)[1])
    assert {n: torch.tensor(k) for n, k in config["kernels"].items()}.keys() == KERNELS.keys()
    assert all(torch.equal(torch.tensor(k), KERNELS[n]) for n, k in config["kernels"].items())
    assert config["paddings"] == [*PADDING_MODES, "none"] and len(config["colours"]) == 511
    assert not re.search(r"https?://|<link|@import|\bsrc=|fetch\(|XMLHttp|WebSocket", text)
    with pytest.raises(FileExistsError, match="force"): explorer_page(tmp_path/"kernel.html", picture)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        explorer_page(tmp_path/"no"/"kernel.html", picture)
    with pytest.raises(ValueError, match="too small"): explorer_page(tmp_path/"b.html", torch.zeros(3, 4, 4))
    assert [p.name for p in tmp_path.iterdir()] == ["kernel.html"]


def settings(control):
    "Values to set a control to, one after the other."
    if isinstance(control, ipywidgets.Button): return []
    if hasattr(control, "options"): return [value for _, value in control._options_full]
    if isinstance(control, ipywidgets.Checkbox): return [True, False]
    if isinstance(control, (ipywidgets.IntSlider, ipywidgets.FloatSlider)): return [control.min, control.max]
    return [0., 1.] if isinstance(control, ipywidgets.FloatText) else []

def use(explorer, control, turn):
    "Click a button; set any other control to another value."
    if isinstance(control, ipywidgets.Button): return control.click()
    if values := settings(control): control.value = values[turn % len(values)]

@pytest.mark.parametrize("name", ["stride", "heat", "losses"])
def test_no_control_leaves_widgets_behind(any_explorer, name):
    "ipywidgets keeps every widget until it is closed, so each that is made for a change would stay for ever."
    for turn in range(4):                                             # whatever is made once is made now
        for control in list(tree(any_explorer)): use(any_explorer, control, turn)
    count, used = len(_instances), 0
    for control in tree(any_explorer):
        used += bool(settings(control)) or isinstance(control, ipywidgets.Button)
        for turn in range(200):
            use(any_explorer, control, turn)
            assert len(_instances) == count, control
    assert used >= 5

@pytest.mark.parametrize("name", ["kernel", "stride", "heat", "losses"])
def test_a_closed_explorer_leaves_nothing_behind(name, request):
    for fixture in ("picture", "learner", "files"): request.getfixturevalue(fixture)
    before = set(_instances)
    explorer = request.getfixturevalue("any_explorer")
    explorer.close()
    assert set(_instances) == before

def test_the_learner_sees_a_photo_as_the_page_shows_it(learner, files):
    "Upright, however it is given: a path, an opened file, its pixels."
    with Image.open(files[-1]) as stored: assert stored.size == (60, 90)
    upright = Image.fromarray(np.rot90(np.asarray(Image.open(files[-1])), -1))
    want = HeatmapExplorer(learner, [upright])
    saw, shown = learner.model.saw, pixels(want.w_out.value)
    assert shown.shape == (60, 90, 3)
    for given in (files[-1], str(files[-1]), Image.open(files[-1])):
        found = HeatmapExplorer(learner, [given])
        assert torch.equal(learner.model.saw, saw)
        assert torch.equal(found.heat.maps, want.heat.maps)
        np.testing.assert_array_equal(pixels(found.w_out.value), shown)

def test_heat_lies_where_the_learner_saw_the_picture(files):
    "A Learner that cuts off the sides of a picture of 90 columns sees those from 15 to 75."
    cropping = small_learner(files, ResizeMethod.Crop)
    e = HeatmapExplorer(cropping, files[:1])
    e.heat.maps = torch.ones_like(e.heat.maps)*torch.arange(1., 1 + e.heat.maps.shape[-1])
    e.w_alpha.value = 1
    plain, heated = np.asarray(Image.open(files[0])), pixels(e.w_out.value)
    same = (plain == heated).all((0, 2))
    assert same[:15].all() and same[75:].all() and not same[15:75].any()

# transformers as deep as those that people use, and narrower
NARROW = dict(vit=lambda: torchvision.models.VisionTransformer(64, 16, 12, 3, 48, 96),
              swin=lambda: torchvision.models.SwinTransformer([4, 4], 24, [2, 2, 6, 2], [1, 2, 4, 8], [7, 7]))

@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "densenet121", "vgg11", *NARROW])
def test_at_most_eight_named_stages_are_offered(name):
    net = NARROW[name]() if name in NARROW else getattr(torchvision.models, name)(weights=None)
    found = layers(net.eval(), torch.rand(1, 3, 64, 64))
    offered = stages(found)
    assert 4 <= len(offered) <= 8 and [o for o in found if o in offered] == offered
    assert next(o for o in found if o.default) in offered
    sizes = {o.shape[1:] for o in offered}
    assert len(offered) == len({o.name for o in offered}) and (len(sizes) >= 3 or name == "vit")

def test_the_plain_picture_a_scale_and_which_methods_are_one_map(learner, files):
    e = HeatmapExplorer(learner, files[:2], ("gradcam", "hirescam", "layercam"))
    np.testing.assert_array_equal(pixels(e.w_in.value), np.asarray(Image.open(files[0]).convert("RGB")))
    assert (pixels(e.w_in.value) != pixels(e.w_out.value)).any() and e.w_scale.layout.display is None
    assert "no heat" in e.w_scale.value and e.w_scale.value.count("rgb(") == 11
    assert e.w_same.value == ""
    kept = next(iter(e._kept.values()))
    for method, same in (("hirescam", True), ("layercam", False)):
        twin = copy.copy(kept)
        twin.maps = kept.maps*3 if same else torch.rand_like(torch.as_tensor(kept.maps))
        e._kept[(0, -1, e.w_layer.value, method)] = twin
        e.w_method.value = method
        assert ("gives the same map as gradcam." in e.w_same.value) == same
    e.w_image.value = 1                                       # another picture: nothing to compare
    assert e.w_same.value == ""
    np.testing.assert_array_equal(pixels(e.w_in.value), np.asarray(Image.open(files[1]).convert("RGB")))

def test_a_method_that_is_not_possible_is_refused_in_words(learner, files):
    e = HeatmapExplorer(learner, files, ("cam", "gradcam"))           # also the very first
    assert 'role="alert"' in e.w_message.value and "CAM" in e.w_message.value
    assert e.heat is None and e.w_text.value == ""
    # no heat, not that of another
    np.testing.assert_array_equal(pixels(e.w_out.value), np.asarray(Image.open(files[0])))
    e.w_alpha.value = .9
    e.w_method.value = "gradcam"
    assert e.w_message.value == "" and e.heat.method == "gradcam" and "Heat of" in e.w_text.value

@pytest.mark.parametrize("error", [
    RuntimeError("out of memory"), KeyError("x"), TypeError("no"), ValueError("A sentence.")])
def test_whatever_a_method_raises_is_said_in_the_widget(learner, files, monkeypatch, error):
    def fail(*args, **kwargs): raise error
    e = HeatmapExplorer(learner, files)
    browser = TopLossBrowser(learner, per_page=2)
    browser.w_wrong.value = False
    monkeypatch.setattr(shipviz.widgets, "heatmap", fail)
    monkeypatch.setattr(type(browser.interp), "heatmaps", fail)
    e.w_image.value = 3
    browser.w_next.click()
    for said in (e.w_message.value, browser.w_message.value):
        assert 'role="alert"' in said and str(error).strip("'") in said
    # the losses are still told
    assert browser.w_view.value.count("<figure>") == 2 and "<img" not in browser.w_view.value
    monkeypatch.undo()
    e.w_method.value, e.w_method.value = "hirescam", "gradcam"
    browser.w_prev.click()
    browser.w_next.click()
    assert e.w_message.value == browser.w_message.value == "" and browser.w_view.value.count("<img") == 4

def test_top_losses_of_a_method_that_is_not_possible(learner):
    browser = TopLossBrowser(learner, method="cam")
    assert "CAM" in browser.w_message.value and 'role="alert"' in browser.w_message.value

def test_a_broken_photo_is_named_and_the_others_stay(learner, files, tmp_path):
    (broken := tmp_path/"broken.jpg").write_bytes(files[0].read_bytes()[:300])
    e = HeatmapExplorer(learner, [files[0], broken])
    e.w_image.value = 1
    assert "broken.jpg" in e.w_message.value and e.heat is None and e.w_out.layout.display == "none"
    e.w_alpha.value = .8
    e.w_image.value = 0
    assert e.w_message.value == "" and e.heat is not None and e.w_out.layout.display is None

def test_one_photo_at_a_time_is_decoded(learner, files, monkeypatch):
    decoded, open_picture = [], shipviz.widgets.open_picture
    def watched(image):
        if any(photo() for photo in decoded): gc.collect()            # slow
        assert not any(photo() for photo in decoded), "another photo is still in memory"
        photo = open_picture(image)
        decoded.append(weakref.ref(photo))
        return photo
    monkeypatch.setattr(shipviz.widgets, "open_picture", watched)
    given = [Image.open(path) for path in files]
    e = HeatmapExplorer(learner, given)
    for i in (*range(12), 5, 0): e.w_image.value = i
    e.w_method.value, e.w_alpha.value = "layercam", .3
    assert len(decoded) == 14                                         # as often as the picture changed
    assert all(image.tile for image in given), "a picture was read inside the object that was given"
