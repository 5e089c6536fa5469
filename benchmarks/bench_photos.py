#!/usr/bin/env python
"""Many photos: `heatmap(learn, paths)` beside opening them alone and computing alone.

    python benchmarks/bench_photos.py                        1,000 photos of 800×1200, on two cores
    python benchmarks/bench_photos.py --photos 100 --size 2400 3600

Torch computes with one thread, while others open the next photos. On two cores that could take half of
opening and computing together; it is compared with the larger of the two. The cases take turns; the medians
of the turns are compared. A quiet machine, please."""
import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def photos(folder, n, size):
    "Write n JPEGs with as much detail as photos have."
    import numpy as np
    from PIL import Image
    rng, paths = np.random.default_rng(0), []
    for i in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 18, 3), dtype=np.uint8))
        noise = rng.normal(0, 6, (*size, 3))
        pixels = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC)) + noise
        path = Path(folder)/f'{i:04}.jpg'
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths

def cases(learn, paths, bs):
    "What takes turns: functions without arguments."
    from shipviz.heatmaps import as_batch, heatmap
    parts = [paths[i:i + bs] for i in range(0, len(paths), bs)]
    x = as_batch(learn, parts[0])
    def opening():
        for part in parts: as_batch(learn, part)
    def computing():
        for part in parts: heatmap(learn, x[:len(part)])
    def in_turns():
        for part in parts: heatmap(learn, part)
    def ours(): heatmap(learn, paths, bs=bs)
    return dict(opening=opening, computing=computing, ours=ours, in_turns=in_turns)

def main(args):
    import torch

    from shipviz.learners import imagenet_learner
    torch.set_num_threads(1)
    learn = imagenet_learner()
    with tempfile.TemporaryDirectory() as folder:
        fs = cases(learn, photos(folder, args.photos, args.size), args.bs)
        fs['computing']()                                          # the first call finds the layer
        times = {name: [] for name in fs}
        for _ in range(args.rounds):
            for name, f in fs.items():
                start = time.perf_counter()
                f()
                times[name].append(time.perf_counter() - start)
    t = {name: statistics.median(values) for name, values in times.items()}
    size = '×'.join(map(str, args.size))
    print(f'{args.photos} photos of {size}, efficientnet_lite0 at 224 px, batches of {args.bs}\n')
    print('| opening alone, s | computing alone, s | ours, s | over the larger | in turns, over the larger |')
    print('|---:|---:|---:|---:|---:|')
    larger = max(t['opening'], t['computing'])
    print(f"| {t['opening']:.1f} | {t['computing']:.1f} | {t['ours']:.1f} | {t['ours']/larger:.2f}× | "
          f"{t['in_turns']/larger:.2f}× |")


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--photos', type=int, default=1000)
    p.add_argument('--size', type=int, nargs=2, default=(800, 1200), help='height and width')
    p.add_argument('--bs', type=int, default=32)
    p.add_argument('--rounds', type=int, default=2)
    main(p.parse_args())
