#!/usr/bin/env python
"""Streams of pictures: overhead, scaling, memory, and the time to go on with a run that was stopped.

    python benchmarks/bench_stream.py                      all of it but memory
    python benchmarks/bench_stream.py overhead scaling     some of it
    python benchmarks/bench_stream.py memory --many 100000

Overhead is the processor time of `save_maps` with one worker over that of a bare loop over `heatmap`, both
with one thread; they take turns. Scaling is the rate of two workers over that of one, by the clock, after
the first parts have come: it needs a quiet machine, and on another the processor time says more.
Memory follows 100,000 links to a few thousand small
pictures, with a small network."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/'tests')]
warnings.filterwarnings('ignore')


def ships(folder, n):
    "Forty rendered ships as pictures of 480 by 320, again and again."
    from shipviz import CLASSES, render_ship
    folder.mkdir(parents=True)
    drawn = [render_ship(CLASSES[i % 5], seed=i).image.resize((480, 320)) for i in range(min(n, 40))]
    for i in range(n): drawn[i % 40].save(folder/f'{i:05d}.jpg', quality=90)
    return folder

def links(folder, n, real):
    "`n` links to the pictures of another folder, 1,000 in each of its subfolders."
    files = sorted(p for p in real.rglob('*.jpg'))
    for i in range(n):
        path = folder/f'{i//1000:04d}'/f'{i:07d}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(files[i % len(files)])
    return folder

def processor(f):
    "Seconds of the processor and of the clock that `f` takes."
    cpu, clock = time.process_time(), time.perf_counter()
    f()
    return time.process_time() - cpu, time.perf_counter() - clock


def overhead(a, d):
    import torch

    from shipviz.heatmaps import heatmap
    from shipviz.models import real_ships
    from shipviz.saved_maps import save_maps
    torch.set_num_threads(1)
    pictures, learn, turns = ships(d/'ships', a.n), real_ships(), []
    paths = sorted(pictures.iterdir())
    def bare():
        for i in range(0, len(paths), 32): heatmap(learn, paths[i:i + 32]).maps.half()
    def ours(): save_maps(learn, pictures, d/f'turn{len(turns)}', workers=1, progress=False)
    bare()
    for _ in range(a.turns):
        turns.append((processor(bare), processor(ours)))
        (cpu, clock), (our_cpu, our_clock) = turns[-1]
        print(f'  turn {len(turns)}: bare {cpu:.2f} s of the processor, {clock:.2f} of the clock; '
              f'save_maps {our_cpu:.2f} and {our_clock:.2f}', flush=True)
    cpu = statistics.median(b[0]/x[0] for x, b in turns)
    clock = statistics.median(b[1]/x[1] for x, b in turns)
    print(f'overhead over a bare loop, {a.n} pictures: {100*(cpu - 1):+.1f} % of processor time, '
          f'{100*(clock - 1):+.1f} % of the clock')


SCALED = """
import json, os, sys, time
from pathlib import Path
from shipviz import parts, saved_maps
def cpu(): # of this process and its children, in seconds; 0 where there is no /proc
    total = 0
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try: name, _, rest = stat.read_text().rpartition(')')
        except OSError: continue
        fields = rest.split()
        if str(os.getpid()) in (fields[1], name.split()[0]): total += int(fields[11]) + int(fields[12])
    return total/os.sysconf('SC_CLK_TCK')
parts.FIRST, parts.ROWS = 32, 32
times = []
keep = saved_maps._keep
def note(part, out):
    times.append((time.monotonic(), part.n, cpu()))
    keep(part, out)
saved_maps._keep = note
saved_maps.save_maps('real-ships', sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), progress=False)
print(json.dumps(times))
"""

def rate(pictures, out, workers):
    """Pictures a second, and seconds of the processor for each, between the first parts and the last round of
    parts."""
    done = subprocess.run([sys.executable, '-c', SCALED, str(pictures), str(out), str(workers)], check=True,
                          capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    times = json.loads(done.stdout.splitlines()[-1])
    first, last = times[2*workers - 1], times[-1 - workers]
    n = sum(t[1] for t in times[2*workers:len(times) - workers])
    return n/(last[0] - first[0]), (last[2] - first[2])/n

def scaling(a, d):
    pictures, found, bound = ships(d/'scaled', a.n_scaling), [], []
    for turn in range(a.turns):
        (one, cost), (two, cost_of_two) = (rate(pictures, d/f'{turn}-{w}', w) for w in (1, 2))
        found.append(two/one)
        bound.append(2*cost/cost_of_two if cost_of_two else float('nan'))
        print(f'  turn {turn + 1}: {one:.1f} pictures a second with one worker, {two:.1f} with two: '
              f'{two/one:.2f} times; {1000*cost:.1f} ms of the processor for a picture and '
              f'{1000*cost_of_two:.1f} (load {os.getloadavg()[0]:.1f})', flush=True)
    print(f'from one worker to two: {max(found):.2f} times at the best, '
          f'{statistics.median(found):.2f} in the median; by processor time (twice the cost of a picture '
          f'with one worker over that with two) {statistics.median(bound):.2f}')


MEMORY = """
import json, sys, threading, time, resource
import stress_stream as s
from shipviz.saved_maps import save_maps
def now(): return int(open('/proc/self/statm').read().split()[1])*resource.getpagesize()/1e6
seen, done = [], threading.Event()
def watch():
    while not done.wait(1): seen.append(now())
threading.Thread(target=watch, daemon=True).start()
start = time.time()
maps = save_maps(s.network(), sys.argv[1], sys.argv[2], prepare=s.prepare, workers=1, progress=False)
done.set()
print(json.dumps(dict(seen=seen, n=len(maps), seconds=time.time() - start)))
"""

def watched(pictures, out):
    both = os.pathsep.join(map(str, (ROOT, ROOT/'tests')))
    done = subprocess.run([sys.executable, '-c', MEMORY, str(pictures), str(out)], check=True,
                          capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': both})
    return json.loads(done.stdout.splitlines()[-1])

def memory(a, d):
    from stress_stream import make_pictures
    real = make_pictures(d/'real', 3000)
    pictures = links(d/'links', a.many, real)
    run = watched(pictures, d/'maps')
    seen = run['seen']
    tenth, last = seen[max(1, len(seen)//10)], seen[-1]
    print(f"memory over {run['n']:,} pictures ({run['seconds']:.0f} s): {tenth:.0f} MB after a tenth, "
          f'{max(seen):.0f} MB at most, {last:.0f} MB in the end')
    again = watched(pictures, d/'maps')
    size = sum(p.stat().st_size for p in (d/'maps'/'parts').iterdir())
    print(f"the same command again, with nothing left to do: {again['seconds']:.1f} s; the parts take "
          f"{size/run['n']:.0f} bytes a picture in {len(list((d/'maps'/'parts').iterdir()))} files")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', nargs='*', default=['overhead', 'scaling'], metavar='overhead scaling memory')
    parser.add_argument('--turns', type=int, default=3)
    parser.add_argument('-n', type=int, default=256, help='pictures for the overhead')
    parser.add_argument('--n-scaling', type=int, default=768)
    parser.add_argument('--many', type=int, default=100_000)
    a = parser.parse_args()
    for name in a.what:
        with tempfile.TemporaryDirectory() as d: globals()[name](a, Path(d))


if __name__ == '__main__': main()
