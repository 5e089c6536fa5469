"""How fast a drag is answered: KernelExplorer in JupyterLab, where the browser answers, the page without
Python, and how long Python takes for the same pictures when code asks for them.

    python benchmarks/bench_widgets.py

It needs Chromium and playwright; say on which machine, and how busy it was."""
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/"tests")]

from browser import MINUTES, Lab, browser, jupyterlab, why_not, write_notebook  # noqa: E402

from shipviz.ships import render_ship  # noqa: E402
from shipviz.widgets import KernelExplorer, explorer_page  # noqa: E402

N = 100
CELL = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from shipviz.ships import render_ship
from shipviz.widgets import KernelExplorer
KernelExplorer(render_ship('Cruise', seed=3, size=224).image)"""

# The slider moves by one step; the answer is drawn in the next frame, and seen by the one after it.
LATENCY = """async n => {
    const slider = document.querySelectorAll('.shipviz-kernel .cell')[4].lastChild, times = [];
    for (let i = 0; i < n + 10; i++) {
        await new Promise(done => setTimeout(done, 150));
        times.push(await new Promise(done => {
            const start = performance.now(), seen = () => done(performance.now() - start);
            slider.value = (i % 20) / 10 - 1;
            slider.dispatchEvent(new Event('input'));
            requestAnimationFrame(() => requestAnimationFrame(seen)) })) }
    return times.slice(10) }"""

FRAMES = """n => new Promise(done => { const times = [], at = []; let i = 0;
    function step(now) { at.push(now); for (const k of shipviz.state.kernels) k[0] = Math.sin(i / 9);
        const t = performance.now(); shipviz.draw(); times.push(performance.now() - t);
        ++i < n ? requestAnimationFrame(step) : done({ times, gaps: at.slice(1).map((t, j) => t - at[j]) }) }
    requestAnimationFrame(step) })"""


def row(name, ms, target=""):
    print(f"{name:58} {np.median(ms):7.1f} {np.percentile(ms, 95):7.1f}   {target}", flush=True)

def kernel_side():
    explorer, times = KernelExplorer(render_ship("Cruise", seed=3, size=224).image), []
    for i in range(N + 10):
        start = perf_counter()
        explorer.kernels = torch.full((3, 3), i % 40/20 - 1)
        explorer.still()
        times.append((perf_counter() - start)*1000)
    return times[10:]

def in_jupyterlab(b):
    with tempfile.TemporaryDirectory() as folder:
        write_notebook(Path(folder)/"bench.ipynb", CELL)
        with jupyterlab(folder) as (url, token):
            page = b.new_page(viewport=dict(width=1400, height=1000))
            lab = Lab(page, url, token, "bench.ipynb")
            if errors := lab.run_all(): sys.exit("\n".join(errors))
            page.wait_for_selector(".shipviz-kernel .cell", timeout=2*MINUTES)
            page.wait_for_timeout(2000)
            return page.evaluate(LATENCY, N)

def without_python(b, shared):
    with tempfile.TemporaryDirectory() as folder:
        page = b.new_page()
        photo = render_ship("Cruise", seed=3, size=512).image
        page.goto(explorer_page(Path(folder)/"kernel.html", photo).as_uri())
        page.wait_for_function("window.shipviz?.result", timeout=MINUTES)
        if not shared: page.get_by_label("one kernel for all channels").uncheck()
        page.evaluate(FRAMES, 30)
        return page.evaluate(FRAMES, 3*N)

def main():
    torch.set_num_threads(2)
    load = "/".join(f"{v:.1f}" for v in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load}, {N} moves of a slider, torch {torch.__version__}\n")
    print(f"{'milliseconds':58} {'median':>7} {'p95':>7}   target")
    row("Python: response and still picture, 224x224x3", kernel_side())
    if why := why_not(): return print(f"NOT MEASURED IN A BROWSER: {why}")
    with browser() as b:
        row("slider event to new pixels, JupyterLab, 224 px", in_jupyterlab(b), "<= 50, p95 <= 100")
        for shared, name in ((True, "one kernel"), (False, "a kernel for each channel")):
            got = without_python(b, shared)
            row(f"page without Python, 512 px, {name}: drawing", got["times"], "<= 16.7")
            row(f"page without Python, 512 px, {name}: between frames", got["gaps"], "16.7 is 60 a second")


if __name__ == "__main__": main()
