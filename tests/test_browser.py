"""The widgets in a real JupyterLab and the page without Python, both in a real Chromium: `make browser-test`.
`make test` runs these too where there is a Chromium, and says so where there is none."""
import base64
import contextlib
import io
import json
import re
import shutil

import numpy as np
import pytest
import torch
from browser import LESSON, MINUTES, ROOT, Lab, browser, jupyterlab, pixels, why_not, write_notebook
from PIL import Image
from torch.nn import functional as F

from shipviz import cli
from shipviz.filters import KERNELS, makes_picture, signed_rgb
from shipviz.kernel_explorer import grey_png, white_level
from shipviz.kernels import PADDING_MODES
from shipviz.ships import render_ship
from shipviz.widgets import centred, colour_limit, explorer_page, signed_png

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(why_not()), reason=f"NOT TESTED IN A BROWSER: {why_not()}")]


@pytest.fixture(scope="module")
def chrome():
    with browser() as b: yield b

def expected(x, kernels, mode, stride, relu=False):
    p = kernels.shape[-1]//2
    x = x[None] if mode == "none" else F.pad(x[None], [p]*4, mode="constant" if mode == "zeros" else mode)
    y = F.conv2d(x, kernels[None], stride=stride)[0, 0]
    return y.relu() if relu else y

def seen(locator):
    "What a reader sees of an element: the pixels of a screenshot, `(H,W,3)`."
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"))

def unit(image): return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()/255


# The page without Python

@pytest.fixture(scope="module")
def photo(): return render_ship("Tankers", seed=7, size=(48, 65)).image  # odd sizes find wrong borders

@pytest.fixture(scope="module")
def file(tmp_path_factory, photo): return explorer_page(tmp_path_factory.mktemp("page")/"kernel.html", photo)

@pytest.fixture
def page(chrome, file):
    "The page, loaded; at the end it must not have asked a network for anything, nor have met an error."
    context = chrome.new_context(viewport=dict(width=1200, height=900))
    page, asked, errors = context.new_page(), [], []
    page.on("request", lambda r: asked.append(r.url))
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.goto(file.as_uri())
    page.wait_for_function("window.shipviz?.result", timeout=MINUTES)
    yield page
    assert not errors
    assert [u for u in asked if not u.startswith(("data:", "blob:"))] == [file.as_uri()]
    context.close()

SET = """([name, mode, stride, k]) => {
    const values = [['size', k], ['preset', name], ['padding', mode], ['stride', stride],
        ['colours', 'signed']];
    for (const [id, v] of values) {
        const e = document.getElementById(id);
        e.value = v;
        e.dispatchEvent(new Event('change')) } }"""
GET = """() => { shipviz.draw();
    const c = document.getElementById('out'), r = shipviz.result, limit = shipviz.limit(shipviz.state);
    const base64 = a => {
        let s = '';
        for (const b of new Uint8Array(a.buffer)) s += String.fromCharCode(b);
        return btoa(s) };
    const rgba = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    return { shape: [r.h, r.w], shown: [c.height, c.width], map: base64(r.data), rgba: base64(rgba), limit,
        code: document.getElementById('code').textContent } }"""

def look(page):
    "What the page shows: map, pixels, colour limit and code."
    got = page.evaluate(GET)
    array = lambda name, kind: torch.from_numpy(np.frombuffer(base64.b64decode(got[name]), kind).copy())
    shown = array("rgba", np.uint8).view(*got["shown"], 4)[..., :3].int()
    return array("map", np.float32).view(got["shape"]), shown, got["limit"], got["code"]

def check(page, want, kernels, x):
    """The map is torch's, each pixel shown has the colour of a value at most one of 255 levels away from
    torch's, and the code gives both."""
    shown, rgb, scale, code = look(page)
    limit = colour_limit(kernels)
    assert scale == pytest.approx(limit, rel=1e-5)
    torch.testing.assert_close(shown, want, rtol=1e-5, atol=2e-5)
    levels = [signed_rgb(want + d*limit/255, limit).int() for d in (-1, -.5, 0, .5, 1)]
    near = torch.stack([(rgb - level).abs().amax(-1) for level in levels])
    assert near.amin(0).max() == 0
    exec(code, space := dict(x=x[None]))
    torch.testing.assert_close(space["y"][0, 0], want, rtol=1e-4, atol=1e-4)

@pytest.mark.parametrize("mode", [*PADDING_MODES, "none"])
def test_page_every_preset_padding_and_stride_is_torchs_conv2d(page, photo, mode):
    x = unit(photo)
    for name, kernel in KERNELS.items():
        for stride in (1, 2, 3, 4):
            k = 5 if stride == 3 else 3
            page.evaluate(SET, [name, mode, str(stride), str(k)])
            kernels = centred(kernel, k).expand(3, k, k)
            check(page, expected(x, kernels, mode, stride), kernels, x)

def test_page_weights_that_sum_to_1_show_a_picture_by_themselves(page, photo):
    x = unit(photo)
    for name, kernel in KERNELS.items():
        page.locator("#preset").select_option(name)
        _, rgb, scale, _ = look(page)
        want, grey = expected(x, kernel.expand(3, 3, 3), "zeros", 1), makes_picture(kernel)
        if grey: assert (rgb - want.div(3).clamp(0, 1).mul(255).round().int()[..., None]).abs().max() <= 1
        else: assert (rgb - signed_rgb(want, scale).int()).abs().max() <= 6
        assert page.locator("#middle").inner_text() == ("1.5" if grey else "0")
    page.locator("#colours").select_option("picture")                # sobel, say
    assert (look(page)[1].amax(-1) == look(page)[1].amin(-1)).all()

def test_page_by_hand(page, photo):
    "Typed, dragged, by keyboard; one channel alone; the buttons; ReLU."
    x, kernels = unit(photo), KERNELS["top_edge"].repeat(3, 1, 1)
    cell = lambda i: page.locator("#grid .cell").nth(i)
    cell(4).get_by_role("spinbutton").fill("1.5")
    kernels[:, 1, 1] = 1.5
    check(page, expected(x, kernels, "zeros", 1), kernels, x)
    slider = cell(0).get_by_role("slider")
    slider.focus()
    for _ in range(5): page.keyboard.press("ArrowRight")
    kernels[:, 0, 0] = -.95
    check(page, expected(x, kernels, "zeros", 1), kernels, x)
    page.get_by_label("one kernel for all channels").uncheck()
    page.get_by_role("button", name="green").click()
    page.get_by_role("button", name="negate").click()
    page.get_by_role("button", name="rotate").click()
    kernels[1] = -kernels[1].rot90(-1)
    page.get_by_label("ReLU").check()
    check(page, expected(x, kernels, "zeros", 1, relu=True), kernels, x)
    page.locator("#size").select_option("5")           # and back: a grid of 25 weights, then of 9
    page.locator("#size").select_option("3")
    top_edge = KERNELS["top_edge"].expand(3, 3, 3)
    check(page, expected(x, top_edge, "zeros", 1, relu=True), top_edge, x)

def test_page_refuses_in_words(page):
    before = page.evaluate(GET)
    field = page.locator("#grid .cell").nth(0).get_by_role("spinbutton")
    field.fill("11")
    assert "from −10 to 10 is wanted" in page.locator("#message").inner_text()
    assert field.get_attribute("aria-invalid") == "true"
    field.blur()
    assert field.input_value() == "-1" and page.evaluate(GET) == before
    tiny = io.BytesIO()
    Image.new("RGB", (300, 3)).save(tiny, "PNG")
    for name, content, why in (("notes.txt", b"hello", "can't read it as a picture"),
                               ("line.png", tiny.getvalue(), "300×3 pixels is too small")):
        page.set_input_files("#file", dict(name=name, mimeType="image/png", buffer=content))
        said = "w => document.getElementById('file-message').textContent.includes(w)"
        page.wait_for_function(said, arg=why, timeout=MINUTES)
        assert page.evaluate(GET) == before

def test_page_one_pixel_by_mouse_and_keyboard(page, photo):
    x, sums = unit(photo).sum(0), page.locator("#sums")
    box = page.locator("#out").bounding_box()
    page.mouse.move(box["x"] + box["width"]*.5, box["y"] + box["height"]*.25)
    assert sums.inner_text().startswith("row 12, column 32")
    page.locator("#in").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert sums.inner_text().startswith("row 13, column 31")
    total = (x[12:15, 30:33]*KERNELS["top_edge"]).sum().item()
    assert f"sum {total:.3f}" in sums.inner_text()

def test_page_controls_are_labelled_and_reached_by_tab(page):
    controls = "[...document.querySelectorAll('input, select, button, canvas')]"
    nameless = page.evaluate(f"""() => {controls}.filter(
        e => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim()))
        .map(e => e.outerHTML)""")
    assert not nameless
    n, reached = page.evaluate(f"{controls}.length"), set()
    for _ in range(n + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"{controls}.indexOf(document.activeElement)"))
    assert reached >= set(range(n))

def test_page_on_a_phone(chrome, file):
    context = chrome.new_context(viewport=dict(width=390, height=844), device_scale_factor=2, has_touch=True,
                                 is_mobile=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_function("window.shipviz?.result", timeout=MINUTES)
    page.get_by_label("one kernel for all channels").uncheck()
    for k in ("5", "3"):
        page.locator("#size").select_option(k)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#out").tap()
    assert re.match("row 2[34], column 3[123]", page.locator("#sums").inner_text())
    before = {name: seen(page.locator(f"#{name}")) for name in ("in", "out")}
    page.get_by_role("button", name="negate").tap()
    page.locator("#out").tap()
    changed = (before["out"] != seen(page.locator("#out"))).any(-1)
    assert changed.mean() > .2  # orange and purple change places; the flat sky stays white
    np.testing.assert_array_equal(seen(page.locator("#in")), before["in"])
    context.close()

def test_page_inside_a_lesson(chrome):
    "Lesson 3 opens with the explorer: it needs no Python, and where no script runs it says so."
    cells = json.loads((ROOT/"nbs"/"03_filters.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [o["data"] for c in cells for o in c.get("outputs", []) if "data" in o]
    i = next(i for i, data in enumerate(outputs) if "<iframe" in "".join(data.get("text/html", "")))
    assert "image/png" in outputs[i + 1]                               # the still picture
    page = chrome.new_page(viewport=dict(width=900, height=800))
    page.set_content("".join(outputs[i]["text/html"]))
    frame = page.frames[1]
    frame.wait_for_function("window.shipviz?.result", timeout=MINUTES)
    assert frame.evaluate("document.documentElement.scrollWidth") <= 900
    assert frame.locator("h1").is_hidden() and frame.locator("#off").count() == 0
    page.close()
    context = chrome.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content("".join(outputs[i]["text/html"]))
    page.frame_locator("iframe").get_by_text("No script runs").wait_for(timeout=MINUTES)
    context.close()

FRAMES = """n => new Promise(done => { const times = [], at = []; let i = 0;
    function step(now) { at.push(now); shipviz.state.kernels[0][0] = Math.sin(i / 9);
        const t = performance.now(); shipviz.draw(); times.push(performance.now() - t);
        ++i < n ? requestAnimationFrame(step) : done({ times, gaps: at.slice(1).map((t, j) => t - at[j]) }) }
    requestAnimationFrame(step) })"""

def test_page_frame_rate(chrome, tmp_path):
    "bench_widgets.py measures 60 a second at 512 px; on a busy machine a tenth of that must do."
    page = chrome.new_page()
    page.goto(explorer_page(tmp_path/"large.html", render_ship("Cruise", seed=3, size=512).image).as_uri())
    page.wait_for_function("window.shipviz?.result", timeout=MINUTES)
    assert np.median(page.evaluate(FRAMES, 30)["times"]) < 170
    page.close()


# The widgets in JupyterLab

@pytest.fixture(scope="module")
def server(tmp_path_factory):
    "A server for a copy of the lesson, and for a notebook of its first two widgets; the arguments of `Lab`."
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(LESSON, folder)
    write_notebook(folder/"two.ipynb", *(f"import shipviz.ships, shipviz.widgets as w\nw.{call}" for call in (
        "KernelExplorer(shipviz.ships.render_ship('Cruise', seed=3, size=224).image)", "StrideExplorer()")))
    with jupyterlab(folder) as where: yield where

@contextlib.contextmanager
def run(chrome, server, *which):
    "A notebook open in the browser, and run from top to bottom."
    page = chrome.new_page(viewport=dict(width=1400, height=1000))
    notebook = Lab(page, *server, *which)
    assert notebook.run_all() == []
    yield notebook
    page.close()

@pytest.fixture(scope="module")
def lab(chrome, server):
    "The lesson, in JupyterLab."
    with run(chrome, server, LESSON.name) as lab: yield lab

@pytest.fixture(scope="module")
def notebook7(chrome, server):
    "Two widgets in Jupyter Notebook 7, which takes more keys for itself."
    with run(chrome, server, "two.ipynb", "notebooks") as notebook: yield notebook

@pytest.fixture(params=["lab", "notebook7"])
def program(request): return request.getfixturevalue(request.param)

def widget(program, part):
    "The widget in the page that holds `part`."
    found = program.page.locator(".jp-OutputArea-output", has=program.page.locator(part)).first
    found.scroll_into_view_if_needed(timeout=MINUTES)
    return found

@pytest.fixture
def explorer(lab):
    "The KernelExplorer of the lesson in the page, as its last cell left it."
    return widget(lab, ".shipviz-cell")

SHOWN = """([img, want]) => {
    const c = new OffscreenCanvas(img.naturalWidth, img.naturalHeight), x = c.getContext('2d');
    if (!img.complete || !c.width) return false;
    x.drawImage(img, 0, 0);
    const d = x.getImageData(0, 0, c.width, c.height).data, w = atob(want);
    return d.length == w.length && d.every((v, i) => v == w.charCodeAt(i)) }"""

def wait_for(lab, explorer, kernels):
    "Wait until the page shows exactly the pixels that torch and signed_png make of the lesson's ship."
    x, bank = unit(render_ship("Cruise", seed=3, size=224).image), kernels
    if (kernels == kernels[0]).all():          # added as the widget does it: another order rounds differently
        x, bank = x.sum(0, keepdim=True), kernels[:1]
    want = expected(x, bank, "zeros", 1)
    png = signed_png(want, colour_limit(kernels))
    if makes_picture(kernels): png = grey_png(want, white_level(kernels))
    want = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    img = explorer.locator("img.widget-image").nth(1)
    arg = [img.element_handle(), base64.b64encode(want.tobytes()).decode()]
    try: lab.page.wait_for_function(SHOWN, arg=arg, polling=50, timeout=MINUTES)
    except Exception: np.testing.assert_array_equal(pixels(img), want[..., :3])

FORBIDDEN = """() => new Promise(done => {
    document.addEventListener("securitypolicyviolation", e => done(e.effectiveDirective), { once: true });
    const image = document.createElement("div");
    image.innerHTML = '<img src="data:," onerror="window.ran = true">';
    document.body.append(image);
    setTimeout(() => done("nothing"), 5000) })"""

def test_the_widgets_work_where_no_script_in_a_text_may_run(program):
    "All tests here do: the server forbids it to its pages, as some do."
    assert program.page.evaluate(FORBIDDEN) == "script-src-attr"
    assert not program.page.evaluate("window.ran")
    first = widget(program, ".shipviz-cell").get_by_role("slider", name="weight in row 1, column 1")
    assert first.count() == 1

def test_lab_dragging_a_slider_brings_new_pixels(lab, explorer):
    kernels = KERNELS["top_edge"].repeat(3, 1, 1)
    wait_for(lab, explorer, kernels)
    img = explorer.locator("img.widget-image").nth(1)
    img.evaluate("""e => {
        window.theImage = e;
        window.frames = 0;
        e.addEventListener('load', () => window.frames++) }""")
    cell = explorer.locator(".shipviz-cell").nth(4)
    answer, picture = explorer.locator(".shipviz-answer"), explorer.locator(".shipviz-picture")
    parts = dict(answer=answer, picture=picture, weight=cell)
    shown = {name: seen(part) for name, part in parts.items()}
    handle, track = cell.locator(".noUi-handle").bounding_box(), cell.locator(".noUi-base").bounding_box()
    x, y = handle["x"] + handle["width"]/2, handle["y"] + handle["height"]/2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x + track["width"]*.3, y, steps=40)   # faster than the kernel answers
    lab.page.mouse.up()
    number = cell.get_by_role("spinbutton")
    low, high = (float(cell.locator(".noUi-handle").get_attribute(f"aria-value{n}")) for n in ("min", "max"))
    v = float(cell.locator(".noUi-handle").get_attribute("aria-valuenow"))/100
    assert v == pytest.approx(.3*(high - low)/100, abs=.1)
    arg = [number.element_handle(), v]
    lab.page.wait_for_function("([e, v]) => Number(e.value) == v", arg=arg, timeout=MINUTES)
    kernels[:, 1, 1] = v
    wait_for(lab, explorer, kernels)                    # the last position, whatever was dropped on the way
    assert img.evaluate("e => e === window.theImage")   # in place: the same element, so nothing flickers
    assert 1 <= lab.page.evaluate("window.frames") <= 40
    assert (shown["answer"] != seen(explorer.locator(".shipviz-answer"))).any(-1).mean() > .5
    assert (shown["weight"] != seen(cell)).any(-1).mean() > .5    # another colour behind it
    np.testing.assert_array_equal(seen(explorer.locator(".shipviz-picture")), shown["picture"])

def test_lab_by_keyboard(lab, explorer):
    explorer.get_by_role("button", name="reset").press("Enter")
    kernels = KERNELS["top_edge"].repeat(3, 1, 1)
    wait_for(lab, explorer, kernels)
    explorer.locator(".shipviz-cell").nth(0).get_by_role("spinbutton").focus()
    lab.page.keyboard.press("Tab")                             # to the slider below the number
    for _ in range(2): lab.page.keyboard.press("ArrowRight")
    kernels[:, 0, 0] = -.9
    wait_for(lab, explorer, kernels)

def test_every_control_and_picture_has_a_name(program):
    seen = set()
    parts = (".shipviz-cell", ".shipviz-grids", ".shipviz-heat", ".shipviz-losses")
    for part in parts if "/lab/" in program.page.url else parts[:2]:
        tree = widget(program, part).aria_snapshot()
        for role, rest in re.findall("- (slider|spinbutton|textbox|combobox|checkbox|button|img)(.*)", tree):
            assert rest.startswith(' "'), f"{role}{rest} has no name in\n{tree}"
            seen.add(role)
    assert seen >= {"slider", "spinbutton", "combobox", "checkbox", "button", "img"}

def test_arrow_keys_move_sliders_and_menus_not_the_notebook(program):
    explorer, keyboard = widget(program, ".shipviz-cell"), program.page.keyboard
    explorer.get_by_role("button", name="reset").press("Enter")
    cell = explorer.locator(".shipviz-cell").nth(4)
    handle, number = cell.get_by_role("slider"), cell.get_by_role("spinbutton").element_handle()
    program.page.wait_for_function("e => e.value == '0'", arg=number, timeout=MINUTES)
    handle.focus()
    moves = dict(ArrowRight=.05, ArrowUp=.1, ArrowLeft=.05, ArrowDown=0, PageUp=.25, Home=-2, End=2)
    for key, value in moves.items():
        keyboard.press(key)
        reached = "([e, v]) => Number(e.value) == v"
        program.page.wait_for_function(reached, arg=[number, value], timeout=MINUTES)
        assert handle.evaluate("e => e == document.activeElement"), key
    menu = explorer.get_by_label("stride")
    menu.focus()
    for key, value in (("ArrowDown", "2"), ("4", "4"), ("Home", "1")):
        keyboard.press(key)
        assert menu.evaluate("e => [e.value, e == document.activeElement]") == [value, True], key
    explorer.get_by_text("shape (224, 224)").wait_for(timeout=MINUTES)
    explorer.get_by_role("button", name="reset").press("Enter")

def test_a_number_out_of_range_is_refused_beside_its_slider(program):
    explorer, keyboard = widget(program, ".shipviz-cell"), program.page.keyboard
    row = explorer.get_by_role("textbox", name="row")
    before = row.inner_text()
    refused = {"224": "out of range", "-1": "out of range", "nose": "no number", "": "no number"}
    for text, why in refused.items():
        row.fill(text)
        keyboard.press("Enter")
        words = f"{text or 'Nothing'} is {why}: a number from 0 to 223 is wanted."
        alert = explorer.get_by_role("alert").get_by_text(words)
        assert alert.count() == 1 and row.inner_text() == before
    row.fill("223")
    row.blur()                                                # leaving the field is enough
    assert alert.count() == 0 and row.inner_text() == "223"
    stride = widget(program, ".shipviz-grids")
    size = stride.get_by_role("textbox", name="kernel size")
    size.fill("9")
    size.blur()
    assert stride.get_by_role("alert").inner_text() == "9 is out of range: a number from 1 to 7 is wanted."
    stride.get_by_role("slider", name="kernel size").focus()
    keyboard.press("ArrowLeft")                               # another try: the words go
    assert stride.get_by_role("alert").count() == 0
    keyboard.press("ArrowRight")

def test_pointing_at_a_pixel_shows_its_window(program):
    explorer = widget(program, ".shipviz-cell")
    row, column = explorer.locator(".widget-readout").all()[:2]
    places = ((".shipviz-answer", (.25, .75)), (".shipviz-picture", (.75, .5)), (".shipviz-answer", (.5, .5)))
    for image, at in places:
        box = explorer.locator(image).bounding_box()
        program.page.mouse.move(box["x"] + box["width"]*at[0], box["y"] + box["height"]*at[1], steps=10)
        for readout, v in zip((column, row), at):
            near = "([e, v]) => Math.abs(Number(e.textContent) - v) <= 1"
            arg = [readout.element_handle(), 224*v]
            program.page.wait_for_function(near, arg=arg, timeout=MINUTES)

def test_lab_presets_are_not_rounded_by_their_sliders(lab, explorer):
    for name in ("gaussian", "blur", "bottom_right_of_dark", "top_edge"):
        explorer.get_by_label("preset").select_option(name.replace("_", " "))
        wait_for(lab, explorer, KERNELS[name].expand(3, 3, 3))

def test_lab_refuses_a_typed_weight_beside_the_grid(lab, explorer):
    number = explorer.get_by_label("weight in row 2, column 2").first
    number.fill("11")
    number.press("Enter")
    explorer.get_by_role("alert").get_by_text("11 is out of range").wait_for(timeout=MINUTES)
    lab.page.wait_for_function("e => e.value == '0'", arg=number.element_handle(), timeout=MINUTES)
    number.fill("0.5")
    number.press("Enter")
    kernels = KERNELS["top_edge"].repeat(3, 1, 1)
    kernels[:, 1, 1] = .5
    wait_for(lab, explorer, kernels)

def test_lab_the_other_widgets_answer(lab):
    page = lab.page
    at = widget(lab, ".shipviz-grids")
    at.get_by_role("slider", name="position").focus()
    page.keyboard.press("ArrowRight")
    at.get_by_text("row 0, column 1 of the output").wait_for(timeout=MINUTES)
    heat = widget(lab, ".shipviz-heat")
    before = pixels(heat.locator("img.widget-image"))
    heat.get_by_label("class").select_option("Tankers")
    heat.get_by_text("heat of Tankers").wait_for(timeout=MINUTES)
    assert not np.array_equal(before, pixels(heat.locator("img.widget-image")))
    losses = widget(lab, ".shipviz-losses")
    losses.get_by_label("only wrong ones").uncheck()
    losses.get_by_role("button", name="next").click()
    losses.get_by_text("5 to 8 of").wait_for(timeout=MINUTES)
    assert losses.locator("figure").count() == 4


def test_lab_a_copied_lesson_opens_unmodified_and_trusted(chrome, tmp_path, monkeypatch):
    "`shipviz lessons` writes the metadata that JupyterLab would write, and signs what it copies."
    data = tmp_path/".jupyter"/"jupyter_data_dir"      # where the server below looks for signatures
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(data))
    cli.copy_new(cli.lessons_dir(), tmp_path, force=False)
    with jupyterlab(tmp_path) as server:
        page = chrome.new_page()
        Lab(page, *server, LESSON.name)
        page.wait_for_timeout(2000)                    # for whatever it writes once the kernel has answered
        model = "jupyterapp.shell.currentWidget.context.model"
        assert page.evaluate(f"{model}.dirty") is False
        assert page.evaluate(f"[...{model}.cells].every(c => c.type != 'code' || c.trusted)")
        page.close()


# Pages of a data set of heatmaps, opened from the disk

@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (pip install shipviz[stream])")
    from stress_stream import go, make_pictures

    from shipviz.gallery import write_pages
    folder = tmp_path_factory.mktemp("data")
    make_pictures(folder/"pictures & more", 150, bad={3})
    return write_pages(go(folder/"pictures & more", folder/"maps", 1))


def test_a_data_set_is_paged_through_from_the_disk(chrome, data_set):
    page, said = chrome.new_page(), []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: said.append(str(e)))
    def wait(js):  # `wait_for_function` would need 'unsafe-eval'
        for _ in range(MINUTES//100):
            if page.evaluate(js): return
            page.wait_for_timeout(100)
        raise AssertionError(f"{js} did not come true; said: {said}")
    page.goto(data_set.as_uri())
    wait("document.querySelectorAll('#rows li').length == 60")
    assert page.text_content("#where") == "1 to 60 of 150"
    assert len(page.query_selector_all("head script")) == 0  # scripts are taken out when they have run
    wait("[...document.images].filter(i => i.naturalWidth == 36).length > 5")  # pictures are shown
    assert page.evaluate("document.querySelector('canvas').width") == 18
    pen = "document.querySelector('canvas').getContext('2d')"
    heat = page.evaluate(f"Array.from({pen}.getImageData(0, 0, 18, 12).data)")
    assert len(set(zip(*[iter(heat)]*4))) > 4  # colours
    page.click("#on")
    wait("document.getElementById('where').textContent == '61 to 120 of 150'")
    page.fill("#from", "100")
    page.press("#from", "Enter")
    wait("document.getElementById('where').textContent == '100 to 150 of 150'")
    assert page.is_disabled("#on") and page.url.endswith("#100")
    assert page.locator("figcaption").first.text_content().startswith("100. ")
    page.uncheck("#heat")
    assert page.evaluate("getComputedStyle(document.querySelector('canvas')).visibility") == "hidden"
    assert not said
    page.close()
