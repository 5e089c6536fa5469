#!/usr/bin/env python
"""Record the moving picture of README.md: the page of `shipviz explorer` at work on rendered ships.

    python scripts/record_explorer.py       writes .github/images/explorer.webp; needs Chromium and playwright

Every frame is a picture of the real page; between them it answers to a real pointer. How long a frame stays
is set here and says nothing of the page's speed, so the milliseconds that the page tells are not shown."""
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/"tests")]
OUT, MOST = ROOT/".github"/"images"/"explorer.webp", 1_500_000
WIDTH, HEIGHT, SHOWN = 1120, 660, 896  # the window, and the width of the picture


class Film:
    "Frames of a page, each with the milliseconds that it stays."
    def __init__(self, page): self.page, self.frames, self.stays = page, [], []

    def take(self, stay):
        picture = Image.open(io.BytesIO(self.page.screenshot(scale="css"))).convert("RGB")
        picture = picture.resize((SHOWN, round(SHOWN*HEIGHT/WIDTH)), Image.Resampling.LANCZOS)
        if self.frames and picture == self.frames[-1]: self.stays[-1] += stay
        else: self.frames.append(picture); self.stays.append(stay)

    def save(self, path):
        first, *rest = self.frames
        first.save(path, save_all=True, append_images=rest, duration=self.stays, loop=0, quality=72, method=6,
                   minimize_size=False, kmin=9, kmax=17)
        return path.stat().st_size

def wait(page, condition, seconds=60):
    "The page's policy forbids Playwright's own waiting."
    end = time.monotonic() + seconds
    while not page.evaluate(f"!!({condition})"):
        if time.monotonic() > end: sys.exit(f"The page never came to {condition}")
        page.wait_for_timeout(20)

def look(page, film):
    "The heat of the classes, one after the other."
    film.take(1200)
    for i in (1, 2, 0):
        page.locator("#bars li button").nth(i).hover()
        page.wait_for_timeout(400)
        film.take(900)
    page.locator("#bars li button").nth(0).click()

def paint(page, film):
    "Cover what the network looks at, and see what becomes of answer and heat."
    page.locator('[data-tool="grey"]').click()
    page.locator("#brush").fill("16")
    page.evaluate("scrollTo(0, document.querySelector('#view').getBoundingClientRect().top + scrollY - 12)")
    box = page.locator("#view").bounding_box()
    at = lambda x, y: (box["x"] + x*box["width"], box["y"] + y*box["height"])
    film.take(700)
    page.mouse.move(*at(.24, .55))
    page.mouse.down()
    for i in range(1, 15):
        page.mouse.move(*at(.24 + .55*i/14, .55 + (.05 if i % 2 else -.05)), steps=3)
        page.wait_for_timeout(250)
        film.take(120)
    page.mouse.up()
    page.wait_for_timeout(500)
    film.take(1600)
    page.locator("#clear").click()

def how(page, film):
    "Down through the stages, to a map and its kernel."
    page.get_by_role("link", name="How?").click()
    wait(page, "document.querySelectorAll('#stages button').length > 20")
    page.wait_for_timeout(1000)
    page.evaluate("scrollTo(0, document.querySelector('#how').offsetTop - 8)")
    film.take(900)
    for _ in range(7):
        page.mouse.wheel(0, 190)
        page.wait_for_timeout(200)
        film.take(170)
    film.take(500)

def record(path=OUT):
    from browser import browser

    from shipviz.network_page import network_page
    with tempfile.TemporaryDirectory() as folder, browser() as chrome:
        page = chrome.new_page(viewport=dict(width=WIDTH, height=HEIGHT), color_scheme="light")
        page.goto(network_page(Path(folder)/"explorer.html").as_uri() + "#look&head=ships")
        wait(page, "document.querySelectorAll('#bars li').length > 3")
        page.evaluate("document.querySelector('#timing').hidden = true")
        page.evaluate("scrollTo(0, document.querySelector('.sources').offsetTop - 8)")
        page.wait_for_timeout(500)
        film = Film(page)
        for part in (look, paint, how): part(page, film)
    size = film.save(path)
    print(f"{path.name}: {len(film.frames)} frames, {sum(film.stays)/1000:.0f} s, {size/1e6:.2f} MB")
    if size > MOST: sys.exit(f"more than {MOST/1e6} MB: fewer frames, a smaller picture or a lower quality")


if __name__ == "__main__": record()
