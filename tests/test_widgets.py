"""The widgets without a browser: every setting against torch, what is refused, what is not computed twice,
and what a page holds."""
import gc
import json
import re
import weakref
from base64 import b64decode
from datetime import datetime
from io import BytesIO
from pathlib import Path

import comm
import ipywidgets
import numpy as np
import pytest
import torch
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

import shipviz.widgets
from shipviz.filters import KERNELS, makes_picture, signed_rgb
from shipviz.kernels import PADDING_MODES
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

def number(e, i): return e.w_grid.children[i].children[0]
def slider(e, i): return e.w_grid.children[i].children[1]

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
    explorer.w_size.value, explorer.w_padding.value, explorer.w_colours.value = k, mode, "signed"
    for stride in explorer.w_stride.options:
        for shared in (True, False):
            explorer.w_stride.value, explorer.w_shared.value = stride, shared
            if not shared:
                explorer.w_channel.value = 2
                slider(explorer, 1).value = v = -70 - 5*stride
                assert (explorer.kernels[:, 0, 1] == torch.tensor(v/100)).tolist() == [False, False, True]
            for relu in (True, False):
                explorer.w_relu.value = relu
                want = expected(picture, explorer.kernels, mode, stride, relu)
                torch.testing.assert_close(explorer.map, want, rtol=1e-4, atol=1e-5)
                colours = signed_rgb(want, colour_limit(explorer.kernels)).numpy()
                step = abs(pixels(explorer.w_out.value).astype(int) - colours).max()
                assert step <= 6  # two of 255 colours
                exec(explorer.code(), space := dict(x=picture[None]))
                torch.testing.assert_close(space["y"][0, 0], want, rtol=1e-4, atol=1e-4)
            h, w = want.shape
            assert (explorer.w_row.max, explorer.w_col.max) == (h - 1, w - 1)
            for r, c in ((0, 0), (h - 1, w - 1), (h//2, 1)):
                explorer.w_row.value, explorer.w_col.value = r, c
                if not shared: continue
                shown = explorer.map[r, c].item()
                assert explorer.window()[2].sum().item() == pytest.approx(shown, abs=1e-4)

@pytest.mark.parametrize("name", KERNELS)
def test_presets_and_turns(explorer, name):
    for k in (3, 5):
        explorer.w_size.value, explorer.w_preset.value = k, name
        kernel = centred(KERNELS[name], k)
        assert torch.equal(explorer.kernels, kernel.expand(3, k, k))
        for turn, do in TURNS.items():
            explorer.w_turns[turn].click()
            torch.testing.assert_close(explorer.kernels, do(kernel).expand(3, k, k))
            explorer.w_turns["reset"].click()
            assert torch.equal(explorer.kernels, kernel.expand(3, k, k))
        shown = [number(explorer, i).value for i in range(k*k)]
        assert shown == pytest.approx(kernel.flatten().tolist(), abs=1e-4)

def test_weights_that_sum_to_1_show_a_picture_by_themselves(explorer, picture):
    for name, kernel in KERNELS.items():
        explorer.w_preset.value = name
        grey = makes_picture(kernel)
        assert explorer.shows_picture() == grey == (abs(kernel.sum() - 1) < 1e-4)
        shown = pixels(explorer.w_out.value).astype(int)
        want = explorer.map.div(3).clamp(0, 1).mul(255).round()[..., None].expand(-1, -1, 3) if grey \
            else signed_rgb(explorer.map, colour_limit(explorer.kernels))
        assert abs(shown - want.int().numpy()).max() <= (1 if grey else 6)
    explorer.w_preset.value = "identity"
    shown = pixels(explorer.w_out.value)[..., 0]
    np.testing.assert_allclose(shown, picture.mean(0)*255, atol=.6)
    explorer.w_shared.value = False
    number(explorer, 4).value = 0                                      # of red; green and blue make 2
    assert not explorer.shows_picture()
    for explorer.w_channel.value in (1, 2): number(explorer, 4).value = .5    # all weights together: 1
    assert explorer.shows_picture() and "<span>1</span>" in explorer.w_scale.value
    for colours, grey in (("signed", False), ("as picture", True), ("automatic", True)):
        explorer.w_colours.value = colours
        assert explorer.shows_picture() == grey and ("black,white" in explorer.w_scale.value) == grey

@pytest.mark.parametrize("name", ["kernel", "stride", "heat", "losses"])
def test_a_still_picture_stands_beside_every_widget(any_explorer, name):
    "For where there is no Python: GitHub, nbviewer, a notebook that was opened and not run."
    data, _ = any_explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    if name in ("kernel", "heat"):
        shown = Image.open(BytesIO(b64decode(data["image/png"])))
        image = any_explorer.w_in if name == "kernel" else any_explorer.w_out
        assert shown.height == pixels(image.value).shape[0]
        assert data["text/html"].startswith("<img alt=")
    else: assert ("shipviz-grids" if name == "stride" else "<figure") in data["text/html"]

def test_buttons_turn_the_chosen_channel_alone(explorer):
    explorer.w_shared.value, explorer.w_channel.value = False, 1
    before = explorer.kernels.clone()
    explorer.w_turns["negate"].click()
    assert torch.equal(explorer.kernels, before*torch.tensor([1., -1, 1])[:, None, None])
    explorer.w_shared.value = True  # the shown one for all
    assert torch.equal(explorer.kernels, -before)


@pytest.mark.parametrize("typed", [MOST + .5, -11., float("nan"), float("inf")])
def test_a_weight_out_of_range_is_refused_beside_the_grid(explorer, typed):
    kernels, shown = explorer.kernels.clone(), explorer.w_out.value
    number(explorer, 4).value = typed
    said = explorer.w_message.value
    assert 'role="alert"' in said and f"from −{MOST} to {MOST}" in said
    assert torch.equal(explorer.kernels, kernels) and explorer.w_out.value == shown
    assert number(explorer, 4).value == 0
    number(explorer, 4).value = MOST
    assert explorer.w_message.value == ""
    assert explorer.kernels[0, 1, 1] == MOST and slider(explorer, 4).value == 100*MOST

def test_number_and_slider_follow_each_other(explorer):
    slider(explorer, 0).value = 35
    assert number(explorer, 0).value == .35
    number(explorer, 0).value = -1.234
    assert slider(explorer, 0).value == -125 and explorer.kernels[0, 0, 0] == torch.tensor(-1.234)

def upload(e, name, content):
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content),
            "last_modified": datetime.now()}
    e.w_file.value = (file,)

def png(size, mode="RGB"):
    Image.new(mode, size, 200).save(out := BytesIO(), "PNG")
    return out.getvalue()

@pytest.mark.parametrize("name,content,why", [
    ("a.txt", b"hello", "can&#x27;t be read"), ("cut.png", png((50, 50))[:60], "can&#x27;t be read"),
    ("dot.png", png((5, 90)), "5×90 pixels is too small"), ("<b>.png", b"", "&lt;b&gt;")])
def test_a_file_that_is_no_picture_is_refused_beside_the_button(explorer, name, content, why):
    before = explorer.w_out.value
    upload(explorer, name, content)
    assert why in explorer.w_file_message.value and explorer.w_out.value == before
    upload(explorer, "good.png", png((300, 100), "L"))
    assert explorer.w_file_message.value == "" and tuple(explorer.x.shape) == (3, 75, 224)
    assert tuple(explorer.map.shape) == (75, 224) and (explorer.w_row.max, explorer.w_col.max) == (74, 223)

def test_nothing_is_computed_that_did_not_change(explorer, monkeypatch):
    calls, conv2d = [], F.conv2d
    monkeypatch.setattr(F, "conv2d", lambda *a, **k: calls.append(1) or conv2d(*a, **k))
    explorer.w_row.value = explorer.w_col.value = 3
    explorer.w_preset.value = explorer.w_preset.value
    assert not calls
    slider(explorer, 0).value = 50
    assert len(calls) == 1
    padded = explorer._padded[1]
    number(explorer, 1).value = 1.5
    explorer.w_turns["rotate"].click()
    assert len(calls) == 3 and explorer._padded[1] is padded
    shown = explorer.w_in.value
    explorer.w_relu.value = True
    assert explorer.w_in.value is shown  # its window did not move

@pytest.mark.parametrize("mode", ["zeros", "none"])
@pytest.mark.parametrize("stride", [1, 3])
def test_pointing_at_a_pixel_chooses_its_window(explorer, picture, mode, stride):
    explorer.w_padding.value, explorer.w_stride.value = mode, stride
    h, w = explorer.map.shape
    explorer.script.point = f"answer {h - 1} 2"
    assert (explorer.w_row.value, explorer.w_col.value) == (h - 1, 2)
    shift = 1 if mode == "none" else 0
    for r, c in ((0, 0), (1, 2), (h - 1, w - 1)):
        explorer.script.point = f"picture {r*stride + shift} {c*stride + shift}"  # the middle of a window
        assert (explorer.w_row.value, explorer.w_col.value) == (r, c)
        assert f"response <b>{explorer.map[r, c]:.3f}" in explorer.w_sums.value
    explorer.script.point = "picture 0 26"  # a corner that may be no window's middle
    assert (explorer.w_row.value, explorer.w_col.value) == (0, w - 1)

def test_pointing_draws_one_window_and_no_answer(explorer, monkeypatch):
    shown, drawn, update = explorer.w_out.value, [], type(explorer)._update_window
    monkeypatch.setattr(type(explorer), "_update_window", lambda self: drawn.append(1) or update(self))
    explorer.script.point = "answer 3 4"
    assert len(drawn) == 1 and explorer.w_out.value is shown
    explorer.w_row.value = 9
    explorer.script.point = "answer 3 4"  # the same again
    assert explorer.w_row.value == 3

def test_the_script_travels_as_a_module_that_anywidget_loads(explorer):
    "The names that it looks for exist."
    script = (Path(shipviz.widgets.__file__).parent/"widgets.js").read_text()
    assert explorer.script._esm == script and explorer.script in explorer.children
    assert "shipviz" in explorer._dom_classes and "point" in explorer.script.keys
    for image, name in ((explorer.w_in, "picture"), (explorer.w_out, "answer")):
        assert f"shipviz-{name}" in image._dom_classes and f"{name}: \"" in script

@pytest.mark.parametrize("name", ["kernel", "stride", "heat", "losses"])
def test_no_text_of_a_widget_runs(any_explorer):
    "A page whose policy forbids scripts in its text must have nothing to forbid."
    texts = [w.value for w in tree(any_explorer) if isinstance(w, ipywidgets.HTML)]
    assert len(texts) >= 2
    script = (Path(shipviz.widgets.__file__).parent/"widgets.js").read_text()
    for text in texts: assert not re.search(r"<script|\son\w+\s*=|javascript:", text)
    assert not re.search(r"\beval\b|\bFunction\(|innerHTML", script)


def test_a_saved_page_carries_the_script(explorer):
    state = dependency_state(explorer)
    saved = state[explorer.script.model_id]
    assert saved["model_module"] == "anywidget" and saved["state"]["_esm"] == explorer.script._esm
    assert {w.model_id for w in tree(explorer)} <= set(state)

def test_a_drag_sends_few_messages(explorer, monkeypatch):
    "Each message costs time on its way to the page: the picture comes first, and what stays is not sent."
    sent = []
    monkeypatch.setattr(ipywidgets.Widget, "_send",
                        lambda self, msg, buffers=None: sent.append(type(self).__name__))
    slider(explorer, 4).value = 45
    first = list(sent)
    sent.clear()
    slider(explorer, 4).value = 50
    assert "Image" in first and "Image" in sent, (first, sent)
    assert sent.index("Image") < sent.index("FloatText") and len(first) + len(sent) <= 20, (first, sent)


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

@pytest.mark.parametrize("name", ["kernel", "stride", "heat", "losses"])
def test_no_control_leaves_widgets_behind(any_explorer, name):
    "ipywidgets keeps every widget until it is closed, so each that is made for a change would stay for ever."
    for turn in range(4):                                             # whatever is made once is made now
        for control in list(tree(any_explorer)): use(any_explorer, control, turn)
    count, used = len(_instances), 0
    weights = any_explorer.w_grid.children if name == "kernel" else ()
    alike = [control for cell in weights[1:] for control in cell.children]
    for control in tree(any_explorer):
        if control in alike: continue
        used += bool(settings(control)) or isinstance(control, ipywidgets.Button)
        for turn in range(200):
            use(any_explorer, control, turn)
            assert len(_instances) == count, control
    assert used >= 5

def test_a_drag_that_ends_after_its_grid_has_gone(explorer):
    last = explorer.w_grid.children[8].children[1]
    explorer.w_size.value = 5
    kernels = explorer.kernels
    last.value = 90
    assert explorer.kernels is kernels
    explorer.w_size.value = 3
    assert last.value == 100*explorer.kernels[0, 2, 2]

@pytest.mark.parametrize("name", ["kernel", "stride", "heat", "losses"])
def test_a_closed_explorer_leaves_nothing_behind(name, request):
    for fixture in ("picture", "learner", "files"): request.getfixturevalue(fixture)
    before = set(_instances)
    explorer = request.getfixturevalue("any_explorer")
    if name == "kernel": explorer.w_size.value = 5
    explorer.close()
    assert set(_instances) == before

def test_an_uploaded_photo_is_upright(explorer, files):
    upload(explorer, files[-1].name, files[-1].read_bytes())
    assert explorer.photo.size == (90, 60) and explorer.w_file_message.value == ""

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

def test_a_method_that_is_not_possible_is_refused_in_words(learner, files):
    e = HeatmapExplorer(learner, files, ("cam", "gradcam"))           # also the very first
    assert 'role="alert"' in e.w_message.value and "CAM" in e.w_message.value
    assert e.heat is None and e.w_text.value == ""
    # no heat, not that of another
    np.testing.assert_array_equal(pixels(e.w_out.value), np.asarray(Image.open(files[0])))
    e.w_alpha.value = .9
    e.w_method.value = "gradcam"
    assert e.w_message.value == "" and e.heat.method == "gradcam" and "heat of" in e.w_text.value

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
