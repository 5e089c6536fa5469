"""The renderer: golden pictures, the same bytes everywhere, and nothing but the ship that tells the class.

When a change of the renderer is meant to alter pictures: raise `RENDERER` in nbs/library/00h_ships.ipynb,
export, and write the golden pictures anew with `SHIPVIZ_GOLDEN=write python -m pytest tests/test_ships.py`;
look at them before you commit them."""
import os
import subprocess
import sys
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image

from shipviz.ships import CLASSES, FLEET, RENDERER, build, choose_kind, render_ship

GOLDEN = Path(__file__).parent/"golden"
PICTURES = {c.lower(): dict(label=c, seed=11) for c in CLASSES} | {
    "hard": dict(label="Tankers", seed=12, difficulty="hard"),
    "easy": dict(label="Cargo", seed=13, difficulty="easy"),
    "without": dict(label="Tankers", seed=5, kind="product", without="pipes"),
    "parts": dict(label="Cargo", seed=5, parts="Tankers"),
    "crane": dict(label="Cruise", seed=8, crane=True)}


def test_golden_pictures_belong_to_this_renderer():
    "Data sets and models in caches are named by `RENDERER`: it must rise with every change of the pictures."
    if os.environ.get("SHIPVIZ_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        for name, request in PICTURES.items():
            render_ship(size=(96, 144), **request).image.save(GOLDEN/f"{name}.png")
        (GOLDEN/"renderer.txt").write_text(f"{RENDERER}\n")
    assert int((GOLDEN/"renderer.txt").read_text()) == RENDERER
    assert {p.stem for p in GOLDEN.glob("*.png")} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_golden_picture(name):
    with Image.open(GOLDEN/f"{name}.png") as im: want = np.asarray(im.convert("RGB")).astype(int)
    got = np.asarray(render_ship(size=(96, 144), **PICTURES[name]).image).astype(int)
    far = np.abs(got - want)  # other versions of Pillow and its JPEG library differ by a level here and there
    told = f"{name}: mean difference {far.mean():.2f}; see the top of this file"
    assert far.mean() < 1 and (far > 24).mean() < .005, told


def test_another_process_draws_the_same_bytes():
    code = ("import zlib; from shipviz.ships import render_ship; "
            "print(zlib.crc32(render_ship('Military', 7, (96, 128), 'hard').image.tobytes()))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    render_ship("Cruise", 1)  # what was drawn before makes no difference
    assert int(done.stdout) == zlib.crc32(render_ship("Military", 7, (96, 128), "hard").image.tobytes())


def test_kinds_come_with_their_shares():
    for label, kinds in FLEET.items():
        drawn = [choose_kind(label, seed) for seed in range(2000)]
        whole = sum(share for _, share in kinds.values())
        for kind, (_, share) in kinds.items():
            assert abs(drawn.count(kind)/2000 - share/whole) < .05, (label, kind)


@pytest.mark.parametrize("label", CLASSES)
def test_every_kind_shows_telling_parts_in_any_view(label):
    for kind in FLEET[label]:
        for seed in range(6):
            ship = render_ship(label, 40 + seed, kind=kind)
            assert ship.mask.mean() > .01 and ship.parts_mask.sum() > .01*ship.mask.sum(), (kind, seed)


@pytest.mark.parametrize("label", CLASSES)
def test_every_face_belongs_to_a_named_part(label):
    for kind in FLEET[label]:
        for seed in range(4):
            mesh = build(label, kind, seed)
            assert set(np.unique(mesh.faces().part)) <= set(range(len(mesh.names))), kind


def changed(a, b): return (np.asarray(a.image) != np.asarray(b.image)).any(-1)

@pytest.mark.parametrize("label", CLASSES)
def test_without_a_part_the_rest_of_the_picture_stays(label):
    "Nothing changes but blocks of the JPEG file that hold the part, its shadow or its reflection"
    for seed in (2, 3):
        whole = render_ship(label, seed)
        for part in whole.parts:
            bare = render_ship(label, seed, without=part)
            assert part not in bare.parts or not bare.parts[part].any()
            other = {k for k in bare.parts if bare.parts[k].any()}
            assert other <= set(whole.parts) - {part}
            where = changed(whole, bare)
            x0, y0, x1, y1 = (int(v) for v in whole.meta["cover"])
            outside = np.ones_like(where)
            outside[max(y0 - 18, 0):y1 + 18, max(x0 - 18, 0):x1 + 18] = False
            assert not (where & outside).any(), (label, seed, part)
            if whole.parts[part].sum() > 20: assert where.any(), (label, seed, part)


def test_parts_of_another_class():
    for label in CLASSES:
        for other in CLASSES:
            ship = render_ship(label, 4, parts=other)
            assert set(ship.parts) == set(render_ship(other, 4).parts) and ship.meta["label"] == label
            assert ship.mask.any()


def clues(k):
    "The covered picture and the ship's box: all that a cheat could use"
    ship = render_ship(CLASSES[k % 5], 9000 + k, size=(64, 96))
    a = np.asarray(ship.image).copy()
    x0, y0, x1, y1 = (max(int(v), 0) for v in ship.meta["cover"])
    a[y0:y1, x0:x1] = 128
    return a[::2, ::2].ravel(), ship.meta["box"]

@pytest.mark.slow
def test_nothing_but_the_ship_tells_its_class():
    "3,000 pictures, the ship covered, or only its box: no classifier gets beyond chance, one in five"
    from scipy.stats import binomtest
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import cross_val_predict
    n = 3000
    covered, boxes = map(np.array, zip(*joblib.Parallel(-1)(joblib.delayed(clues)(k) for k in range(n))))
    for name, x in (("covered pictures", covered), ("boxes", boxes)):
        trees = ExtraTreesClassifier(100, random_state=0, n_jobs=-1)
        answers = cross_val_predict(trees, x, np.arange(n) % 5, cv=5)
        hits = int((answers == np.arange(n) % 5).sum())
        test = binomtest(hits, n, .2, alternative="greater")
        low, high = test.proportion_ci(.95, method="exact")
        print(f"{name}: {hits/n:.1%} right, p = {test.pvalue:.3f}")
        assert test.pvalue > .005, f"{name}: {hits/n:.1%} of {n} are right"
