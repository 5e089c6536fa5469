"A test for each promise of .github/SECURITY.md; hostile.py has the single bad inputs."
import ast
import re
import socket
from pathlib import Path

import pytest
from browser import MINUTES, Lab, browser, jupyterlab, why_not, write_notebook
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


# Nor in a live JupyterLab, whose cells may run scripts: no name becomes one

FILE = "'\"><img src=x onerror=noticed('a name')>"   # may be a file's name
LABEL = "</script></style></textarea><script>noticed('a name')</script><img src=//elsewhere.test/x>"
SHOW = f"""
import html, shipviz, torch
from fastai.vision.all import CrossEntropyLossFlat, ImageDataLoaders, Learner
from IPython.display import display
from PIL import Image
from shipviz.explorer_pages import show_explorer
from shipviz.interpretation import ShipInterpretation
from shipviz.report import report
from shipviz.widgets import HeatmapExplorer, KernelExplorer, TopLossBrowser
classes = [{LABEL!r}, "{{{{7*7}}}}" + {FILE!r}]
files = [{FILE!r} + f"{{i}}.png" for i in range(8)]
for i, file in enumerate(files): Image.new("RGB", (32, 32), (30*i, 99, 99)).save(file)
labels = [classes[i % 2] for i in range(8)]
dls = ImageDataLoaders.from_lists(".", files, labels, valid_pct=.5, bs=4, num_workers=0)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                          torch.nn.Flatten(), torch.nn.Linear(4, 2))
learn = Learner(dls, net, CrossEntropyLossFlat())
def framed(page):
    display({{"text/html": f'<iframe srcdoc="{{html.escape(page)}}"></iframe>'}}, raw=True)""", """
interp = ShipInterpretation.from_learner(learn)
losses = TopLossBrowser(interp)
losses.w_wrong.value = False
display(losses, HeatmapExplorer(learn, files), KernelExplorer(files[0]))""", """
display(interp.table(), interp.report())
framed(interp.to_html("losses.html", force=True).read_text())
framed(report(learn, "r", photos=files[:1], title=classes[0], note=classes[1], n_curves=0, n_examples=2,
              force=True, progress=False).path.read_text())"""
SCRIPTED = "show_explorer(files[0], classes[0])"  # which has a script of its own, so no strict policy
CONTROL = """
from IPython.display import display
def show(page): display({"text/html": page}, raw=True)
show("<img src=data:, onerror=noticed(1)>")
show('<iframe srcdoc="<img src=//elsewhere.test/x onerror=parent.noticed(2)>"></iframe>')"""
WATCH = "addEventListener('securitypolicyviolation', e => noticed(`${e.effectiveDirective} ${e.blockedURI}`))"
SHOWN = """names => {                        // a notebook makes what is seen
    for (const e of document.querySelectorAll('.jp-OutputArea-output')) e.scrollIntoView();
    const shown = document.body.innerText;
    return names.every(name => shown.includes(name)) && shown }"""
RUN = """source => {
    const book = jupyterapp.shell.currentWidget.content;
    book.model.sharedModel.addCell({ cell_type: 'code', source });
    book.activeCellIndex = book.widgets.length - 1;
    return jupyterapp.commands.execute('notebook:run-cell') }"""


@pytest.mark.browser
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_no_name_runs_in_a_live_jupyterlab(tmp_path):
    """As Jupyter is by itself, and under a policy that reports each try. That tries are noticed is shown by a
    last cell, which does what no name may do."""
    settings = tmp_path/".jupyter"/"jupyterlab_settings_dir"/"@jupyterlab"/"notebook-extension"
    settings.mkdir(parents=True)
    (settings/"tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')  # draw all, seen or not
    write_notebook(tmp_path/"names.ipynb", *SHOW, SCRIPTED)
    write_notebook(tmp_path/"strict.ipynb", *SHOW)
    with browser() as chrome, jupyterlab(tmp_path) as server:
        own = server[0], server[0].replace("http", "ws"), "data:", "blob:", "about:"
        for name, notices in (("names", {1, 2, "http://elsewhere.test/x"}),
                              ("strict", {"script-src-attr inline"})):
            said, context = [], chrome.new_context(bypass_csp=name != "strict")
            context.expose_function("noticed", lambda what, said=said: said.append(what))
            context.add_init_script(WATCH)
            context.on("dialog", lambda d, said=said: (said.append(d.message), d.dismiss()))
            context.on("request", lambda r, said=said: r.url.startswith(own) or said.append(r.url))
            page = context.new_page()
            lab = Lab(page, *server, f"{name}.ipynb", f"lab/workspaces/{name}/tree")
            said.clear()  # JupyterLab's own page has a script in its text
            assert lab.run_all() == []
            page.get_by_text("1 to 4 of 4").wait_for(timeout=MINUTES)
            shown = page.wait_for_function(SHOWN, arg=[LABEL, FILE + "1"], timeout=MINUTES).json_value()
            page.wait_for_timeout(500)
            texts = [frame.locator("body").inner_text(timeout=MINUTES) for frame in page.frames]
            assert not said and len(texts) == (3 if name == "strict" else 4)
            for text in texts[:3]: assert "<img src=//elsewhere.test/x>" in text and "{{7*7}}" + FILE in text
            assert LABEL in shown and FILE + "1" in shown
            page.evaluate(RUN, CONTROL)
            page.wait_for_timeout(500)
            assert notices <= set(said)
            context.close()
