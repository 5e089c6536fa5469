"""The site as `make site` writes it: links, alternative texts, hosts, accessibility. `make site-test` builds
and tests it; elsewhere SHIPVIZ_SITE must name the folder of a site that is built."""
import contextlib
import functools
import http.server
import os
import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import MINUTES, ROOT, browser, why_not

SITE = os.environ.get("SHIPVIZ_SITE")
pytestmark = pytest.mark.skipif(not SITE, reason="no site is built here: make site-test")

if SITE and os.environ.get("CI"):  # where nobody would see that tests are skipped
    assert not why_not(), why_not()
    import axe_playwright_python  # noqa: F401

def in_chromium(test):
    skip = pytest.mark.skipif(bool(why_not()), reason=f"NOT TESTED IN A BROWSER: {why_not()}")
    return pytest.mark.browser(skip(test))
SITE = Path(SITE or ".").resolve()
KINDS = ["index", "lessons", "02_kernels", "03_filters", "08_network", "13_heatmaps", "15_losses",
         "20_lab", "api/index", "api/heatmaps", "api/widgets", "glossary", "gallery", "explorer",
         "solutions/04_channels", "teachers/guide", "search"]
DECORATION = ("_static/icon.svg",)  # the logo, beside the name


class Read(HTMLParser):
    "What a page refers to, and what it can be referred to by."
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.pictures, self.frames = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if "id" in a: self.ids.append(a["id"])
        if tag == "a" and a.get("href"): self.links.append(a["href"])
        if tag == "img": self.pictures.append(a)
        if tag == "iframe": self.frames.append(a)
        if tag in ("img", "script", "iframe", "source", "video", "audio", "embed") and a.get("src"):
            self.loads.append(a["src"])
        if tag == "link" and a.get("rel") not in ("canonical", "next", "prev", "index", "search", "author"):
            self.loads.append(a["href"])

@functools.cache
def pages():
    "{path: what is in it} of all pages but the live ones, which are programs."
    return {p: Read(p.read_text(encoding="utf-8")) for p in sorted(SITE.rglob("*.html"))
            if p.parent.name not in ("live", "_static")}

def target(page, link):
    "The file and the anchor that a link of a page means; None for another host."
    parts = urlsplit(link)
    if parts.scheme or parts.netloc: return None
    return (page.parent/unquote(parts.path)).resolve() if parts.path else page, unquote(parts.fragment)


def test_all_parts_are_there():
    names = {str(p.relative_to(SITE)) for p in pages()}
    lessons = {p.stem + ".html" for p in (ROOT/"nbs").glob("[0-9]*.ipynb")}
    assert len(lessons) == 21 and lessons <= names
    assert {f"{kind}.html" for kind in KINDS} <= names
    assert (SITE/"live"/"explorer.html").stat().st_size < 7_500_000

def test_no_link_is_dead():
    "Within the site: the file and the place in it. A link that leads out must be one to the web."
    dead, known = [], {p: set(read.ids) for p, read in pages().items()}
    for page, read in pages().items():
        for link in {*read.links, *read.loads}:
            if (to := target(page, link)) is None:
                if not link.startswith(("https://", "data:", "mailto:")): dead.append((page.name, link))
                continue
            file, anchor = to
            there = file.is_file() and file.is_relative_to(SITE)
            if not there or (anchor and file in known and anchor not in known[file]):
                dead.append((page.name, link))
    assert not dead

def test_pages_lead_everywhere():
    "From the home page each page can be reached."
    seen, todo = set(), [SITE/"index.html"]
    while todo:
        page = todo.pop()
        if page in seen or page not in pages(): continue
        seen.add(page)
        todo += [to[0] for link in pages()[page].links if (to := target(page, link))]
    lost = {p.name for p in set(pages()) - seen}
    assert lost <= {"search.html", "genindex.html"}

def test_every_picture_has_words():
    for page, read in pages().items():
        for picture in read.pictures:
            if picture["src"].endswith(DECORATION): continue
            assert len(picture.get("alt") or "") > 8, (page.name, picture["src"][:80])
        for frame in read.frames: assert frame.get("title"), page.name

def test_nothing_comes_from_another_host():
    "Neither in the pages nor in their styles."
    outside = re.compile(r"^(?:https?:)?//")
    for page, read in pages().items():
        assert not [src for src in read.loads if outside.match(src)], page.name
    for sheet in SITE.rglob("*.css"):
        assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", sheet.read_text("utf-8")), sheet

def test_what_is_not_to_be_there():
    "No answers of the exam, no path of the machine that built it."
    assert (ROOT/"nbs"/"teachers"/"exam_answers.ipynb").exists() and not list(SITE.rglob("*exam*"))
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert str(ROOT) not in text, page.name
        assert 'href="exam' not in text, page.name

def test_formulas_are_mathml():
    "Drawn by the browser itself: no formula is left as TeX, no script is asked for."
    text = (SITE/"02_kernels.html").read_text(encoding="utf-8")
    assert text.count("<math ") >= 5 and "MathJax" not in text and r"\(" not in text


# In a browser

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass

@pytest.fixture(scope="module")
def address():
    "The site, served as a host of static pages serves it."
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()

@pytest.fixture(scope="module")
def chrome():
    with browser() as b: yield b

@contextlib.contextmanager
def window(chrome, address, **more):
    "A window whose pages must ask no other host, and must meet no error."
    context = chrome.new_context(**more)
    page, asked, errors = context.new_page(), [], []
    page.on("request", lambda r: asked.append(r.url))
    page.on("response", lambda r: errors.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    try: yield page
    finally: context.close()
    assert not errors, errors
    assert not [u for u in asked if not u.startswith((address, "data:", "blob:"))]

SHAPES = {"desktop": dict(width=1280, height=900), "phone": dict(width=390, height=844)}

@in_chromium
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("shape", SHAPES)
def test_kinds_of_pages(chrome, address, shape, scheme, kind):
    "On desktop and phone, light and dark: nothing that axe finds, nothing wider than the window."
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = []
    look = dict(viewport=SHAPES[shape], color_scheme=scheme, reduced_motion="reduce")
    with window(chrome, address, **look) as page:
        page.goto(f"{address}/{kind}.html")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > SHAPES[shape]["width"]: found.append(f"{wide} px wide")
        for v in axe.run(page, options={"iframes": False, "preload": False}).response["violations"]:
            nodes = [n["html"][:160] for n in v["nodes"][:3]]
            found.append(f"{v['id']} ({v['impact']}), {len(v['nodes'])}: {nodes}")
    assert not found, "\n".join(found)

@in_chromium
def test_every_page_opens(chrome, address):
    "And asks nobody else, down to its end: pictures and explorers load when they come into sight."
    with window(chrome, address, viewport=SHAPES["desktop"]) as page:
        for path in pages():
            page.goto(f"{address}/{path.relative_to(SITE)}")
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length")
            assert not broken, path

@in_chromium
@pytest.mark.parametrize("lesson", ["03_filters", "05_stride"])
def test_the_explorer_in_a_lesson_is_live(chrome, address, lesson):
    with window(chrome, address, viewport=SHAPES["desktop"]) as page:
        page.goto(f"{address}/{lesson}.html")
        page.locator("iframe.live").scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('iframe.live').contentWindow.shipviz?.result",
                               timeout=MINUTES)
        changed = """() => { const w = document.querySelector('iframe.live').contentWindow;
            w.shipviz.draw();
            const before = w.shipviz.result.y?.slice?.() ?? JSON.stringify(w.shipviz.result);
            const choice = w.document.getElementById('preset');
            choice.value = [...choice.options].map(o => o.value).find(v => v && v != choice.value);
            choice.dispatchEvent(new w.Event('change')); w.shipviz.draw();
            return JSON.stringify(before) !=
                JSON.stringify(w.shipviz.result.y?.slice?.() ?? JSON.stringify(w.shipviz.result)) }"""
        assert page.evaluate(changed)

@in_chromium
def test_the_explorer_computes(chrome, address):
    with window(chrome, address, viewport=SHAPES["desktop"]) as page:
        page.goto(f"{address}/explorer.html")
        page.get_by_role("link", name="Open the explorer").click()
        page.wait_for_selector("#bars li", timeout=MINUTES)
        assert page.locator("#bars li").count() >= 5

@in_chromium
@pytest.mark.parametrize("words,wanted", [
    ("hook", "13_heatmaps.html"), ("energy_in_mask", "api/scores.html")])
def test_search(chrome, address, words, wanted):
    with window(chrome, address, viewport=SHAPES["desktop"]) as page:
        page.goto(f"{address}/search.html?q={words}")
        page.wait_for_selector("#search-results li a", timeout=MINUTES)
        said = "document.querySelector('#search-results').innerText"
        page.wait_for_function(f"/finished|found|matching/.test({said})")
        hrefs = "all => all.map(a => a.getAttribute('href'))"
        links = page.eval_on_selector_all("#search-results li a", hrefs)
        assert any(wanted in link for link in links), links[:10]
