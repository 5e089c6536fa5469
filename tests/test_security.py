"A test for each promise of .github/SECURITY.md; hostile.py has the single bad inputs."
import ast
import re
import socket
from pathlib import Path

import pytest
from browser import browser, why_not
from PIL import Image

from shipviz.report import report

LIB = Path(__file__).parents[1]/"shipviz"
SCRIPT = "<img src=x onerror=alert(1)>"
POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"


def calls():
    "(file, name as written, keyword arguments) of every call in the package."
    for path in sorted(LIB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
                yield path.relative_to(LIB).as_posix(), ast.unparse(node.func), keywords


# No code from files

def test_nothing_in_the_package_runs_what_a_file_says():
    found = list(calls())
    assert len(found) > 1000
    running = "eval", "exec", "compile", "__import__", "os.system", "os.popen"
    assert not [c for c in found if c[1] in running]
    assert not [c for c in found if "shell" in c[2]]
    loads = "pickle.load", "pickle.loads", "joblib.load", "load_learner"
    unpickled = {c[:2] for c in found if c[1].endswith(loads)}
    # between a process and its own workers: by pipes, in a temporary folder of their own, over Ray
    assert unpickled == {("workers.py", "pickle.load"), ("workers.py", "pickle.loads"),
                         ("parts.py", "pickle.load"), ("cluster.py", "pickle.loads")}
    assert {c[2].get("weights_only") for c in found if c[1] == "torch.load"} == {"True"}


# Nothing leaves its folder, and nothing connects

@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args): raise AssertionError(f"a connection to {args[-1]}")
    for name in ("connect", "connect_ex", "sendto"): monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("name", ["..\\up", SCRIPT, "$(touch owned)", "%2e%2e%2fup", "-rf"])
def test_commands_write_where_they_are_told_and_connect_nowhere(run, tmp_path, no_network, name):
    photo = tmp_path/"in"/f"{name}.png"
    photo.parent.mkdir()
    Image.new("RGB", (64, 48), "navy").save(photo)
    for line in (("heatmap", "imagenet", photo, "-o", "out/maps"), ("explorer", photo, "-o", "out/k.html"),
                 ("predict", "real-ships", photo, "-o", "out/p.csv")):
        (tmp_path/"out").mkdir(exist_ok=True)
        r = run(*line)
        assert r.exit_code == 0, r.output
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out"} and len(list(photo.parent.iterdir())) == 1
    assert {p.name for p in (tmp_path/"out").iterdir()} == {"maps", "k.html", "p.csv"}
    assert [p.name for p in (tmp_path/"out"/"maps").iterdir()] == [f"{name}-heatmap.png"]


# No page asks another host, and no name is code

@pytest.fixture(scope="module")
def pages(tmp_path_factory, learn, valid):
    "A report and an explorer whose photos, title and folder are named to do harm."
    folder = tmp_path_factory.mktemp("pages")/"'\"><script>alert(1)<"
    folder.mkdir()
    photo = folder/f"{SCRIPT}.png"
    Image.new("RGB", (64, 48), "navy").save(photo)
    report(learn, folder/"r", df=valid, photos=[photo], title=f"{SCRIPT}{{{{7*7}}}}",
           note="</style>" + SCRIPT, n_examples=2, n_losses=2, n_curves=0, progress=False)
    from shipviz.widgets import explorer_page
    explorer_page(folder/"k.html", photo)
    return folder


def test_pages_name_no_other_host_and_hold_no_name_as_markup(pages):
    for page in (pages/"r"/"report.html", pages/"k.html"):
        text = page.read_text(encoding="utf-8")
        assert SCRIPT not in text and "49" not in re.findall(r"<title>(.*?)</title>", text)[0]
        asked = re.findall(r"""(?:src|href|action|data|poster)\s*=\s*["']?([^"'\s>]+)""", text)
        asked += re.findall(r"""(?:url\(|@import\s+)["']?([^"')]+)""", text)
        asked += re.findall(r"""(?:fetch|WebSocket|EventSource|importScripts|import)\(["']([^"']+)""", text)
        assert not [a for a in asked if re.match(r"(https?:)?//|ftp:|javascript:", a)], asked
    assert "<script" not in (pages/"r"/"report.html").read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("name, policy", [
    ("r/report.html", POLICY), ("k.html", POLICY + "; script-src 'unsafe-inline'")],
    ids=["report", "explorer"])
def test_pages_work_under_a_strict_policy(pages, name, policy):
    "Of scripts the explorer's own alone; no host but the page's own; nothing that a name says happens."
    asked, said = [], []
    def answer(route):
        asked.append(route.request.url)
        path = pages/Path(route.request.url.removeprefix("http://pages.test/").replace("%20", " "))
        if not route.request.url.startswith("http://pages.test/") or not path.is_file(): return route.abort()
        route.fulfill(path=path, headers={"Content-Security-Policy": policy})
    with browser() as chrome:
        page = chrome.new_page()
        page.route("**/*", answer)
        page.on("dialog", lambda d: (said.append(d.message), d.dismiss()))
        page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: said.append(str(e)))
        page.goto(f"http://pages.test/{name}")
        page.wait_for_timeout(500)
        pictures = page.eval_on_selector_all("img", "all => all.map(i => i.complete && i.naturalWidth > 0)")
        if name == "k.html":
            assert page.locator("canvas").count() and not page.locator("#off").is_visible()
    said = [s for s in said if "favicon" not in s]
    assert not said and all(pictures), (said, pictures)
    assert {u.split("/")[2] for u in asked} == {"pages.test"}
