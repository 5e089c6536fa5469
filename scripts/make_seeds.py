"""Make `shipviz/weights/seeds.json`: the lessons' quick network trained with other seeds, and scored.

    python scripts/make_seeds.py      # 1 to 5 and 42, each on one thread, and 42 once more on two threads

Each run is added to the file when it is done, and runs that the file holds already are not made again, so it
can be stopped. A run takes about two minutes of processor time. Delete the file and make it anew when the
renderer, the recipe of `trained_learner(quick=True)` or a score changes. `tests/test_evaluation.py` says what
it must hold."""
import argparse
import json
from pathlib import Path

import torch

import shipviz  # first: it repairs a torchvision built for another torch
from shipviz.core import atomic_write
from shipviz.data import get_dls
from shipviz.datasets import load_ships, ships_data
from shipviz.evaluation import pictures_and_masks
from shipviz.heatmaps import as_batch, heatmap
from shipviz.learners import _RECIPES, _train, fingerprint, predict, ship_learner
from shipviz.scores import chance_maps, score_maps
from shipviz.ships import RENDERER

FILE = Path(__file__).parents[1]/"shipviz"/"weights"/"seeds.json"
RUNS = [(42, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (42, 2)]
SCORES = {"pointing": 2, "ratio": 2, "iou": 3}  # and their decimals
FORMAT = 1


def trained(seed, dls):
    "The lessons' quick network; unlike `trained_learner(quick=True, seed=seed)`, always on the same pictures"
    learn = ship_learner(dls, head="linear", bn_final=False, seed=seed)
    _train(learn, _RECIPES["quick"], progress=False)
    return learn


def scored(learn, pictures, masks):
    "Scores of Grad-CAM and LayerCAM at the last map, and of the next picture's Grad-CAM, as lists of numbers"
    x = torch.cat([as_batch(learn, pictures[i:i+50]) for i in range(0, len(pictures), 50)])
    def maps(method): return torch.cat([heatmap(learn, part, method=method).maps for part in x.split(50)])
    gradcam = maps("gradcam")
    found = {"gradcam": gradcam, "layercam": maps("layercam"),
             "(swapped)": chance_maps("swapped", len(gradcam), gradcam.shape[1:], gradcam)}
    tolerance = round(15*min(x.shape[2:])/224)
    tables = {name: score_maps(m, masks, tolerance) for name, m in found.items()}
    return {name: {s: [rounded(v, digits) for v in t[s]] for s, digits in SCORES.items()}
            for name, t in tables.items()}

def rounded(number, digits):
    "With so many decimals; whole numbers, which most hits and misses are, without a point"
    number = round(float(number), digits)
    return int(number) if number == int(number) else number


def run(seed, threads, dls, tests):
    torch.set_num_threads(threads)
    learn = trained(seed, dls)
    right = [int(a == b) for a, b in zip(predict(learn, tests.path.tolist()).argmax(1).tolist(),
                                         [list(dls.vocab).index(label) for label in tests.label])]
    pictures, masks = pictures_and_masks(tests, (_RECIPES["quick"]["size"],)*2)
    return {"seed": seed, "threads": threads, "right": right, "scores": scored(learn, pictures, masks)}


def write(content):
    text = json.dumps(content, separators=(",", ":")) + "\n"
    with atomic_write(FILE) as tmp: Path(tmp).write_text(text, encoding="utf-8")


def main():
    recipe = _RECIPES["quick"]
    argparse.ArgumentParser(description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    data = ships_data(recipe["n"], recipe["n_test"], seed=42, progress=False)
    dls = get_dls(data, size=recipe["size"])
    tests = load_ships(data, truth=True).query('split == "test"')
    content = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {
        "format": FORMAT, "renderer": RENDERER, "data": fingerprint(dls), "size": recipe["size"],
        "torch": torch.__version__, "pictures": [Path(p).name for p in tests.path], "runs": []}
    done = {(r["seed"], r["threads"]) for r in content["runs"]}
    for seed, threads in RUNS:
        if (seed, threads) in done: continue
        content["runs"].append(run(seed, threads, dls, tests))
        write(content)
        new = content["runs"][-1]
        right, hits = (sum(x)/len(tests) for x in (new["right"], new["scores"]["gradcam"]["pointing"]))
        print(f"seed {seed}, {threads} threads: {right:.3f} right, pointing {hits:.3f}", flush=True)


if __name__ == "__main__": main()
