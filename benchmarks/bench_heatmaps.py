#!/usr/bin/env python
"""Heatmaps of shipviz beside pytorch-grad-cam and Captum: speed, memory, agreement, scores by true masks.

    python benchmarks/bench_heatmaps.py                       all of it, 224 px
    python benchmarks/bench_heatmaps.py speed --models resnet18 --batches 1
    python benchmarks/bench_heatmaps.py memory agreement scores

Speed is a ratio to a bare `no_grad` forward pass of the same batch; the cases take turns, and the median of
the turns counts. On a busy machine use `--clock cpu`. A peer that is not installed
(benchmarks/requirements.txt) is left out of the tables."""
import argparse
import contextlib
import copy
import gc
import io
import os
import statistics
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
warnings.filterwarnings('ignore')
SPEED = ['resnet18', 'resnet34', 'mobilenet_v3_large', 'efficientnet_b0', 'efficientnet_lite0',
         'regnet_y_400mf', 'convnext_tiny', 'densenet121']
AGREE = ['resnet18', 'vgg11_bn', 'densenet121', 'mobilenet_v3_small', 'efficientnet_b0', 'efficientnet_lite0']
# densenet's `features` ends before an in-place ReLU: there the peers mix what is before and after it
LAYER = {'densenet121': 'features.denseblock4'}
# one pass and one backward serve all of these
FREE = ['mean_activation', 'gradcam', 'hirescam', 'gradcampp', 'xgradcam', 'layercam', 'eigencam']


def build(name, seed=0, calibrate=False):
    """A seeded network in evaluation mode; efficientnet_lite0 with ImageNet weights.

    `calibrate`: give it batch statistics that fit, so that numbers don't vanish on the way up."""
    import torch
    from torchvision import models

    import shipviz
    torch.manual_seed(seed)
    if name == 'efficientnet_lite0':
        from shipviz.network import efficientnet_lite0
        return efficientnet_lite0().eval()
    model = models.get_model(name, weights=None)
    if calibrate:
        for m in model.modules():
            if isinstance(m, torch.nn.modules.batchnorm._BatchNorm): m.momentum = 1.
        with torch.no_grad(): model.train()(torch.randn(8, 3, 96, 96))
    return model.eval()

def peers():
    "The modules of the peers that are installed."
    import importlib

    import shipviz
    found = {}
    for name in ('pytorch_grad_cam', 'captum.attr'):
        try: found[name] = importlib.import_module(name)
        except ImportError as e: print(f'{name} is left out: {e}')
    return found

def found_layer(model):
    import torch

    from shipviz.heatmaps import layers
    return next(l.name for l in layers(model, torch.zeros(1, 3, 224, 224)) if l.default)

@contextlib.contextmanager
def silent():
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()): yield

def table(title, head, rows):
    print(f'\n{title}\n')
    rows = [[str(c) for c in r] for r in [head, *rows]]
    wide = [max(len(r[i]) for r in rows) for i in range(len(head))]
    for k, r in enumerate(rows):
        cells = [c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(r, wide))]
        print('| ' + ' | '.join(cells) + ' |')
        if k == 0: print('|' + '|'.join('-'*(w + 1) + (':' if i else '-') for i, w in enumerate(wide)) + '|')
    sys.stdout.flush()


# ---- the cases: each is a function that makes heatmaps for the predicted classes of a batch

def cases(model, x, layer, found):
    import torch

    from shipviz import heatmaps as hm
    from shipviz import plan, tracing
    module = model.get_submodule(layer)
    def bare():
        with torch.no_grad(): return model(x)
    def forgotten(): tracing._TRACES.clear(); plan._KNOWN.clear()
    def first(): forgotten(); return hm.heatmap(model, x)
    ours = lambda: hm.heatmap(model, x)
    # a few pictures have no plan before the second call; a large batch makes one in the first
    out = {'bare': bare, 'ours, first call': first, 'second call': ours, 'ours': ours,
           'ours, no plan': lambda: hm.heatmap(model, x, plan=False),
           f'ours, {len(FREE)} methods': lambda: hm.heatmaps(model, x, FREE)}
    if 'pytorch_grad_cam' in found:
        def pgc():
            with found['pytorch_grad_cam'].GradCAM(model, [module]) as c: return c(x, None)
        out['pytorch-grad-cam'] = pgc
    if 'captum.attr' in found:
        attribute = found['captum.attr'].LayerGradCam(model, module).attribute
        out['Captum, class given'] = lambda: attribute(x, target=0)
        out['Captum, predicted class'] = lambda: attribute(x, target=bare().argmax(1))
    return out

def take_turns(fs, rounds, clock, warm_up=True):
    """{name: median seconds}; every round runs each case once.

    The garbage collector waits, as in timeit: it would stop whoever is next."""
    times = {n: [] for n in fs}
    if warm_up:
        for f in fs.values(): f()
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        for n, f in fs.items():
            start = clock(); f(); times[n].append(clock() - start)
        gc.enable()
    return {n: statistics.median(t) for n, t in times.items()}

CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}

def turns(args, model, b, found, *only):
    "`take_turns` of the cases, all or some, with b pictures."
    import torch
    x = torch.randn(b, 3, 224, 224, generator=torch.Generator().manual_seed(b))
    fs = cases(model, x, found_layer(model), found)
    return take_turns({n: fs[n] for n in only or fs}, args.rounds if b > 1 else 3*args.rounds,
                      CLOCKS[args.clock])

def speed(args):
    import torch
    torch.set_num_threads(args.threads)
    found, rows, head = peers(), [], None
    for name in args.models or SPEED:
        model = build(name)
        for b in args.batches:
            t = turns(args, model, b, found)
            head = head or ['model, batch', 'bare, ms', 'ours, alone ¹', *list(t)[1:]]
            ratios = [f"{v/t['bare']:.2f}×" for v in list(t.values())[1:]]
            rows.append([f'{name}, {b}', f"{t['bare']*1e3:.0f}", in_its_own_process(args, name, b), *ratios])
    what = f'224 px, {args.threads} threads, {args.clock} time as a multiple of a bare no_grad pass'
    table(f'Speed: one heatmap for each picture, {what}', head, rows)
    print('\n¹ In a process of its own, as a multiple of a bare pass there. The other columns share a\n'
          '  process, in which the peers have left memory that the bare pass need not ask the system for.')
    slow(args, found, CLOCKS[args.clock])

def in_its_own_process(args, name, b):
    "`alone`, in a process of its own."
    command = [sys.executable, __file__, 'alone', '--models', name, '--batches', str(b), '--rounds',
               str(args.rounds), '--threads', str(args.threads), '--clock', args.clock]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]

def alone(args):
    "Print what ours takes as a multiple of a bare pass, where nothing else runs."
    import torch
    torch.set_num_threads(args.threads)
    with silent(): peers()                              # imported, as beside them, but not called
    # warming up, 'second call' is the first and 'ours' the second, which makes the plan
    t = turns(args, build(*args.models), *args.batches, {}, 'second call', 'bare', 'ours')
    print(f"{t['ours']/t['bare']:.2f}×")

def slow(args, found, clock):
    "Methods with one answer for each channel, each square or each step."
    import torch

    from shipviz import heatmaps as hm
    x, rows = torch.randn(1, 3, 224, 224), []
    for name in args.models or ['resnet18', 'mobilenet_v3_large', 'efficientnet_lite0']:
        model = build(name)
        layer = found_layer(model)
        def pgc(cls, model=model, layer=layer):
            make = getattr(found['pytorch_grad_cam'], cls)
            with silent(), make(model, [model.get_submodule(layer)]) as c: return c(x, None)
        for ours, theirs in (('ablationcam', 'AblationCAM'), ('scorecam', 'ScoreCAM')):
            fs = {'ours': partial(hm.heatmap, model, x, method=ours)}
            if 'pytorch_grad_cam' in found: fs['theirs'] = partial(pgc, theirs)
            t = take_turns(fs, 1, clock, warm_up=False)
            rows.append(compared(f'{theirs}, {name}, 1', t))
        if captum := found.get('captum.attr'):
            rows += [compared(f'{method}, {name}, 1 ¹', take_turns(fs, 1, clock, warm_up=False))
                     for method, fs in slow_of_captum(captum, hm, model, x).items()]
    head = ['method, model, batch', 'ours', 'theirs', 'ours is faster by'][:len(rows[0])]
    table('Methods with many passes, beside pytorch-grad-cam or (¹) Captum', head, rows)

def compared(name, t):
    "A row of seconds, and their ratio."
    ratio = [f"{t['theirs']/t['ours']:.1f}×"] if len(t) > 1 else []
    return [name, *(f'{v:.2f} s' for v in t.values()), *ratio]

def slow_of_captum(c, hm, model, x):
    "The two cases of each method that Captum has too, with the same passes; 8 copies at once in theirs."
    windows = dict(sliding_window_shapes=(3, 32, 32), strides=(3, 16, 16), perturbations_per_eval=8)
    steps = dict(n_steps=16, internal_batch_size=8)
    return {'occlusion': {
                'ours': lambda: hm.heatmap(model, x, 0, method='occlusion'),
                'theirs': lambda: c.Occlusion(model).attribute(x, target=0, **windows)},
            'integrated gradients': {
                'ours': lambda: hm.heatmap(model, x, 0, method='integrated_gradients', n=16),
                'theirs': lambda: c.IntegratedGradients(model).attribute(x, target=0, **steps)}}


# ---- memory: each case in a process of its own

def memory(args):
    rows = []
    for name in args.models or ['resnet34', 'efficientnet_lite0']:
        row = {}
        for case in ('bare', 'ours', 'ours, 7 methods', 'pytorch-grad-cam', 'Captum, class given'):
            # freed memory goes back at once
            env = {**os.environ, 'MALLOC_MMAP_THRESHOLD_': '65536', 'MALLOC_TRIM_THRESHOLD_': '65536'}
            command = [sys.executable, __file__, 'peak', '--models', name, '--case', case,
                       '--threads', str(args.threads)]
            r = subprocess.run(command, env=env, capture_output=True, text=True)
            row[case] = float(r.stdout.split()[-1]) if r.returncode == 0 else None
        peaks = ['-' if v is None else f"{v:.0f} MiB ({v/row['bare']:.2f}×)" for v in row.values()]
        rows.append([f'{name}, 16', *peaks])
    title = 'Memory: peak above the start of the call (resident set of a fresh process)'
    table(title, ['model, batch', *row], rows)

def status(key):
    "A line of Linux's account of this process, in MiB."
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(l for l in lines if l.startswith(key)).split()[1])/1024

def peak(args):
    "Print the peak of one case, in MiB above what is resident before it."
    import torch
    torch.set_num_threads(args.threads)
    with silent(): found = peers()
    model, x = build(args.models[0]), torch.randn(16, 3, 224, 224)
    layer = found_layer(model)
    fs = cases(model, x, layer, found)
    small = cases(model, x[:1], layer, found)
    small['bare'](); small[args.case]()                 # code and buffers of a first call are no part of it
    Path('/proc/self/clear_refs').write_text('5')       # the peak starts anew
    start = status('VmRSS'); fs[args.case]()
    print(status('VmHWM') - start)


# ---- agreement

CAMS = {'gradcam': 'GradCAM', 'hirescam': 'HiResCAM', 'xgradcam': 'XGradCAM', 'layercam': 'LayerCAM'}
NOTES = """
¹ Theirs adds 1e-6 to the denominator of equation 19, which is as large as the terms themselves;
  with the score × 10⁴ it no longer matters.
² Up to sign: a principal component has none; ours points where the mean activation is high.
³ With align_corners=True, as theirs; the default (False) keeps every cell in its place.
⁴ With their fill: 0 where the smallest activation is 0, otherwise that minimum - 1e7 (one channel a pass:
  in a larger batch theirs takes the minimum of what it has already filled); the default is the paper's 0.
⁵ Captum's own gradients, averaged over the noisy copies that ours drew.
⁶ Theirs with 2 pictures a pass, as ours. With all 40 steps at once sums are rounded otherwise, and where a
  ReLU or a max pool is about to switch that decides: vgg11_bn then differs by 2e-3, theirs from theirs too.
guided: theirs change nn.ReLU only; ours every ReLU, also ReLU6 and functions, and says so where there is none
  (ValueError).
xgradcam, gradcampp: where activations can be negative, a channel's sum, the denominator, can come close to 0;
  there round-off is large in both."""

def display(m, size=96):
    "What pytorch-grad-cam returns: stretched to 0…1, enlarged, and stretched again."
    import torch
    import torch.nn.functional as F

    from shipviz.heatmaps import normalise
    stretch = lambda m: torch.stack([normalise(v) for v in m])
    return stretch(F.interpolate(stretch(m)[:, None], (size, size), mode='bilinear')[:, 0])

def gap(a, b): return f'{(a - b).abs().max():.0e}'

def agreement(args):
    found, names, result = peers(), args.models or AGREE, {}
    for name in names:
        for key, difference in differences(name, found).items():
            try: result.setdefault(key, {})[name] = difference()
            except Exception as e: result.setdefault(key, {})[name] = type(e).__name__
    rows = [[k, *(v.get(n, '-') for n in names)] for k, v in result.items()]
    title = 'Agreement: largest difference after the same normalisation, 96 px, two drawn pictures'
    table(title, ['method / peer', *names], rows)
    print(NOTES)

def differences(name, found):
    "{comparison: function that returns the difference} for one model."
    import torch

    from shipviz import heatmaps as hm
    model = build(name, calibrate=True)
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(7))
    p = hm.one_pass(model, x, LAYER.get(name))
    layer, target = p.layers[0], p.logits.argmax(1)
    module, out = model.get_submodule(layer), {}
    guided = lambda: hm.input_gradients(model, x, target, guided=True)
    if pgc := found.get('pytorch_grad_cam'):
        def theirs(cls, scale=1., **kw):
            with silent(), getattr(pgc, cls)(model, [module], **kw) as c:
                return torch.from_numpy(c(x, [lambda o, k=k: scale*o[k] for k in target]))
        def large(out): return 1e4*out.gather(1, target[:, None])[:, 0]
        def eigen():
            ours, t = p.heatmap('eigencam').maps, theirs('EigenCAM')
            def worst(i):
                "That of picture i, with the sign that fits."
                return min((display(s*ours[i:i+1]) - t[i]).abs().max() for s in (1, -1))
            return f'{max(map(worst, range(len(x)))):.0e}'
        def ablation():
            low = p.acts[layer][0].detach().flatten(1).min(1).values
            ours = p.heatmap('ablationcam', fill=torch.where(low == 0, low, low - 1e7)).maps
            return gap(display(ours), theirs('AblationCAM', batch_size=1 if low.any() else 32))
        def guided_theirs():
            with silent():
                explain = [pgc.GuidedBackpropReLUModel(copy.deepcopy(model), 'cpu') for _ in x]
                g = [f(x[i:i+1].clone(), int(target[i])) for i, f in enumerate(explain)]
            return relative(guided(), torch.stack([torch.as_tensor(v).permute(2, 0, 1) for v in g]))
        for m, cls in CAMS.items():
            out[f'{m} / pytorch-grad-cam'] = lambda m=m, cls=cls: gap(display(p.heatmap(m).maps), theirs(cls))
        def gradcampp(): return gap(display(p.heatmap('gradcampp').maps), theirs('GradCAMPlusPlus'))
        def scaled():
            return gap(display(p.heatmap('gradcampp', large).maps), theirs('GradCAMPlusPlus', 1e4))
        def scorecam():
            return gap(display(p.heatmap('scorecam', align_corners=True).maps), theirs('ScoreCAM'))
        out |= {
            'gradcampp, score × 10⁴ / pytorch-grad-cam ¹': scaled,
            'gradcampp / pytorch-grad-cam ¹': gradcampp,
            'eigencam / pytorch-grad-cam ²': eigen,
            'scorecam / pytorch-grad-cam ³': scorecam,
            'ablationcam / pytorch-grad-cam ⁴': ablation,
            'guided / pytorch-grad-cam': guided_theirs}
    if c := found.get('captum.attr'): out |= captums(c, hm, model, module, x, target, p)
    return out

def captums(c, hm, model, module, x, target, p):
    "The differences from Captum."
    leaf = lambda: x.clone().requires_grad_()
    def gradcam():
        return relative(p.heatmap('gradcam').maps, c.LayerGradCam(model, module).attribute(x, target)[:, 0])
    def saliency():
        return relative(p.heatmap('saliency').maps, c.Saliency(model).attribute(leaf(), target).amax(1))
    def gradients():
        return relative(hm.input_gradients(model, x, target),
                        c.Saliency(model).attribute(leaf(), target, abs=False))
    def guided():
        return relative(hm.input_gradients(model, x, target, guided=True),
                        c.GuidedBackprop(copy.deepcopy(model)).attribute(leaf(), target))
    def occlusion():
        windows = dict(sliding_window_shapes=(3, 32, 32), strides=(3, 20, 20))
        return relative(p.heatmap('occlusion', window=32, stride=20).maps,
                        c.Occlusion(model).attribute(x, target=target, **windows)[:, 0])
    def integrated():
        theirs = c.IntegratedGradients(model).attribute(x, 0., target, n_steps=20, internal_batch_size=len(x))
        return relative(p.heatmap('integrated_gradients', n=20).maps, theirs.float().sum(1))
    def lrp():
        "Theirs takes no module twice, so not every network."
        theirs = copy.deepcopy(model)
        for m in theirs.modules(): m.inplace = False
        return relative(p.heatmap('lrp', eps=1e-9).maps, c.LRP(theirs).attribute(leaf(), target).sum(1))
    return ({'lrp / Captum': lrp} if 'vgg' in type(model).__name__.lower() else {}) | {
        'integrated_gradients / Captum ⁶': integrated,
        'gradcam (raw) / Captum': gradcam,
        'saliency / Captum': saliency,
        'input gradients / Captum': gradients,
        'guided / Captum': guided,
        'occlusion / Captum': occlusion,
        'smoothgrad, same noise / Captum ⁵': lambda: smooth(c, model, x, target, p)}

# ---- scores: the network of the lessons on test pictures with true masks

def scores(args):
    from shipviz.datasets import load_ships
    from shipviz.evaluation import compare_methods
    from shipviz.learners import trained_learner
    learn = trained_learner(quick=args.quick)
    ships = load_ships(learn.dls.path, truth=True).query("split == 'test'")[:args.pictures]
    head = ['pointing', 'ratio', 'iou', 'deletion', 'insertion']
    found = compare_methods(learn, ships, [*FREE, 'saliency', 'guided'], deletion=16)
    rows = [[name, *(str(r[c]) for c in head)] for name, r in found.iterrows()]
    title = (f'Scores on {len(ships)} rendered test pictures with 95 % bootstrap intervals; '
             'in brackets what a map gets that knows nothing; deletion and insertion on 16')
    table(title, ['method', *head], rows)

def relative(a, b): return f'{(a - b).abs().max()/b.abs().max():.0e}'

def smooth(c, model, x, target, p):
    "Captum's gradients over the noise that smoothgrad draws with seed 0."
    import torch
    g, n = torch.Generator().manual_seed(0), 4
    sd = .15*(x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True))
    noisy = lambda: (x + sd*torch.randn(x.shape, generator=g)).requires_grad_()
    total = sum(c.Saliency(model).attribute(noisy(), target, abs=False) for _ in range(n))
    return relative(p.heatmap('smoothgrad', n=n).maps, (total/n).abs().amax(1))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('parts', nargs='*', default=['speed', 'memory', 'agreement', 'scores'],
                   help='speed, memory, agreement, scores (default: all)')
    p.add_argument('--models', nargs='+', help='torchvision names, or efficientnet_lite0')
    p.add_argument('--batches', nargs='+', type=int, default=[1, 16])
    p.add_argument('--rounds', type=int, default=7, help='turns for a batch; three times as many for one')
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--clock', choices=list(CLOCKS), default='wall')
    p.add_argument('--pictures', type=int, default=100, help='test pictures that are scored')
    p.add_argument('--quick', action='store_true',
                   help='score the quick network of the lessons, not the full one')
    p.add_argument('--case', help=argparse.SUPPRESS)
    args = p.parse_args()
    parts = {'speed': speed, 'memory': memory, 'agreement': agreement, 'scores': scores, 'peak': peak,
             'alone': alone}
    if bad := [n for n in args.parts if n not in parts]:
        p.error(f'no part {bad[0]!r}: speed, memory, agreement, scores')
    for name in args.parts: parts[name](args)
