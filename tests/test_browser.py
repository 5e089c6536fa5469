"""The widgets in a real JupyterLab and the page without Python, both in a real Chromium: `make browser-test`.
`make test` runs these too where there is a Chromium, and says so where there is none."""
import base64
import contextlib
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import LESSON, MINUTES, ROOT, Lab, browser, jupyterlab, pixels, why_not, write_notebook
from PIL import Image
from torch.nn import functional as F

from shipviz import cli
from shipviz.core import open_picture
from shipviz.filters import KERNELS, makes_picture, signed_rgb
from shipviz.kernel_explorer import white_level
from shipviz.kernels import PADDING_MODES
from shipviz.pages import render, thumbnail_uri, write_text
from shipviz.ships import render_ship
from shipviz.widgets import centred, colour_limit, explorer_page

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

def drag(page, slider, steps):
    "Drag a slider from its middle to the right; until it has changed, its last move may still be on the way."
    slider.evaluate("""e => { window.dropped = false;
        e.addEventListener('change', () => { window.dropped = true }, { once: true }) }""")
    box = slider.bounding_box()
    y = box["y"] + box["height"]/2
    page.mouse.move(box["x"] + box["width"]*.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"]*.8, y, steps=steps)
    page.mouse.up()
    page.wait_for_function("window.dropped", timeout=MINUTES)

def unit(image): return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()/255


RULES = dict(runOnly=["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])


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
    assert {u.partition("#")[0] for u in asked if not u.startswith(("data:", "blob:"))} == {file.as_uri()}
    context.close()

SET = """([name, mode, stride, k]) => {
    const values = [['size', k], ['preset', name], ['padding', mode], ['stride', stride],
        ['colours', 'signed']];
    for (const [id, v] of values) {
        const e = document.getElementById(id);
        e.value = v;
        e.dispatchEvent(new Event('change')) } }"""
BASE64 = """const base64 = bytes => {
        let s = '';
        for (const b of bytes) s += String.fromCharCode(b);
        return btoa(s) };"""
GET = f"() => {{ {BASE64}" + """ shipviz.draw();
    const c = document.getElementById('out'), r = shipviz.result, limit = shipviz.limit(shipviz.state);
    const rgba = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    return { shape: [r.h, r.w], shown: [c.height, c.width], limit,
        map: base64(new Uint8Array(r.data.buffer)), rgba: base64(rgba),
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
    page.locator("#colours").select_option("as picture")             # sobel, say
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
    page.locator("#size").select_option("5")           # the kernel stays, in the middle of zeros
    larger = F.pad(kernels, (1, 1, 1, 1))
    check(page, expected(x, larger, "zeros", 1, relu=True), larger, x)
    page.locator("#size").select_option("3")
    check(page, expected(x, kernels, "zeros", 1, relu=True), kernels, x)

def weights(page): return np.array(page.evaluate("shipviz.state.kernels"))

def test_page_a_kernel_by_hand_survives_its_size_a_reload_and_undo(page):
    cell = lambda i: page.locator("#grid .cell").nth(i).get_by_role("spinbutton")
    kept = []
    for i, text in ((4, "1.25"), (0, "-0.3")):
        kept.append(weights(page))
        cell(i).fill(text)
        cell(i).blur()
    page.locator("#size").select_option("5")
    cell(0).fill("0.7")
    cell(0).blur()
    large = weights(page)
    assert large[0, 0] == .7 and large[0, 12] == 1.25 and large[0, 6] == -.3
    page.locator("#size").select_option("3")
    assert weights(page)[0].tolist() == [-.3, -1, -1, 0, 1.25, 0, 1, 1, 1]
    assert "outer weights are left out" in page.locator("#message").inner_text()
    page.locator("#size").select_option("5")
    np.testing.assert_array_equal(weights(page), large)
    page.get_by_label("one kernel for all channels").uncheck()
    page.get_by_role("button", name="blue").click()
    page.get_by_role("button", name="rotate").click()
    page.locator("#padding").select_option("reflect")
    shown = page.evaluate(GET)
    state = page.evaluate("({...shipviz.state, outer: null})")
    page.reload()
    page.wait_for_function("window.shipviz?.result", timeout=MINUTES)
    assert page.evaluate("shipviz.state") | {"at": 0} == state | {"at": 0} and page.evaluate(GET) == shown
    page.evaluate("location.hash = 'size:7;weights:1_2;preset:nose;stride:99;<b>'")   # from anywhere
    page.wait_for_function("shipviz.state.k == 3", timeout=MINUTES)
    assert page.evaluate("[shipviz.state.preset, shipviz.state.stride]") == ["top_edge", 1]
    page.locator("#in").focus()
    page.keyboard.press("Control+z")                   # also what an address did
    assert page.evaluate(GET) == shown
    page.keyboard.press("Control+y")
    np.testing.assert_array_equal(weights(page), kept[0])

def test_page_undo_takes_back_one_change_after_another(page):
    undo, redo = (page.get_by_role("button", name=name, exact=True) for name in ("undo", "redo"))
    assert undo.is_disabled() and redo.is_disabled()
    seen, slider = [weights(page)], page.locator("#grid .cell").nth(4).get_by_role("slider")
    drag(page, slider, steps=8)                                      # one change
    seen.append(weights(page))
    assert seen[1][0, 4] > .5
    for name in ("negate", "normalise"):
        page.get_by_role("button", name=name).click()
        seen.append(weights(page))
    page.get_by_label("ReLU").check()
    undo.click()
    assert not page.get_by_label("ReLU").is_checked()
    for want in seen[-2::-1]:
        undo.click()
        np.testing.assert_array_equal(weights(page), want)
    assert undo.is_disabled()
    for want in seen[1:]:
        redo.click()
        np.testing.assert_array_equal(weights(page), want)
    page.get_by_role("button", name="flip").click()                # a new change: nothing left to redo
    assert redo.is_disabled()

def test_page_marks_the_chosen_pixel_in_picture_and_response(page):
    page.locator("#stride").select_option("2")
    for name, (row, column) in (("out", (5, 7)), ("in", (12, 20))):
        canvas = page.locator(f"#{name}")
        box, (h, w) = canvas.bounding_box(), canvas.evaluate("e => [e.height, e.width]")
        x, y = box["x"] + (column + .5)/w*box["width"], box["y"] + (row + .5)/h*box["height"]
        page.mouse.move(x, y)
        mark = page.locator(f"#{name}-mark").bounding_box()
        assert mark["x"] - 1 <= x <= mark["x"] + mark["width"] + 1
        assert mark["y"] - 1 <= y <= mark["y"] + mark["height"] + 1
    assert page.locator("#sums").inner_text().startswith("row 6, column 10")   # whose middle is (12, 20)
    frame = page.locator("#out-mark").evaluate("e => getComputedStyle(e).outlineWidth")
    assert frame == "2px"

SIZES = dict(desktop=dict(width=1280, height=800), narrow=dict(width=1000, height=640),
             half=dict(width=600, height=700), zoomed=dict(width=640, height=400),
             phone=dict(width=390, height=844), sideways=dict(width=844, height=390))

@pytest.mark.parametrize("size", SIZES)
def test_page_shows_the_response_while_any_weight_is_moved(page, size):
    page.set_viewport_size(SIZES[size])
    page.locator("#size").select_option("5")
    page.wait_for_timeout(100)
    height, out = SIZES[size]["height"], page.locator("#out")
    for i in (0, 24):
        cell = page.locator("#grid .cell").nth(i)
        cell.evaluate("e => e.scrollIntoView({ block: 'center' })")
        box, at = out.bounding_box(), cell.bounding_box()
        seen = min(box["y"] + box["height"], height) - max(box["y"], 0)
        assert seen > .95*box["height"] and box["height"] > 100
        assert 0 <= at["y"] and at["y"] + at["height"] <= height
        on_top = cell.evaluate("""e => { const b = e.getBoundingClientRect();
            return e.contains(document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)) }""")
        assert on_top                                              # nothing lies over the weight
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

def test_page_a_finger_that_scrolls_sets_no_weight(chrome, file):
    context = chrome.new_context(viewport=dict(width=390, height=600), has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_function("window.shipviz?.result", timeout=MINUTES)
    before, place = weights(page), page.evaluate("shipviz.state.at")
    slider = page.locator("#grid .cell").nth(8).get_by_role("slider")
    slider.evaluate("e => e.scrollIntoView({ block: 'end' })")
    cdp = context.new_cdp_session(page)
    def touch(kind, *points):
        cdp.send("Input.dispatchTouchEvent", dict(type=kind, touchPoints=[dict(x=x, y=y) for x, y in points]))
        page.wait_for_timeout(16)
    def gesture(locator, dx, dy):
        box = locator.bounding_box()
        x, y = box["x"] + box["width"]*.2, box["y"] + box["height"]/2
        touch("touchStart", (x, y))
        for i in range(1, 11): touch("touchMove", (x + dx*i/10, y + dy*i/10))
        touch("touchEnd")
        page.wait_for_timeout(100)
    top = page.evaluate("scrollY")
    gesture(slider, 0, -150)
    assert page.evaluate("scrollY") > top + 50
    np.testing.assert_array_equal(weights(page), before)
    assert float(slider.input_value()) == before[0, 8]             # nor does the handle look as if
    gesture(page.locator("#out"), 0, 100)
    assert page.evaluate("shipviz.state.at") == place
    slider.evaluate("e => e.scrollIntoView({ block: 'center' })")
    gesture(slider, 40, 0)                                         # sideways: meant
    assert weights(page)[0, 8] != before[0, 8]
    moved = weights(page)[0, 8]
    slider.tap(position=dict(x=5, y=10))                           # so is a tap
    assert weights(page)[0, 8] < moved
    context.close()

def test_page_lays_a_transparent_picture_on_white(page, tmp_path):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (40, 50, 4), dtype=np.uint8))
    image.paste((0, 0, 0, 0), (0, 0, 20, 20))
    image.save(tmp_path/"clear.png")
    page.set_input_files("#file", tmp_path/"clear.png")
    page.wait_for_function("shipviz.image.w == 50", timeout=MINUTES)
    got = np.array(page.evaluate("shipviz.image.planes.map(p => [...p])")).reshape(3, 40, 50)
    want = unit(open_picture(tmp_path/"clear.png")).numpy()
    assert abs(got - want).max() < 2.5/255 and (got[:, :20, :20] == 1).all()

@pytest.mark.parametrize("size", ["narrow", "phone", "zoomed"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_no_fault_that_axe_finds(page, size, scheme):
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    page.set_viewport_size(SIZES[size])
    page.emulate_media(color_scheme=scheme)
    page.get_by_label("one kernel for all channels").uncheck()
    page.evaluate((Path(axe.__file__).parent/"axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    assert not found, json.dumps(found)[:3000]

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
    controls = "[...document.querySelectorAll(':is(input, select, button, canvas):enabled, canvas')]"
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
    before, picture = seen(page.locator("#out")), "document.getElementById('in').toDataURL()"
    shown = page.evaluate(picture)
    page.get_by_role("button", name="negate").tap()
    page.locator("#out").tap()
    changed = (before != seen(page.locator("#out"))).any(-1)
    assert changed.mean() > .2  # orange and purple change places; the flat sky stays white
    assert page.evaluate(picture) == shown
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
    return widget(lab, ".shipviz-kernel")

CANVAS = f"e => {{ {BASE64}" + """ const c = e.querySelector('.result canvas');
    return [c.height, c.width, base64(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)] }"""

def wait_for(lab, explorer, kernels):
    "Wait until the page shows the pixels that torch and signed_rgb make of the lesson's ship."
    x = unit(render_ship("Cruise", seed=3, size=224).image)
    want, limit = expected(x, kernels, "zeros", 1), colour_limit(kernels)
    for _ in range(100):
        h, w, data = explorer.evaluate(CANVAS)
        rgba = np.frombuffer(base64.b64decode(data), np.uint8).reshape(h, w, 4)
        rgb = torch.from_numpy(rgba[..., :3].astype(np.int32))
        if makes_picture(kernels):
            levels = [want.div(white_level(kernels)).clamp(0, 1).mul(255).round().int()[..., None]]
            close = (rgb - levels[0]).abs().amax() <= 1
        else:
            levels = [signed_rgb(want + d*limit/255, limit).int() for d in (-1, -.5, 0, .5, 1)]
            near = torch.stack([(rgb - level).abs().amax(-1) for level in levels])
            close = near.amin(0).max() == 0
        if close: return
        lab.page.wait_for_timeout(50)
    raise AssertionError("the page does not show this response")

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
    first = widget(program, ".shipviz-kernel").get_by_role("slider", name="weight row 1 column 1, slider")
    assert first.count() == 1

ASK = """async code => {
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code: '', user_expressions: { it: code } });
    const reply = await future.done;
    return reply.content.user_expressions.it.data['text/plain'] }"""

def ask(program, code):
    "The value of an expression in the notebook's Python."
    return eval(program.page.evaluate(ASK, code))

def cell(explorer, i): return explorer.locator(".cell").nth(i)

# a menu changes the picture in the next frame, and the place that is pointed at with it
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

def test_lab_dragging_a_slider_asks_no_python(lab, explorer):
    "The pixels follow while the kernel is busy; what was reached is there for code afterwards."
    explorer.get_by_role("button", name="reset").press("Enter")
    kernels = KERNELS["top_edge"].repeat(3, 1, 1)
    wait_for(lab, explorer, kernels)
    lab.page.evaluate("""() => { window.sleeps = true;
        jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
            { code: 'import time; time.sleep(100)' }).done.then(() => { window.sleeps = false }) }""")
    slider = cell(explorer, 4).get_by_role("slider")
    drag(lab.page, slider, steps=20)
    kernels[:, 1, 1] = v = float(slider.input_value())
    assert v > .5
    wait_for(lab, explorer, kernels)
    assert lab.page.evaluate("window.sleeps")
    lab.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")
    for _ in range(100):
        if ask(lab, "explorer.kernels[:, 1, 1].tolist()") == pytest.approx([v]*3): break
        lab.page.wait_for_timeout(100)
    assert ask(lab, "explorer.kernels[:, 1, 1].tolist()") == pytest.approx([v]*3)

def test_lab_code_moves_what_the_browser_shows(lab, explorer):
    ask(lab, "[explorer.load('blur'), setattr(explorer, 'row', 3), setattr(explorer, 'column', 5)]")
    wait_for(lab, explorer, KERNELS["blur"].expand(3, 3, 3))
    explorer.get_by_text("row 3, column 5").wait_for(timeout=MINUTES)
    ask(lab, "explorer.load('top_edge')")
    wait_for(lab, explorer, KERNELS["top_edge"].expand(3, 3, 3))
    explorer.get_by_role("button", name="undo").click()            # also what code did
    wait_for(lab, explorer, KERNELS["blur"].expand(3, 3, 3))
    explorer.get_by_role("button", name="redo").click()
    wait_for(lab, explorer, KERNELS["top_edge"].expand(3, 3, 3))

def test_lab_by_keyboard(lab, explorer):
    explorer.get_by_role("button", name="reset").press("Enter")
    kernels = KERNELS["top_edge"].repeat(3, 1, 1)
    wait_for(lab, explorer, kernels)
    cell(explorer, 0).get_by_role("spinbutton").focus()
    lab.page.keyboard.press("Tab")                             # to the slider below the number
    for _ in range(2): lab.page.keyboard.press("ArrowRight")
    kernels[:, 0, 0] = -.98
    wait_for(lab, explorer, kernels)

def test_every_control_and_picture_has_a_name(program):
    seen = set()
    parts = (".shipviz-kernel", ".shipviz-grids", ".shipviz-heat", ".shipviz-losses")
    for part in parts if "/lab/" in program.page.url else parts[:2]:
        tree = widget(program, part).aria_snapshot()
        for role, rest in re.findall("- (slider|spinbutton|textbox|combobox|checkbox|button|img)(.*)", tree):
            assert rest.startswith(' "'), f"{role}{rest} has no name in\n{tree}"
            seen.add(role)
    assert seen >= {"slider", "spinbutton", "combobox", "checkbox", "button", "img"}

def test_arrow_keys_move_sliders_and_menus_not_the_notebook(program):
    explorer, keyboard = widget(program, ".shipviz-kernel"), program.page.keyboard
    explorer.get_by_role("button", name="reset").press("Enter")
    handle, number = cell(explorer, 4).get_by_role("slider"), cell(explorer, 4).get_by_role("spinbutton")
    active = "jupyterapp.shell.currentWidget.content.activeCellIndex"
    handle.focus()
    before, reached = program.page.evaluate(active), "([e, v]) => Number(e.value) == v"
    for key, value in dict(ArrowRight=.01, ArrowUp=.02, ArrowLeft=.01, ArrowDown=0, Home=-2, End=2).items():
        keyboard.press(key)
        program.page.wait_for_function(reached, arg=[number.element_handle(), value], timeout=MINUTES)
        assert handle.evaluate("e => e == document.activeElement"), key
    menu = explorer.get_by_label("stride")
    menu.focus()
    for key, value in (("ArrowDown", "2"), ("4", "4"), ("Home", "1")):
        keyboard.press(key)
        chosen = "([e, v]) => e.value == v && e == document.activeElement"
        program.page.wait_for_function(chosen, arg=[menu.element_handle(), value], timeout=MINUTES)
    canvas, place = explorer.locator(".result canvas"), explorer.locator(".sums > div").first
    program.page.evaluate(DRAWN)
    row = int(re.match(r"row (\d+)", place.inner_text())[1])
    canvas.focus()
    assert canvas.evaluate("e => e == document.activeElement")
    keyboard.press("ArrowDown")
    moved = "([e, text]) => e.firstChild.textContent.startsWith(text)"
    sums = explorer.locator(".sums").element_handle()
    program.page.wait_for_function(moved, arg=[sums, f"row {row + 1},"], timeout=MINUTES)
    assert program.page.evaluate(active) == before             # the notebook stays where it was
    explorer.get_by_role("button", name="reset").press("Enter")

def test_a_number_out_of_range_is_refused_beside_its_slider(program):
    stride, keyboard = widget(program, ".shipviz-grids"), program.page.keyboard
    size = stride.get_by_role("textbox", name="kernel size")
    program.page.wait_for_function("e => e.textContent", arg=size.element_handle(), timeout=MINUTES)
    before = size.text_content()  # `inner_text` is empty until it is laid out
    refused = {"8": "out of range", "-1": "out of range", "nose": "no number", "": "no number"}
    for text, why in refused.items():
        size.fill(text)
        keyboard.press("Enter")
        words = f"{text or 'Nothing'} is {why}: a number from 1 to 7 is wanted."
        alert = stride.get_by_role("alert").get_by_text(words)
        assert alert.count() == 1 and size.inner_text() == before
    size.fill("4")
    size.blur()                                               # leaving the field is enough
    assert alert.count() == 0 and size.inner_text() == "4"
    size.fill("9")
    size.blur()
    assert stride.get_by_role("alert").inner_text() == "9 is out of range: a number from 1 to 7 is wanted."
    stride.get_by_role("slider", name="kernel size").focus()
    keyboard.press("ArrowLeft")                               # another try: the words go
    assert stride.get_by_role("alert").count() == 0
    keyboard.press("ArrowRight")

def test_pointing_at_a_pixel_shows_its_window(program):
    explorer = widget(program, ".shipviz-kernel")
    for part, at in ((".result", (.25, .75)), (".picture", (.75, .5)), (".result", (.5, .5))):
        canvas = explorer.locator(f"{part} canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        x, y = box["x"] + box["width"]*at[0], box["y"] + box["height"]*at[1]
        program.page.mouse.move(x, y, steps=4)
        near = """([e, row, column]) => { const [r, c] = e.textContent.match(/\\d+/g).map(Number);
            return Math.abs(r - row) <= 1 && Math.abs(c - column) <= 1 }"""
        arg = [explorer.locator(".sums").element_handle(), 224*at[1], 224*at[0]]
        program.page.wait_for_function(near, arg=arg, timeout=MINUTES)
        mark = explorer.locator(f"{part} .mark").bounding_box()
        assert mark["x"] - 2 <= x <= mark["x"] + mark["width"] + 2
        assert mark["y"] - 2 <= y <= mark["y"] + mark["height"] + 2

def test_lab_presets_are_not_rounded_by_their_sliders(lab, explorer):
    for name in ("gaussian", "blur", "bottom_right_of_dark", "top_edge"):
        explorer.get_by_label("preset").select_option(name)
        wait_for(lab, explorer, KERNELS[name].expand(3, 3, 3))

def test_lab_refuses_a_typed_weight_beside_the_grid(lab, explorer):
    number = cell(explorer, 4).get_by_role("spinbutton")
    number.fill("11")
    assert "from −10 to 10 is wanted" in explorer.locator(".controls .message").inner_text()
    number.blur()
    assert number.input_value() == "0"
    number.fill("0.5")
    number.press("Enter")
    kernels = KERNELS["top_edge"].repeat(3, 1, 1)
    kernels[:, 1, 1] = .5
    wait_for(lab, explorer, kernels)

def test_lab_a_picture_of_ones_own_reaches_python(lab, explorer, tmp_path):
    render_ship("Tankers", seed=7, size=(48, 64)).image.save(tmp_path/"tanker.png")
    explorer.locator("input[type=file]").set_input_files(tmp_path/"tanker.png")
    for _ in range(100):
        if ask(lab, "tuple(explorer.x.shape)") == (3, 48, 64): break
        lab.page.wait_for_timeout(100)
    want = unit(Image.open(tmp_path/"tanker.png")).sum().item()
    assert ask(lab, "explorer.x.sum().item()") == pytest.approx(want, rel=1e-5)
    ask(lab, "explorer.show_picture(ship.image)")
    explorer.get_by_text("224 rows").wait_for(timeout=MINUTES)

@pytest.mark.parametrize("width", [1000, 640, 460])
def test_lab_shows_the_response_beside_the_weights(lab, explorer, width):
    "Whatever room a notebook has: in the window together, where a drag of any weight is answered."
    lab.page.set_viewport_size(dict(width=width, height=760))
    lab.page.evaluate("jupyterapp.shell.collapseLeft()")
    try:
        lab.page.wait_for_timeout(400)
        canvas, weight = explorer.locator(".result canvas").bounding_box(), cell(explorer, 8).bounding_box()
        top = min(canvas["y"], weight["y"])
        bottom = max(b["y"] + b["height"] for b in (canvas, weight))
        assert bottom - top < 600 and canvas["width"] > 120       # the window shows 640 of the notebook
        assert explorer.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    finally: lab.page.set_viewport_size(dict(width=1400, height=1000))

def test_lab_the_other_widgets_answer(lab):
    page = lab.page
    at = widget(lab, ".shipviz-grids")
    at.get_by_role("slider", name="position").focus()
    page.keyboard.press("ArrowRight")
    at.get_by_text("row 0, column 1 of the output").wait_for(timeout=MINUTES)
    at.get_by_role("button", name="on").click()
    at.get_by_text("row 0, column 2 of the output").wait_for(timeout=MINUTES)
    at.get_by_role("button", name="walk").click()
    at.get_by_text("row 1, column 0 of the output").wait_for(timeout=MINUTES)    # by itself
    at.get_by_role("button", name="stop").click()
    at.get_by_role("button", name="walk").wait_for(timeout=MINUTES)
    heat = widget(lab, ".shipviz-heat")
    plain, hot = heat.locator(".shipviz-picture"), heat.locator(".shipviz-heat")
    before, picture = pixels(hot), pixels(plain)
    assert not np.array_equal(before, picture) and before.shape == picture.shape
    assert heat.get_by_label("layer").locator("option").count() == 8
    heat.get_by_label("class").select_option("Tankers")
    heat.get_by_text("heat of Tankers").wait_for(timeout=MINUTES)
    assert not np.array_equal(before, pixels(hot)) and np.array_equal(picture, pixels(plain))
    heat.get_by_label("class").select_option("predicted")
    for method in ("hirescam", "gradcam"): heat.get_by_label("method").select_option(method)
    heat.get_by_text("gives the same map as").wait_for(timeout=MINUTES)
    losses = widget(lab, ".shipviz-losses")
    losses.get_by_label("only wrong ones").uncheck()
    losses.get_by_role("button", name="next").click()
    losses.get_by_text("5 to 8 of").wait_for(timeout=MINUTES)
    assert losses.locator("figure").count() == 4


def test_lab_after_a_restart_one_sentence_says_what_to_do(chrome, server):
    "And no broken icons; the kernel explorer, which needs no Python, works on."
    with run(chrome, server, "two.ipynb", "notebooks") as lab:
        page = lab.page
        grids = page.locator(".shipviz-grids")
        grids.wait_for(state="attached", timeout=MINUTES)
        grids.evaluate("e => e.scrollIntoView()")              # a notebook makes what is seen
        grids.wait_for(timeout=MINUTES)
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        page.wait_for_function("document.querySelector('.shipviz.jupyter-widgets-disconnected')",
                               timeout=MINUTES)
        said = page.evaluate("""() => [...document.querySelectorAll('.jupyter-widgets-disconnected')]
            .map(e => getComputedStyle(e, '::before')).filter(s => s.content != 'none')
            .map(s => [s.content, s.display])""")
        assert said == [['"Python no longer answers here. Run the cell again."', "block"]]
        explorer = widget(lab, ".shipviz-kernel")
        assert "Run the cell again" in explorer.locator(".stopped").inner_text()
        explorer.get_by_label("preset").select_option("blur")
        wait_for(lab, explorer, KERNELS["blur"].expand(3, 3, 3))


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


# The page of ShipInterpretation.to_html

NAMES = [f"class {i}, the {'very '*(i % 12)}long name of <a kind> of ship" for i in range(49)] + ["x"*90]

@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    "The page of fifty classes with names that are long, as the template makes it."
    rng, n = np.random.default_rng(0), len(NAMES)
    counts = np.diag(rng.integers(20, 900, n)) + (rng.random((n, n)) < .05)*rng.integers(1, 90, (n, n))
    image = thumbnail_uri(render_ship("Cruise", seed=3, size=96).image)
    figures = [dict(predicted=image, actual=image, title=f"{NAMES[i]} / {NAMES[-1]} / loss 3.21")
               for i in (3, 11, 23, 47)]
    cells = [(a, p) for a, p in zip(*np.nonzero(counts)) if a != p][:6]
    rows = [dict(name=name, precision=.9, recall=.8, f1=.85, pictures=40) for name in [*NAMES, "mean"]]
    page = render("top_losses.html", n=2000, method="gradcam", loss="loss", figures=figures, classes=rows,
                  names=NAMES, counts=counts.tolist(),
                  mistakes=[dict(id=f"c{a}-{p}", actual=NAMES[a], predicted=NAMES[p], n=int(counts[a, p]),
                                 figures=figures) for a, p in cells])
    return write_text(tmp_path_factory.mktemp("losses")/"page.html", page)

@pytest.mark.parametrize("width", [1280, 390])
def test_top_losses_of_fifty_classes_with_long_names(chrome, losses, width):
    page = chrome.new_page(viewport=dict(width=width, height=800))
    page.goto(losses.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for figure in page.locator("figure").all()[:4]:
        assert figure.evaluate("e => e.scrollWidth <= e.clientWidth")
    scroll = page.get_by_role("region", name="Confusion matrix")
    scroll.evaluate("e => { e.scrollIntoView(); e.scrollTo(400, 500) }")
    parts = ("thead th:first-child", "tbody tr:nth-child(21) th", "thead th:nth-child(21)")
    box, corner, row, head = (l.bounding_box() for l in (scroll, *map(scroll.locator, parts)))
    assert abs(corner["x"] - box["x"]) < 2 and abs(corner["y"] - box["y"]) < 2     # names stay in sight
    assert abs(row["x"] - box["x"]) < 2 and abs(head["y"] - box["y"]) < 2
    assert corner["width"] < box["width"]/2 and corner["height"] < 250
    assert scroll.locator("tbody a").first.bounding_box()["height"] >= 24
    page.get_by_role("link").first.click()
    assert page.evaluate("document.querySelector('section:target h3').getBoundingClientRect().top") >= 0
    page.close()

def test_top_losses_in_print(chrome, losses):
    page = chrome.new_page(viewport=dict(width=1010, height=700))          # A4 on its side without margins
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(losses.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert page.evaluate(cut) == 0
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.set_viewport_size(dict(width=680, height=960))
    upright = "[...document.querySelectorAll('figure, section, .scroll:not(:has(.matrix))')]"
    assert page.evaluate(f"{upright}.every(e => e.getBoundingClientRect().right <= 680)")
    pdf = page.pdf(prefer_css_page_size=True, format="A4")
    boxes = re.findall(rb"/MediaBox \[0 0 (\d+)[\d.]* (\d+)", pdf)
    assert {int(w) > int(h) for w, h in boxes} == {True, False}            # the matrix lies on its side
    page.close()

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_top_losses_have_no_fault_that_axe_finds(chrome, losses, scheme):
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    page = chrome.new_page(viewport=dict(width=390, height=800), color_scheme=scheme)
    page.goto(losses.as_uri())
    page.evaluate((Path(axe.__file__).parent/"axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    assert not found, json.dumps(found)[:3000]
    page.close()
