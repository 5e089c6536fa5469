"""A real Chromium, a real Firefox and a real JupyterLab, for the tests in a browser and
benchmarks/bench_widgets.py."""
import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
LESSON = ROOT/"nbs"/"20_lab.ipynb"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage"]
MINUTES = 60_000  # in the milliseconds that Playwright counts in
# as strict as JupyterLab itself bears: no script in the text of a page
POLICY = "script-src 'self' 'unsafe-eval' blob:"


def why_not():
    "What is missing here for a browser test, or ''."
    if not importlib.util.find_spec("playwright"):
        return "playwright is not installed (pip install playwright)"
    return "" if chromium() else "there is no Chromium (Debian: apt-get install chromium)"

def chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

@contextlib.contextmanager
def browser(*more):
    "Chromium, with more flags than those it needs here."
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=chromium(), args=[*FLAGS, *more])
        try: yield b
        finally: b.close()


def firefox():
    "The Firefox of this machine, or None. It is spoken to in WebDriver BiDi, so no driver is needed."
    if not importlib.util.find_spec("websocket"): return None
    return next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)

class Firefox:
    "A page in Firefox: `evaluate` and `wait_for_timeout` as Playwright has them, and the `errors` it met."
    def __init__(self, address, folder):
        self.address, self.folder, self.count, self.errors = address, folder, 0, []

    def __enter__(self):
        import websocket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        profile = Path(self.folder)/"profile"
        profile.mkdir()
        self.process = subprocess.Popen(
            [firefox(), "--headless", "--no-remote", f"--remote-debugging-port={port}", "--profile", profile],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"HOME": str(self.folder)})
        end = time.monotonic() + 60
        while True:
            try:
                self.socket = websocket.create_connection(f"ws://127.0.0.1:{port}/session", timeout=120,
                                                          suppress_origin=True)
                break
            except OSError:
                if time.monotonic() > end: raise
                time.sleep(.1)
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        self.context = self.send("browsingContext.getTree")["contexts"][0]["context"]
        self.send("browsingContext.navigate", context=self.context, url=self.address, wait="complete")
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        try: self.process.wait(30)
        except subprocess.TimeoutExpired: self.process.kill()

    def send(self, method, **params):
        "Ask, and wait for the answer; errors that the page logs meanwhile are kept."
        self.count += 1
        self.socket.send(json.dumps(dict(id=self.count, method=method, params=params)))
        while True:
            said = json.loads(self.socket.recv())
            if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.errors.append(said["params"]["text"])
            if said.get("id") != self.count: continue
            if said["type"] == "error": raise RuntimeError(f"{method}: {said['message']}")
            return said["result"]

    def evaluate(self, expression, arg=None):
        "The value of an expression, or of a function called with `arg`; by way of JSON."
        code = f"""(async () => {{
            const it = ({expression}), value = typeof it === 'function' ? it({json.dumps(arg)}) : it;
            return JSON.stringify(await value) ?? 'null' }})()"""
        target = dict(context=self.context)
        done = self.send("script.evaluate", expression=code, target=target, awaitPromise=True)
        if done["type"] != "success": raise RuntimeError(done["exceptionDetails"]["text"])
        return json.loads(done["result"]["value"])

    def wait_for_timeout(self, milliseconds): time.sleep(milliseconds/1000)


@contextlib.contextmanager
def jupyterlab(folder):
    "A JupyterLab server of its own, showing `folder` on a free loopback port; gives (address, token)."
    folder, token = Path(folder), secrets.token_hex(16)
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR",
              "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {n: str(folder/".jupyter"/n.lower()) for n in places}
    news = Path(own["JUPYTERLAB_SETTINGS_DIR"])/"@jupyterlab"/"apputils-extension"
    news.mkdir(parents=True)
    (news/"notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = os.environ | own | {"PYTHONPATH": path, "OMP_NUM_THREADS": "2", "JUPYTER_TOKEN": token}
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = open(folder/"jupyterlab.log", "w")
    settings = dict(headers={"Content-Security-Policy": POLICY})
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
               f"--port={port}", "--LabApp.expose_app_in_browser=True",
               "--JupyterNotebookApp.expose_app_in_browser=True", "--ServerApp.root_dir=.",
               "--ContentsManager.allow_hidden=False", f"--ServerApp.tornado_settings={settings!r}"]
    server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL)
    try:
        yield address(server, Path(own["JUPYTER_RUNTIME_DIR"]), folder/"jupyterlab.log"), token
    finally:
        server.terminate()  # its kernels end with it
        try: server.wait(30)
        except subprocess.TimeoutExpired: server.kill()
        log.close()

def address(server, runtime, log, seconds=120):
    "Where the server listens, once it answers: if the port that was free is taken by then, it chose another."
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError, urllib.error.URLError):
                url = json.loads(file.read_text())["url"]
                urllib.request.urlopen(f"{url}api", timeout=5).read()
                return url
        time.sleep(.1)
    raise RuntimeError(f"JupyterLab did not answer within {seconds} s:\n{log.read_text()[-2000:]}")


def write_notebook(path, *sources):
    "A notebook of code cells."
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nb.metadata.kernelspec = dict(name="python3", display_name="python3", language="python")
    nbformat.write(nb, path)


class Lab:
    "A notebook open in the browser, in JupyterLab or (`program` \"notebooks\") in Notebook 7."
    def __init__(self, page, url, token, name, program="lab/tree"):
        self.page = page
        page.goto(f"{url}{program}/{name}?token={token}", timeout=2*MINUTES)
        current = "window.jupyterapp?.shell.currentWidget"
        idle = f"{current}?.sessionContext.session?.kernel?.status == 'idle'"
        page.wait_for_function(f"{current}?.content?.model?.cells?.length > 0", timeout=2*MINUTES)
        page.wait_for_function(idle, timeout=2*MINUTES)

    def theme(self, name):
        change = "name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})"
        light = "false" if "Dark" in name else "true"
        self.page.evaluate(change, name)
        changed = f"document.body.dataset.jpThemeLight == '{light}'"
        self.page.wait_for_function(changed, timeout=MINUTES)

    def run_all(self):
        "Run all cells, and wait for them; the errors they show."
        self.page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
        done = f"() => {{ {CELLS} return errors.length || cells.every(c => c.executionCount) }}"
        self.page.wait_for_function(done, timeout=6*MINUTES)
        return self.page.evaluate(f"() => {{ {CELLS} return errors }}")

CELLS = """
    const cells = [...jupyterapp.shell.currentWidget.content.model.cells].filter(
        c => c.type == 'code' && c.sharedModel.getSource().trim());
    const shown = c => [...Array(c.outputs.length).keys()].map(i => c.outputs.get(i).toJSON());
    const outputs = cells.flatMap(shown);
    const errors = outputs.filter(o => o.output_type == 'error').map(o => o.ename + ': ' + o.evalue);"""


PIXELS = """async img => {
    await img.decode();
    const canvas = new OffscreenCanvas(img.naturalWidth, img.naturalHeight);
    const context = canvas.getContext('2d');
    context.drawImage(img, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return [canvas.height, canvas.width, [...data]] }"""

def pixels(img):
    "What an <img> of the page shows, `(H,W,3)`."
    import numpy as np
    h, w, data = img.evaluate(PIXELS)
    return np.array(data, dtype=np.uint8).reshape(h, w, 4)[..., :3]
