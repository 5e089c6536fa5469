"""The page of `shipviz explorer`, with the whole network in it, in a real Chromium: `make browser-test`; and
in a Firefox where there is one."""
import base64
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import ROOT, Firefox, browser, firefox, why_not
from PIL import Image

from shipviz.evaluation import energy_in_mask
from shipviz.heatmaps import gradcam
from shipviz.models import real_ships
from shipviz.network import efficientnet_lite0
from shipviz.network_page import network_page
from shipviz.packed import packed_layers, rounded
from shipviz.ships import CLASSES, render_ship

pytestmark = pytest.mark.browser
in_chromium = pytest.mark.skipif(bool(why_not()), reason=f"NOT TESTED IN A BROWSER: {why_not()}")
SIDE = 224
PHOTOS = os.environ.get("SHIPVIZ_PHOTOS")    # a folder of your own photos, for the comparison with torch


# The engine

def wasm(what):
    done = subprocess.run([sys.executable, "scripts/wasm.py", what], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

def test_the_engine_is_made_from_its_source():
    wasm("source")

@pytest.mark.skipif(not importlib.util.find_spec("ziglang"), reason="no compiler here: make wasm has one")
def test_the_committed_engine_is_what_the_source_gives():
    wasm("check")

def test_the_sources_of_the_page_are_readable():
    for path in (ROOT/"shipviz"/"page").iterdir():
        if path.suffix == ".wasm":
            assert path.stat().st_size < 200_000
            continue
        long = [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 110]
        assert not long, path.name


# The page

@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return network_page(tmp_path_factory.mktemp("page")/"explorer.html")

@pytest.fixture(scope="module")
def chrome():
    with browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as b: yield b

def wait(page, condition, seconds=60):
    "Playwright's own waiting evaluates text in the page, which its policy forbids."
    end = time.monotonic() + seconds
    while not page.evaluate(f"!!({condition})"):
        assert time.monotonic() < end, f"{condition}: {page.evaluate('document.body.innerText')[:500]}"
        page.wait_for_timeout(20)

@pytest.fixture
def opened(chrome, file):
    "Open the page in a window of some shape; no such page may ask for anything, nor meet an error."
    contexts, errors, asked = [], [], []
    def opened(address="", width=1200, height=900, **more):
        context = chrome.new_context(viewport=dict(width=width, height=height), accept_downloads=True, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: asked.append(r.url))
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(file.as_uri() + address)
        wait(page, "window.shipviz?.result")
        return page
    yield opened
    assert not errors
    assert {u for u in asked if not u.startswith(("data:", "blob:", file.as_uri()))} <= {"about:srcdoc"}
    for context in contexts: context.close()

@pytest.fixture
def page(opened): return opened()

def test_size_and_policy(file):
    text = file.read_text(encoding="utf-8")
    assert file.stat().st_size <= 7_000_000
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy
    assert "unsafe-inline" not in policy and "'unsafe-eval'" not in policy and "http" not in policy
    assert not re.search(r"<link|@import|\bsrc=[\"']?http|fetch\(|XMLHttp|WebSocket|sendBeacon", text)

@in_chromium
def test_nothing_can_be_sent_away(chrome, file):
    "Not even by a mistake in the scripts: the browser refuses it by the page's policy."
    page = chrome.new_page()
    page.goto(file.as_uri())
    refused = page.evaluate("""() => new Promise(done => {
        document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective), { once: true });
        new Image().src = 'https://127.0.0.1/picture.png' })""")
    assert refused == "img-src"
    page.close()


# Beside torch

def textures(n):
    "Waves and blobs in all colours, `(224,224,3)` bytes."
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:SIDE, :SIDE]/SIDE
    for _ in range(n):
        turn, waves = rng.uniform(0, 6.28), rng.uniform(2, 30)
        wave = np.sin(waves*6.28*(x*np.cos(turn) + y*np.sin(turn)))[..., None]*rng.uniform(.3, 1, 3)
        n = int(rng.integers(3, 40))
        small = Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8))
        blobs = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)
        share = rng.uniform()
        yield np.uint8(np.clip(blobs*share + (127 + 100*wave)*(1 - share), 0, 255))

RUN = """async ([pictures, classes]) => {
    const out = [];
    for (const [place, text] of pictures.entries()) {
        const rgb = atob(text), rgba = new Uint8ClampedArray(4 * 224 * 224);
        for (let i = 0; i < 224 * 224; i++) {
            for (let c = 0; c < 3; c++) rgba[4 * i + c] = rgb.charCodeAt(3 * i + c);
            rgba[4 * i + 3] = 255 }
        const r = new shipviz.Result(await shipviz.network.ask('run', { rgba, keep: false }));
        const k = r.order('imagenet')[0];
        out.push({ k, heat: [...r.heat('imagenet', classes[place])], ms: r.ms,
            z: [...r.logits('imagenet')], five: [...r.logits('ships')] }) }
    return out }"""

def in_page(page, pictures, classes):
    "What the page says to pictures `(224,224,3)`, with the heat of a class for each."
    out = []
    for i in range(0, len(pictures), 25):
        texts = [base64.b64encode(p.tobytes()).decode() for p in pictures[i:i + 25]]
        out += page.evaluate(RUN, [texts, classes[i:i + 25]])
    return out

def same(a, b): return np.array([np.corrcoef(np.ravel(p), np.ravel(q))[0, 1] for p, q in zip(a, b)])

@pytest.fixture(scope="module")
def model(): return efficientnet_lite0().eval()

def compare(page, model, pictures):
    """Which pictures get torch's first class, how the heat of this class correlates with torch's, how far
    torch's two largest logits are apart, what the page said, and the pictures as torch gets them."""
    x = (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() - 127)/128
    with torch.no_grad(): maps = torch.cat([model.body(part) for part in x.split(20)])
    z = model.fc(maps.mean((2, 3))).detach()
    two = z.topk(2)
    top = two.indices[:, 0]
    heat = torch.einsum("nchw,nc->nhw", maps, model.fc.weight[top]).relu().detach()
    said = in_page(page, pictures, top.tolist())
    equal = np.array([s["k"] for s in said]) == top.numpy()
    return equal, same(heat, [s["heat"] for s in said]), -two.values.diff(dim=1)[:, 0].numpy(), said, x

@in_chromium
def test_200_pictures_beside_torch(page, model):
    """The same first class, wherever torch's own two best are not as good as tied: rounded weights move
    logits by 0.03 (root mean square)."""
    ships = [np.asarray(render_ship(CLASSES[i % 5], seed=1000 + i, size=SIDE).image) for i in range(110)]
    pictures = [*ships, *textures(125)]
    equal, heat, apart, said, x = compare(page, model, pictures)
    clear = apart > .1
    assert clear.sum() >= 200 and equal[clear].all() and equal.mean() > .97, (equal.sum(), apart[~equal])
    assert heat.min() > .995
    few = slice(0, 235, 20)
    named = gradcam(model, x[few], [s["k"] for s in said[few]], layer=model.body).maps
    again = in_page(page, pictures[few], [s["k"] for s in said[few]])
    assert same(torch.as_tensor(named).relu(), [s["heat"] for s in again]).min() > .995
    with torch.no_grad(): near = rounded(model)(x[few])      # with the same weights, the last digits differ
    np.testing.assert_allclose([s["z"] for s in said[few]], near.numpy(), atol=1e-3)
    five = real_ships().model.eval()
    with torch.no_grad(): z = five(x[few])
    assert same(z, [s["five"] for s in said[few]]).min() > .999
    assert np.median([s["ms"] for s in said]) < 600          # 25 ms on a quiet machine

@in_chromium
@pytest.mark.skipif(not PHOTOS, reason="SHIPVIZ_PHOTOS names no folder of photos")
def test_photos_beside_torch(page, model):
    kinds = (".jpg", ".jpeg", ".png")
    paths = sorted(p for p in Path(PHOTOS).expanduser().iterdir() if p.suffix.lower() in kinds)
    pictures = [np.asarray(Image.open(p).convert("RGB").resize((SIDE, SIDE))) for p in paths[:200]]
    equal, heat, apart, _, _ = compare(page, model, pictures)
    print(f"{equal.sum()} of {len(equal)} photos, heat from {heat.min():.4f}")
    assert equal[apart > .1].all() and heat.min() > .995, (equal.sum(), len(equal), heat.min())


# By hand

def text(page, id): return page.locator(f"#{id}").inner_text()
def bars(page): return page.locator("#bars .name").all_inner_texts()
def idle(page): page.evaluate("shipviz.analyse()")
def shown(page, id="view"):
    "The pixels of a canvas as a reader sees them."
    return np.asarray(Image.open(io.BytesIO(page.locator(f"#{id}").screenshot())).convert("RGB")).astype(int)

@in_chromium
def test_a_photo_by_file_paste_and_drop(page, tmp_path):
    render_ship("Tankers", seed=7, size=(240, 360)).image.save(tmp_path/"tanker.png")
    before = bars(page)
    page.locator("#file").set_input_files(tmp_path/"tanker.png")
    wait(page, "shipviz.current.title === 'your photo'")
    idle(page)
    assert bars(page) != before and page.evaluate("shipviz.current.width") == 360
    content = base64.b64encode((tmp_path/"tanker.png").read_bytes()).decode()
    for event, holder in (("paste", "clipboardData"), ("drop", "dataTransfer")):
        page.locator("#gallery button").nth(1).click()
        wait(page, "shipviz.current.title !== 'your photo'")
        page.evaluate("""([type, holder, content]) => {
            const data = new DataTransfer(), bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
            data.items.add(new File([bytes], 'a.png', { type: 'image/png' }));
            const event = new Event(type, { bubbles: true, cancelable: true });
            Object.defineProperty(event, holder, { value: data });
            window.dispatchEvent(event) }""", [event, holder, content])
        wait(page, "shipviz.current.title === 'your photo'")
    (tmp_path/"no.png").write_bytes(b"no picture")
    page.locator("#file").set_input_files(tmp_path/"no.png")
    wait(page, "document.getElementById('trouble').textContent")
    assert "no.png" in text(page, "trouble") and "can't read" in text(page, "trouble")

@in_chromium
def test_another_class_is_another_heat_and_two_stand_side_by_side(page):
    first = shown(page)
    button = page.locator("#bars button").nth(2)
    name = button.locator(".name").inner_text()
    button.hover()
    assert name in page.locator("#view").get_attribute("aria-label")
    assert (shown(page) != first).any()
    page.mouse.move(2, 2)
    assert abs(shown(page) - first).max() <= 2                   # not pressed: it was a look
    button.click()
    assert f"a={page.evaluate('shipviz.state.a')}" in page.evaluate("location.hash")
    page.locator("#beside").select_option(index=1)
    page.locator("#split").fill("100")
    one = shown(page)
    page.locator("#split").fill("0")
    other = shown(page)
    page.locator("#split").fill("50")
    both, middle = shown(page), one.shape[1]//2
    assert (one != other).any(-1).mean() > .3
    edge = 12                                                    # columns beside the line
    assert abs(both[:, :middle - edge] - one[:, :middle - edge]).max() <= 2
    assert abs(both[:, middle + edge:] - other[:, middle + edge:]).max() <= 2
    milliseconds = page.evaluate("""() => { const r = shipviz.result, start = performance.now();
        for (let k = 0; k < 100; k++) r.heat('imagenet', 500 + k);
        return (performance.now() - start) / 100 }""")
    assert milliseconds < 5                                      # 0.1 on a quiet machine

@in_chromium
def test_a_class_by_its_name_and_the_five_ships(page):
    page.get_by_label("Another class").fill("golden retriever")
    page.keyboard.press("Enter")
    assert "golden retriever" in text(page, "view-text") and bars(page)[-1] == "golden retriever"
    page.get_by_label("Another class").fill("nosuchthing")
    page.keyboard.press("Enter")
    assert "no class" in text(page, "trouble")
    page.get_by_label("five ships").check()
    assert sorted(bars(page)) == sorted(CLASSES)

@in_chromium
def test_the_score_is_that_of_the_library(page):
    "The page enlarges the map and adds up the heat on the mask as `energy_in_mask` does."
    found = page.evaluate("""() => {
        const map = shipviz.result.heat('ships', 3), { mask } = shipviz.current;
        return { map: [...map], mask: [...mask], share: shipviz.energyIn(map, mask) } }""")
    mask = torch.tensor(found["mask"]).view(1, SIDE, SIDE).bool()
    want = energy_in_mask(torch.tensor(found["map"]).view(1, 7, 7), mask).item()
    assert found["share"] == pytest.approx(want, rel=1e-4) and .01 < want < 1
    assert re.search(r"\d % of the heat for .* lies on the ship", text(page, "score"))

@in_chromium
def test_painting_answers_and_is_taken_back(page):
    first, title = shown(page), bars(page)[0]
    probability = "shipviz.result.probabilities('imagenet')[shipviz.result.order('imagenet')[0]]"
    before = page.evaluate(probability)
    page.get_by_role("button", name="mean colour").click()
    page.locator("#brush").fill("40")
    box = page.locator("#view").bounding_box()
    page.mouse.move(box["x"] + box["width"]*.2, box["y"] + box["height"]*.6)
    page.mouse.down()
    for i in range(12): page.mouse.move(box["x"] + box["width"]*(.2 + .05*i), box["y"] + box["height"]*.6)
    page.mouse.up()
    idle(page)
    assert page.evaluate(probability) != before and title in text(page, "change")
    for undo, redo in (("Control+z", "Control+y"), ("Control+z", "Control+Shift+z")):
        page.keyboard.press(undo)
        idle(page)
        assert page.evaluate(probability) == pytest.approx(before) and text(page, "change") == ""
        page.keyboard.press(redo)
        idle(page)
        assert page.evaluate(probability) != pytest.approx(before)
    page.get_by_role("button", name="all back").click()
    page.get_by_role("button", name="don't paint").click()
    idle(page)
    page.mouse.move(2, 2)
    assert abs(shown(page) - first).max() <= 2                   # rounding in the browser's compositor

@in_chromium
def test_a_transparent_picture_lies_on_white(page, tmp_path):
    image = Image.new("RGBA", (60, 40), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 30, 40))
    image.save(tmp_path/"clear.png")
    page.locator("#file").set_input_files(tmp_path/"clear.png")
    wait(page, "shipviz.current.width === 60")
    pixel = "[...look().slice(4*(224*112 + {0}), 4*(224*112 + {0}) + 4)]"
    assert page.evaluate(pixel.format(20)) == [255]*4 and page.evaluate(pixel.format(200)) == [200, 0, 0, 255]

@in_chromium
def test_painting_by_keyboard(page):
    page.get_by_role("button", name="black").press("Enter")
    page.locator("#view").focus()
    for key in ("ArrowLeft", "ArrowUp", "Enter", "ArrowLeft", "Enter"): page.keyboard.press(key)
    assert page.evaluate("shipviz.current.strokes.length") == 2

@in_chromium
def test_the_camera(page):
    page.get_by_role("button", name="camera").click()
    wait(page, "shipviz.camera.rate > 0")
    page.wait_for_timeout(1500)
    rate = page.evaluate("shipviz.camera.rate")
    assert rate > 2 and "pictures a second" in text(page, "timing")      # 20 on a quiet machine
    page.get_by_role("button", name="stop the camera").click()
    wait(page, "shipviz.current.title === 'a frame of the camera'")

@in_chromium
def test_the_address_brings_the_view_back(page, opened):
    page.locator("#gallery button").nth(3).click()
    page.get_by_label("five ships").check()
    page.locator("#bars button").nth(1).click()
    page.locator("#outline").check()
    address = page.evaluate("location.hash")
    again = opened(address)
    assert again.evaluate("shipviz.state") == page.evaluate("shipviz.state")
    assert abs(shown(again) - shown(page)).max() <= 2
    odd = opened("#look&picture=99&a=-1&b=x&split=1e9&layer=50&<script>")    # what makes no sense is left out
    state = odd.evaluate("shipviz.state")
    assert [state[k] for k in ("picture", "a", "b", "split", "layer")] == [0, None, None, 50, None]

@in_chromium
def test_the_card(page, tmp_path):
    with page.expect_download() as download: page.get_by_role("button", name="save as a picture").click()
    download.value.save_as(tmp_path/"card.png")
    card = Image.open(tmp_path/"card.png")
    assert card.format == "PNG" and card.size == (1200, 630)
    assert len(card.convert("RGB").getcolors(10**6)) > 1000

@in_chromium
@pytest.mark.parametrize("layer", [0, 1, 10, 19])
def test_the_lens_shows_the_real_kernel(page, model, layer):
    "Stem and depthwise layers: what is read, weights, products, sum, all as torch has them."
    page.locator("nav").get_by_text("How?").click()
    wait(page, "document.querySelectorAll('#stages .maps button').length > 50")
    page.evaluate("i => openLens(i, 5)", layer)
    wait(page, "document.querySelectorAll('#lens-sum table').length === 3")
    number = lambda text: float(text.replace("−", "-"))
    tables = page.locator("#lens-sum table")
    window = [number(t) for t in tables.nth(0).locator("td.in").all_inner_texts()]
    products = [number(t) for t in tables.nth(2).locator("td").all_inner_texts()]
    weights = [number(e.input_value()) for e in tables.nth(1).locator("input").all()]
    real = list(packed_layers(model))[layer]
    k = real.size**2
    np.testing.assert_allclose(weights, real.weight[5][:k], atol=4e-3)
    assert len(window) == len(products) == k
    np.testing.assert_allclose(np.multiply(window, weights), products, atol=.03)
    sum_ = number(re.search(r"products (\S*\d)", text(page, "lens-total"))[1])
    assert sum(products) == pytest.approx(sum_, abs=.006*k)
    value = page.evaluate("shipviz.lens.made.maps[5 * shipviz.lens.made.n + shipviz.state.at]")
    said = float(re.search(r"ReLU6 makes it ([\d.]+\d)", text(page, "lens-total"))[1])
    assert said == pytest.approx(value, abs=.006)

@in_chromium
def test_the_lens_goes_back_through_the_layers_and_walks(page):
    page.locator("nav").get_by_text("How?").click()
    page.locator("#stages .stage").last.locator(".maps button").first.click()
    wait(page, "document.getElementById('lens-title').textContent.startsWith('last layer')")
    page.locator("#lens-sum button").first.click()
    wait(page, "shipviz.lens.layer.name === 'stage 7, block 1: project'")
    page.keyboard.press("Escape")
    assert not page.locator("#lens").is_visible() and page.evaluate("shipviz.state.layer") is None
    page.locator("#stages .stage").nth(1).locator(".maps button").nth(2).click()
    page.get_by_role("button", name="walk").click()
    wait(page, "shipviz.state.at > 3")
    page.get_by_role("button", name="stop").click()
    at = page.evaluate("shipviz.state.at")
    page.locator("#lens-out").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("shipviz.state.at") == at + 112
    page.locator("#lens-kernel").select_option("top_edge")       # a kernel by hand on the same picture
    wait(page, "!document.getElementById('lens-total').textContent.includes('ReLU6')")
    page.locator("#lens-sum input").nth(4).fill("2")
    page.keyboard.press("Tab")
    assert page.locator("#lens-kernel").input_value() == "own"

@in_chromium
def test_a_kernel_by_hand_in_the_lens_is_taken_back(page):
    page.locator("nav").get_by_text("How?").click()
    wait(page, "document.querySelectorAll('#stages .maps button').length > 50")
    page.evaluate("openLens(1, 5)")
    wait(page, "document.querySelectorAll('#lens-sum table').length === 3")
    undo, redo = page.locator("#lens-undo"), page.locator("#lens-redo")
    now = lambda: (page.locator("#lens-kernel").input_value(),
                   [e.input_value() for e in page.locator("#lens-sum input").all()], text(page, "lens-total"))
    assert undo.is_disabled() and redo.is_disabled()
    seen = [now()]
    page.locator("#lens-kernel").select_option("sobel_x")
    seen.append(now())
    for i, value in ((4, "2"), (0, "-3")):
        page.locator("#lens-sum input").nth(i).fill(value)
        page.keyboard.press("Enter")
        seen.append(now())
    assert len({tuple(s[1]) for s in seen}) == 4
    for want in seen[-2::-1]:
        undo.click()
        assert now() == want
    assert undo.is_disabled()
    page.keyboard.press("Control+y")
    assert now() == seen[1]
    page.keyboard.press("Control+z")
    assert now() == seen[0]

@in_chromium
def test_the_game(page):
    page.locator("nav").get_by_text("Game").click()
    wait(page, "shipviz.game.result")
    heat = page.evaluate("""() => { const { game, config } = shipviz;
        return [...game.result.heat('ships', config.ships.indexOf(game.picture.label))] }""")
    most = int(np.argmax(heat))
    box = page.locator("#game-view").bounding_box()
    page.mouse.click(box["x"] + box["width"]*(most % 7 + .5)/7, box["y"] + box["height"]*(most//7 + .5)/7)
    said = text(page, "game-said")
    assert int(re.search(r"At your place is (\d+) %", said)[1]) >= 97
    page.get_by_role("button", name="next ship").click()
    wait(page, "!shipviz.game.answered")
    page.locator("#game-view").focus()
    for key in ("ArrowUp", "Enter"): page.keyboard.press(key)
    assert page.locator("#game-table tbody tr").count() == 2 and "After 2" in text(page, "game-said")

@in_chromium
def test_a_kernel_is_learned(page):
    page.locator("nav").get_by_text("Learn a kernel").click()
    page.locator("#learn-go").click()
    wait(page, "shipviz.learn.end")
    assert "Learned after" in text(page, "learn-said")
    truth = [-1, -1, -1, 0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(page.evaluate("shipviz.learn.kernel"), truth, atol=.01)
    page.get_by_role("button", name="begin again").click()
    page.locator("#learn-rate").fill("0")                        # one step is one of gradient descent
    page.locator("#learn-momentum").uncheck()
    start, x, want = (np.array(page.evaluate(f"[...shipviz.learn.{n}]")) for n in ("kernel", "x", "want"))
    page.locator("#learn-step").click()
    kernel = torch.tensor(start).view(1, 1, 3, 3).requires_grad_()
    answer = torch.nn.functional.conv2d(torch.tensor(x).view(1, 1, 128, 128), kernel)
    (answer - torch.tensor(want).view_as(answer)).square().mean().backward()
    step = (kernel - kernel.grad).detach().flatten().numpy()
    np.testing.assert_allclose(page.evaluate("shipviz.learn.kernel"), step, rtol=1e-4, atol=1e-4)
    page.locator("#learn-go").click()
    wait(page, "shipviz.learn.end")
    assert "learning rate is too large" in text(page, "learn-said")

@in_chromium
def test_pictures_are_grey_while_a_kernel_is_learned(page):
    "The picture, and targets that are pictures; what an edge kernel makes is in signed colours."
    page.locator("nav").get_by_text("Learn a kernel").click()
    grey = """id => { const c = document.getElementById(id), d = c.getContext('2d')
        .getImageData(0, 0, c.width, c.height).data;
        let same = true, values = new Set();
        for (let i = 0; i < d.length; i += 4) { same &&= d[i] === d[i + 1] && d[i] === d[i + 2];
            values.add(d[i]) }
        return same && values.size > 50 }"""
    ids = ("learn-picture", "learn-answer", "learn-want", "learn-error")
    for name, want in (("top_edge", [True, False, False, False]), ("blur", [True, True, True, False])):
        page.locator("#learn-target").select_option(name)
        page.locator("#learn-go").click()
        wait(page, "shipviz.learn.end")
        found = [page.evaluate(grey, id) for id in ids]
        assert found[:3] == want[:3], (name, found)
    middle = """() => { const c = document.getElementById('learn-picture'), { data } = c.getContext('2d')
        .getImageData(0, 0, 128, 128), s = surface(128, 128), p = paper(s);
        p.imageSmoothingQuality = 'high'; p.drawImage(shipviz.current.canvas, 0, 0, 128, 128);
        const e = p.getImageData(0, 0, 128, 128).data; let most = 0;
        for (let i = 0; i < data.length; i += 4)
            most = Math.max(most, Math.abs(data[i] - (e[i] + e[i + 1] + e[i + 2]) / 3));
        return most }"""
    assert page.evaluate(middle) <= 1                            # the picture's own grey

@in_chromium
def test_a_kernel_by_hand_stands_in_the_address(page, opened):
    page.locator("nav").get_by_text("Kernels by hand").click()
    frame = page.frame_locator("#kernel-page")
    frame.locator("#out").wait_for(timeout=60_000)
    wait(page.frames[1], "window.shipviz?.image?.w === 450")
    frame.locator("#grid .cell").nth(4).get_by_role("spinbutton").fill("1.5")
    frame.locator("#relu").check()
    wait(page, "location.hash.includes('kernel=')")
    again = opened(page.evaluate("location.hash"))
    frame = again.frame_locator("#kernel-page")
    frame.locator("#out").wait_for(timeout=60_000)
    wait(again.frames[1], "window.shipviz?.image?.w === 450")
    wait(again.frames[1], "shipviz.state.relu && shipviz.state.kernels[0][4] === 1.5")
    frame.get_by_role("button", name="reset").click()
    frame.locator("#relu").uncheck()
    wait(again, "!location.hash.includes('kernel=')")

@in_chromium
def test_the_kernel_explorer_is_one_of_the_screens(page):
    page.locator("nav").get_by_text("Kernels by hand").click()
    frame = page.frame_locator("#kernel-page")
    frame.locator("#out").wait_for(timeout=60_000)
    inside = page.frames[1]
    wait(inside, "window.shipviz?.image?.w === 450")             # the picture of the page
    before = inside.evaluate("shipviz.result.data[1000]")
    frame.locator("#preset").select_option("blur")
    wait(inside, f"Math.abs(shipviz.result.data[1000] - ({before})) > 1e-3")

LOOKS = dict(
    desktop=dict(width=1200), phone=dict(width=390, height=844, has_touch=True, is_mobile=True),
    zoomed=dict(width=600, height=450, device_scale_factor=2), dark=dict(color_scheme="dark"))

@in_chromium
@pytest.mark.parametrize("look", LOOKS)
def test_every_screen_fits_and_has_no_fault_that_axe_finds(opened, look):
    axe = look in ("phone", "dark") and importlib.util.find_spec("axe_playwright_python")
    page = opened(**LOOKS[look])
    if axe: page.evaluate((Path(axe.origin).parent/"axe.min.js").read_text(encoding="utf-8"))
    def check(where):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
        if not axe: return
        found = page.evaluate("axe.run({ exclude: [['#kernel-page']] })")["violations"]
        assert not found, (where, json.dumps(found, indent=1)[:3000])
    check("look")
    page.locator("#beside").select_option(index=1)
    page.locator("[data-tool=grey]").click()
    check("two classes, painting")
    for screen in ("how", "game", "learn", "kernels"):
        page.locator(f"nav a[href='#{screen}']").click()
        page.wait_for_timeout(400)
        idle(page)
        check(screen)
        if screen == "game": page.locator("#game-view").click()
        if screen == "how":
            for stage in (1, 9):
                page.locator("#stages .stage").nth(stage).locator(".maps button").nth(1).click()
                page.locator("#lens-sum table").first.wait_for()
                check("lens")
                page.locator("#lens-close").click()
    if axe is None: pytest.skip("axe-playwright-python is not installed: only the layout was checked")


# Firefox

@pytest.mark.skipif(not firefox(), reason="there is no Firefox (Debian: apt-get install firefox-esr)")
def test_in_firefox(file, model, tmp_path):
    with Firefox(file.as_uri(), tmp_path) as page:
        wait(page, "window.shipviz?.result")
        pictures = [np.asarray(render_ship(c, seed=1000 + i, size=SIDE).image) for i, c in enumerate(CLASSES)]
        equal, heat, *_ = compare(page, model, pictures)
        assert equal.all() and heat.min() > .995
        for screen in ("how", "game", "learn", "kernels", "look"):
            page.evaluate(f"document.querySelector(\"nav a[href='#{screen}']\").click()")
            page.wait_for_timeout(500)
        wait(page, "document.querySelectorAll('#stages .maps button').length > 50 && shipviz.game.result")
        assert page.evaluate("document.getElementById('trouble').textContent") == ""
        assert page.errors == []
