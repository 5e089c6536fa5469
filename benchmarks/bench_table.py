#!/usr/bin/env python
"""The table of README.md: shipviz beside pytorch-grad-cam, Captum and torch-cam, as Markdown.

    python benchmarks/bench_table.py                                    print it
    python benchmarks/bench_table.py --out benchmarks/comparison.md     keep it; then `make readme`

Times are multiples of a bare `no_grad` forward pass of the same batch. The cases take turns; in its turn each
runs twice, and the second time counts, since the first finds caches and memory as another library left them.
Of the turns, the median counts. Counts and properties are asked of the libraries that are installed; one that
is not (the extras `bench` and `fast` have them all) is left out, and its column says so."""
import argparse
import copy
import datetime
import gc
import importlib
import inspect
import os
import platform
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bench_heatmaps import build, found_layer, silent

SPEED = ['resnet18', 'mobilenet_v3_large', 'efficientnet_b0']
PEERS = {'pytorch-grad-cam': 'grad-cam', 'Captum': 'captum', 'torch-cam': 'torchcam'}
LINKS = {'pytorch-grad-cam': 'https://github.com/jacobgil/pytorch-grad-cam', 'Captum': 'https://captum.ai',
         'torch-cam': 'https://github.com/frgfm/torch-cam'}
MODULES = {'pytorch-grad-cam': 'pytorch_grad_cam', 'Captum': 'captum.attr', 'torch-cam': 'torchcam.methods'}
# What can't be counted: read in each library's documentation, at the versions above
WORDS = {
    'ViT, Swin: tokens made a map': ['by itself', 'a function of yours', 'no', 'a function of yours'],
    'scores of a heatmap': [
        'pointing game, energy, IoU on true masks; deletion, insertion, ROAD; with intervals and chance',
        'ROAD, ARCC, perturbation of confidence', 'infidelity, sensitivity',
        'average drop, increase; deletion, insertion'],
    'a fastai `Learner`, its top losses, its training': ['yes', 'no', 'no', 'no'],
    'beyond pictures: text, tables, single neurons': ['no', 'no', 'yes', 'no'],
}


NOTE = """² With `plan='openvino'` (`pip install "shipviz[fast]"`). All libraries share one process, whose
allocator has by then come to keep the memory of large passes. In a fresh process on Linux it returns
that memory after each layer, so a bare pass of many pictures is slower, and our multiples are
smaller.""".replace('\n', ' ')


def peers():
    "{name: module} of the peers that are here."
    import shipviz
    found = {}
    for name, module in MODULES.items():
        try: found[name] = importlib.import_module(module)
        except ImportError as e: print(f'{name} is left out: {e}', file=sys.stderr)
    return found

def cases(model, x, layer, found):
    """{name: a function that makes a Grad-CAM for each picture, of the class that the network predicts}

    Each has a copy of the network to itself, as in a program that uses one library: hooks come and go."""
    import torch

    from shipviz import heatmaps as hm
    own = {name: copy.deepcopy(model) for name in ('shipviz', 'openvino', *PEERS)}
    modules = {name: m.get_submodule(layer) for name, m in own.items()}
    def bare():
        with torch.no_grad(): return model(x)
    out = {'bare': bare, 'shipviz': lambda: hm.heatmap(own['shipviz'], x)}
    if importlib.util.find_spec('openvino'):
        out['openvino'] = lambda: hm.heatmap(own['openvino'], x, plan='openvino')
    if 'pytorch-grad-cam' in found:
        def pgc():
            net, layers = own['pytorch-grad-cam'], [modules['pytorch-grad-cam']]
            with found['pytorch-grad-cam'].GradCAM(net, layers) as c: return c(x, None)
        out['pytorch-grad-cam'] = pgc
    if 'Captum' in found:
        attribute = found['Captum'].LayerGradCam(own['Captum'], modules['Captum']).attribute
        out['Captum'] = lambda: attribute(x, target=bare().argmax(1))  # it does not give the scores away
    if 'torch-cam' in found:
        def torchcam():
            with found['torch-cam'].GradCAM(own['torch-cam'], modules['torch-cam']) as c:
                scores = own['torch-cam'](x)
                return c(scores.argmax(1).tolist(), scores)
        out['torch-cam'] = torchcam
    return out

def turns(fs, rounds, clock):
    "{name: median seconds} of the second of two calls in a row."
    times = {n: [] for n in fs}
    for _ in range(rounds):
        for n, f in fs.items():
            f()
            gc.collect()
            start = clock(); f(); times[n].append(clock() - start)
    return {n: statistics.median(t) for n, t in times.items()}

def speeds(args, found):
    "Rows of Grad-CAM's time, and one of Ablation-CAM's."
    import torch
    clock = {'wall': time.perf_counter, 'cpu': time.process_time}[args.clock]
    for batch in args.batches:
        for name in args.models:
            model = build(name)
            x = torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(batch))
            fs = cases(model, x, found_layer(model), found)
            for f in fs.values(): f()  # a plan is made in the second call
            t = turns(fs, args.rounds if batch > 1 else 3*args.rounds, clock)
            of = {n: f"{v/t['bare']:.2f}×" for n, v in t.items()}
            ours = of['shipviz'] + (f", {of['openvino']} ²" if 'openvino' in of else '')
            several = f'{batch} picture' + 's'*(batch > 1)
            yield [f'Grad-CAM, {name}, {several} ¹', ours, *(of.get(n, '–') for n in PEERS)]
    yield from ablation(args, found, clock)

def ablation(args, found, clock):
    "A row of the method with one pass for each channel."
    import torch

    from shipviz import heatmaps as hm
    model, x = build('resnet18'), torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    def bare():
        with torch.no_grad(): model(x)
    def ours():
        with silent(): hm.heatmap(model, x, method='ablationcam')
    fs = {'bare': bare, 'shipviz': ours}
    if lib := found.get('pytorch-grad-cam'):
        def pgc():
            with silent(), lib.AblationCAM(model, [model.get_submodule(found_layer(model))]) as c: c(x, None)
        fs['pytorch-grad-cam'] = pgc
    t = turns(fs, args.rounds, clock)
    of = (f"{t[n]/t['bare']:.3g}×" if n in t else '–' for n in ('shipviz', *PEERS))
    yield ['Ablation-CAM, resnet18, 1 picture ¹', *of]

def methods(found):
    "How many ways of explaining a picture each has, as its own classes count them."
    from shipviz.heatmaps import METHODS
    def classes(module, base, *but):
        return sum(inspect.isclass(c) and issubclass(c, base) and c is not base
                   and not n.startswith(('_', 'Base', 'Random', *but)) for n, c in vars(module).items())
    n = {}
    if lib := found.get('pytorch-grad-cam'):
        n['pytorch-grad-cam'] = classes(lib, importlib.import_module('pytorch_grad_cam.base_cam').BaseCAM)
    if lib := found.get('Captum'):
        kinds = ('Gradient', 'Layer', 'Neuron', 'Perturbation', 'Internal')
        n['Captum'] = classes(lib, lib.Attribution, 'LLM', 'RemoteLLM', 'DataLoader', 'LimeBase',
                              *(f'{k}Attribution' for k in kinds))
    if lib := found.get('torch-cam'):
        base = importlib.import_module('torchcam.methods.core')._CAM
        n['torch-cam'] = classes(lib, base)
    return ['methods, those for layers and neurons counted', len(METHODS), *(n.get(p, '–') for p in PEERS)]

def finds_layer(found):
    "Whether the layer may be left out, by the signature of Grad-CAM."
    asks = {'pytorch-grad-cam': ('GradCAM', 'target_layers'), 'Captum': ('LayerGradCam', 'layer'),
            'torch-cam': ('GradCAM', 'target_layer')}
    def says(name):
        what, layer = asks[name]
        default = inspect.signature(getattr(found[name], what)).parameters[layer].default
        return 'no' if default is inspect.Parameter.empty else 'yes'
    out = {n: says(n) for n in asks if n in found}
    return ['finds the layer by itself', 'yes', *(out.get(p, '–') for p in PEERS)]

def head():
    def known(package):
        try: return version(package)
        except PackageNotFoundError: return 'not here'
    import shipviz
    return ['', f'shipviz {shipviz.__version__}',
            *(f'[{n}]({LINKS[n]}) {known(p)}' for n, p in PEERS.items())]

def machine(args):
    "When and where it was measured."
    import torch
    cores, kind = os.cpu_count(), platform.machine()
    if Path('/proc/cpuinfo').exists():
        names = [l.split(':')[1].strip() for l in Path('/proc/cpuinfo').read_text().splitlines()
                 if l.startswith('model name')]
        kind = names[0] if names else kind
    said = {'cpu': 'processor time', 'wall': 'time'}[args.clock]
    several = f"{args.threads} thread{'s'*(args.threads > 1)}"
    torch_is, day = torch.__version__.split('+')[0], f'{datetime.date.today():%d %B %Y}'
    return (f'¹ {said.capitalize()} as a multiple of a bare `no_grad` pass, 224 px, for the class that the '
            f'network predicts; torch {torch_is} with {several}, median of turns in one run of '
            f'`benchmarks/bench_table.py` on {day}, {cores} cores of {kind}. '
            f'{NOTE}')

def markdown(rows):
    first, *rest = [[str(c) for c in row] for row in rows]
    line = lambda row: '| ' + ' | '.join(row) + ' |'
    return '\n'.join([line(first), '|:--|' + '--:|'*(len(first) - 1), *map(line, rest)])

def main(args):
    import torch
    torch.set_num_threads(args.threads)
    found = peers()
    rows = [head(), *speeds(args, found), methods(found), finds_layer(found),
            *([k, *v] for k, v in WORDS.items())]
    text = f'{markdown(rows)}\n\n{machine(args)}\n'
    print(text)
    if args.out: args.out.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--out', type=Path, help='a Markdown file to write')
    p.add_argument('--models', nargs='+', default=SPEED, help='torchvision names')
    p.add_argument('--batches', nargs='+', type=int, default=[1, 16])
    p.add_argument('--rounds', type=int, default=7, help='turns for a batch; three times as many for one')
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--clock', choices=['wall', 'cpu'], default='cpu')
    main(p.parse_args())
