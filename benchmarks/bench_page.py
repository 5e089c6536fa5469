#!/usr/bin/env python
"""How fast the page of `shipviz explorer` is in a real Chromium. Run it on a quiet machine.

    python benchmarks/bench_page.py"""
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]/"tests"))
from browser import browser, why_not

from shipviz.network_page import network_page

MEDIAN = "const middle = times => times.sort((a, b) => a - b)[times.length >> 1];"
PASS = f"""async () => {{ {MEDIAN} const times = [];
    for (let i = 0; i < 60; i++) {{ await shipviz.analyse(); times.push(shipviz.result.ms) }}
    return middle(times) }}"""
CLASS = """() => { const start = performance.now();
    for (let k = 0; k < 200; k++) shipviz.result.heat('imagenet', 200 + k);
    return (performance.now() - start) / 200 }"""
SLIDER = f"""() => {{ {MEDIAN} const times = [], slider = document.getElementById('split');
    for (let i = 0; i < 60; i++) {{
        const start = performance.now();
        slider.value = i; slider.dispatchEvent(new Event('input'));
        times.push(performance.now() - start) }}
    return middle(times) }}"""


def main():
    if why_not(): sys.exit(f"This needs a browser: {why_not()}.")
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with tempfile.TemporaryDirectory() as folder, browser(*fake) as chrome:
        file = network_page(Path(folder)/"page.html")
        page = chrome.new_page(viewport=dict(width=1200, height=900))
        start = time.perf_counter()
        page.goto(file.as_uri())
        while not page.evaluate("!!window.shipviz?.result"): time.sleep(.01)
        rows = [("first answer after opening", f"{time.perf_counter() - start:.2f} s", ""),
                ("a pass of the network", f"{page.evaluate(PASS):.0f} ms", "60 ms"),
                ("the heat of another class", f"{page.evaluate(CLASS):.2f} ms", ""),
                ("slider to pixels, two classes", "", "16 ms")]
        page.locator("#bars button").nth(1).click()
        page.locator("#beside").select_option(index=1)
        rows[3] = (rows[3][0], f"{page.evaluate(SLIDER):.1f} ms", "16 ms")
        page.get_by_role("button", name="camera").click()
        page.wait_for_timeout(8000)
        rows.append(("pictures of the camera a second", f"{page.evaluate('shipviz.camera.rate'):.1f}", "12"))
        rows.append(("the file", f"{file.stat().st_size/1e6:.2f} MB", "7 MB"))
    print("| | measured | target |\n|---|--:|--:|")
    for row in rows: print("| " + " | ".join(row) + " |")


if __name__ == "__main__": main()
