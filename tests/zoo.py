"""The zoo: is the map right on every network?

Change one patch of the picture, and the cell of the map there must be the one that changes; and no layer
after the one that a heatmap takes has places that the score depends on. Run with random weights, on one
network, the smallest, of each family that people use. `make zoo` (`python tests/zoo.py`) runs all and writes
the table `tests/zoo.md`; a dozen run in `tests/test_zoo.py`."""
import shipviz  # first: it repairs torchvision

# isort: split
import argparse
import contextlib
import importlib
import json
import re
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from shipviz.heatmaps import heatmap, one_pass
from shipviz.outputs import leaves
from shipviz.places import layouts_of

# What is asserted

ATTENTION = re.compile('att|mhsa|mla', re.I)

class Wrong(AssertionError): "A map that is not right."


def noise(size, channels=3, seed=0, n=1):
    return torch.randn(n, channels, *size, generator=torch.Generator().manual_seed(seed))

def awake(net, x):
    """A network with random weights, made a little more like a trained one: weights that are all zero, as
    of some new
    heads, are filled (no score would depend on anything), and batch norms learn the statistics of noise."""
    g = torch.Generator().manual_seed(0)
    norms = [m for m in net.eval().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for p in net.parameters():
            if p.is_floating_point() and not p.any(): p.copy_(.1*torch.randn(p.shape, generator=g))
        for m in norms:
            if m.track_running_stats: m.train().momentum = 1.
        if norms: net(x)
    return net.eval()

def calm(net):
    """An attention with random weights may outweigh what stands at each place: then every change shows
    everywhere. What it adds is made a tenth."""
    for m in net.modules():
        if not ATTENTION.search(type(m).__name__): continue
        last = [c for c in m.modules() if next(c.parameters(recurse=False), None) is not None][-1:]
        for p in (p for c in last for p in c.parameters(recurse=False)): p.data.mul_(.1)
    return net

def local(net):
    """LeViT's attentions have a weight for each distance, 0 when new: then an attention that makes fewer
    tokens of many mixes all places alike. As trained, near places weigh more."""
    for m in net.modules():
        if (biases := getattr(m, 'attention_biases', None)) is None: continue
        side = round(biases.shape[1]**.5)
        steps = torch.arange(side)[:, None] + torch.arange(side)
        biases.data.copy_(-2*steps.flatten().float().expand_as(biases))
    return net

def cells_of(h, w):
    "The corners of a map, and two places inside."
    corners = [(i, j) for i in sorted({0, h - 1}) for j in sorted({0, w - 1})]
    return corners, [c for c in dict.fromkeys([(h//2, w//2), (h//3, 2*w//3)]) if c not in corners]

def patched(x, other, cell, grid):
    "The picture, with the patch under a cell from another one."
    y = x.clone()
    box = (..., *(slice(i*N//n, (i + 1)*N//n) for i, n, N in zip(cell, grid, x.shape[-2:])))
    y[box] = other[box]
    return y

def special(change):
    """What is special to a patch at a cell: the logarithm of the change, compared with what this patch
    changes and with how much this cell changes, on average. (In a deep network a change spreads, and the
    middle always changes more than the edge.)"""
    logs = change.clamp(min=1e-9*change.max()).log()
    return logs - logs.mean(0) - logs.mean((1, 2), keepdim=True)

def assert_places(change, corners, inside=(), wide=True):
    """`change` `(K,h,w)`: how much each cell changes with the patch under each of K cells.

    Change a corner of the picture: what is special to it is largest at that corner of the map, or at a cell
    that touches it (a convolution with stride looks half a cell to the side); and of all corners, largest
    there. Where the change spreads over the whole map, as by convolutions with large gaps, it is enough that
    it is largest in the quarter of the map at that corner (not so if `wide` is false).
    Change a patch inside: the cell that changes most is at most two away, unless the change spreads over
    the map."""
    n, (h, w) = len(corners), change.shape[1:]
    if not change.amax((1, 2)).all(): raise Wrong('a changed patch changes nothing')
    def peak(values): return divmod(int(values.argmax()), w)
    def away(values, cell): return max(abs(a - b) for a, b in zip(peak(values), cell))
    def spreads(values): return values.max() <= 3*values.median()
    for cell, values, all_ in zip(corners, special(change[:n]), change):
        if away(values, cell) > (max(1, (min(h, w) - 1)//2) if wide and spreads(all_) else 1):
            raise Wrong(f'a change at {cell} shows at {peak(values)}')
        first = max(corners, key=lambda c: values[c].item())
        if first != cell: raise Wrong(f'a change at {cell} shows more at {first}')
    for cell, values in zip(inside, change[n:]):
        if not spreads(values) and away(values, cell) > 2:
            raise Wrong(f'a change at {cell} shows at {peak(values)}')

def assert_map(maps, size, channels=3):
    """`maps(picture)` `(C,h,w)` keeps the places of the picture. Noise has its chances: what fails is asked
    once more, with four other pictures."""
    def change(seeds):
        total = 0
        for seed in seeds:
            x, other = noise(size, channels, seed), noise(size, channels, seed + 100)
            before = maps(x).double()
            grid = before.shape[1:]
            cells = cells_of(*grid)
            after = [maps(patched(x, other, cell, grid)) for cell in sum(cells, [])]
            total = total + torch.stack([(a.double() - before).square().sum(0) for a in after])
        return total.sqrt(), *cells
    try: assert_places(*change([1]))
    except Wrong: assert_places(*change([2, 3, 4, 5]))

PASSIVE = re.compile('Pool2d|PoolNd|SelectAdaptivePool|Flatten|Permute|Rearrange|Upsample|Dropout|DropPath|'
                     'Identity')

def tensors_after(net, layer, x):
    "`(output, {(name, index): tensor})` of what the modules return that end after a layer, on one pass."
    modules, found, begun = dict(net.named_modules()), {}, []
    def note(name):
        def hook(module, args, out):
            if name == layer:
                found.clear()
                begun.append(name)
            elif begun: found.update({(name, i): t for i, t in enumerate(leaves(out)) if t.ndim in (3, 4)})
        return hook
    with contextlib.ExitStack() as stack:
        for n, m in modules.items():
            if n and not layer.startswith(n + '.'): stack.callback(m.register_forward_hook(note(n)).remove)
        out = net(x)
    def passive(name):
        parts = name.split('.')
        around = [type(modules['.'.join(parts[:n])]).__name__ for n in range(1, len(parts))]
        return PASSIVE.search(type(modules[name]).__name__) or any(map(ATTENTION.search, around))
    return out, {k: t for k, t in found.items() if len(t) == 1 and not passive(k[0])}

def assert_last(net, layer, size, channels=3, latents=False):
    """No module that ends after this layer makes features with places that the score depends on, but for
    the parts of an attention: its queries, keys and values are parts of what entered it.

    With random weights an attention may mix all places so well that nothing shows in which order they are.
    So what may have places, and is read by the score at most of them, is taken for places as well, unless
    the network is known to work on `latents`."""
    x, other = noise(size, channels), noise(size, channels, 1)
    with torch.enable_grad():
        out, found = tensors_after(net, layer, x.requires_grad_())
        scores = next(t for t in leaves(out) if t.ndim == 2)
        found = {k: t for k, t in found.items() if t.requires_grad}
        grads = torch.autograd.grad(scores[0, 0], list(found.values()), allow_unused=True) if found else []
    gradient = dict(zip(found, grads))
    places = [(k, l) for (k, t), g in zip(found.items(), grads) if g is not None
              for l in layouts_of(tuple(t.shape), size) if l.shape(g).any(1).sum() > 1
              and t.shape[1:-1] != (1,)]          # a single token
    acts = {}                                       # grid -> what the modules return, for each changed corner
    for (name, i), layout in places:
        corners, _ = cells_of(*layout.grid)
        if layout.grid not in acts:
            pictures = [x, *[patched(x, other, c, layout.grid) for c in corners]]
            with torch.no_grad(): acts[layout.grid] = [tensors_after(net, layer, y)[1] for y in pictures]
        before, *after = [layout.shape(a[name, i].double())[0] for a in acts[layout.grid]]
        change = [(a - before).square().sum(0).sqrt() for a in after]
        try: assert_places(torch.stack(change), corners, wide=False)
        except Wrong:
            if latents or gradient[name, i].ne(0).float().mean() < .5: continue
        shape = tuple(found[name, i].shape)
        raise Wrong(f'{name} {shape} has places and a say in the score, and comes after {layer}')

def assert_right(net, size, target=None, channels=3, latents=False):
    "`(layer, shape of the maps)` of the layer taken, if all is right. A refusal is a ValueError."
    x = noise(size, channels)
    p = one_pass(net, x)
    layer, = p.layers
    assert_map(lambda x: one_pass(net, x).activations(layer)[0], size, channels)
    if target is None: assert_last(net, layer, size, channels, latents)
    flags = heatmap(net, x, target).flags[0]
    if flags and 'nothing above zero' not in flags: raise Wrong(f'the map is {flags}')
    return layer, tuple(p.activations(layer).shape[1:])


def assert_same_layer(net, layer, size):
    "The layer taken does not depend on the weights."
    other, = one_pass(net, noise(size)).layers
    if other != layer: raise Wrong(f'with new weights {other} is taken, with others {layer}')


# The networks

class Case(NamedTuple):
    family: str
    name: str
    make: Callable|str    # a function; a sentence: why it is not tried
    size: tuple = (224, 224)
    target: Callable|None = None

def first_map(out): return next(t for t in leaves(out) if t.ndim == 4)[:, 0].mean((1, 2))

TORCHVISION = {
    'alexnet': 224, 'convnext_tiny': 224, 'densenet121': 224, 'efficientnet_b0': 224,
    'efficientnet_v2_s': 224, 'googlenet': 224,
    'inception_v3': 299, 'maxvit_t': 224, 'mnasnet0_5': 224, 'mobilenet_v2': 224, 'mobilenet_v3_small': 224,
    'regnet_x_400mf': 224,
    'regnet_y_400mf': 224, 'resnet18': 224, 'resnext50_32x4d': 224, 'shufflenet_v2_x0_5': 224,
    'squeezenet1_1': 224, 'swin_t': 224,
    'swin_v2_t': 256, 'vgg11': 224, 'vgg11_bn': 224, 'vit_b_32': 224, 'wide_resnet50_2': 224}

def torchvision_cases():
    from torchvision import models as tv
    def make(name): return lambda: tv.get_model(name, weights=None, **({'init_weights': False} if name in (
        'googlenet', 'inception_v3') else {}))
    for name, size in TORCHVISION.items(): yield Case('torchvision', name, make(name), (size, size))
    def seg(name, **kw):
        return lambda: tv.get_model(name, weights=None, weights_backbone=None, num_classes=4, **kw)
    aux = {'aux_loss': True}
    for name, kw in (('deeplabv3_mobilenet_v3_large', aux), ('deeplabv3_resnet50', aux),
                     ('fcn_resnet50', aux), ('lraspp_mobilenet_v3_large', {})):
        said = name + (' with aux_loss' if kw else '')
        size = 128 if name == 'fcn_resnet50' else 256  # its last convolutions look 4 cells away: see `wide`
        yield Case('torchvision, segmentation', said, seg(name, **kw), (size, size), first_map)
    for name in ('fasterrcnn', 'maskrcnn', 'retinanet', 'ssd', 'fcos', 'keypointrcnn'):
        why = 'answers with boxes, and needs an operator (nms) that a CPU-only torch lacks here'
        yield Case('torchvision, detection', name, why)
    yield Case('torchvision, video', 'r3d, mc3, s3d, mvit, swin3d', 'take clips (N,C,T,H,W), not pictures')
    yield Case('torchvision, optical flow', 'raft', 'answers with a flow between two pictures, no score')

SMP = 'Unet UnetPlusPlus MAnet Linknet FPN PSPNet DeepLabV3 DeepLabV3Plus PAN UPerNet Segformer DPT'.split()

def smp_cases():
    smp = importlib.import_module('segmentation_models_pytorch')
    def make(name):
        if name == 'DPT': return lambda: smp.DPT('tu-vit_tiny_patch16_224', encoder_weights=None, classes=3)
        return lambda: getattr(smp, name)('resnet18', encoder_weights=None, classes=3)
    for name in SMP:
        size = {'DPT': (224, 224), 'PAN': (256, 256)}.get(name, (128, 128))  # PAN: maps of 4×4, not 2×2
        yield Case('segmentation_models_pytorch', name, make(name), size, first_map)

TIMM = {
    'beit_base_patch16_224': 224, 'halonet_h1': 256, 'mobileone_s1': 224, 'cait_xxs24_224': 224,
    'coat_tiny': 224, 'convit_tiny': 224, 'convmixer_768_32': 224, 'convnext_atto_rms': 224,
    'cpubone_nano': 224, 'crossvit_tiny_240': 240, 'csatv2': 256, 'cs3darknet_focus_s': 256,
    'cspnext_tiny': 224, 'davit_tiny': 224, 'deit_tiny_patch16_224': 224, 'densenet121': 224,
    'dla46x_c': 224, 'dpn48b': 224, 'edgenext_xx_small': 256, 'efficientformer_l1': 224,
    'efficientformerv2_s0': 224, 'efficientnet_lite0': 224, 'efficientvim_m1': 224,
    'efficientvit_b0': 224, 'efficientvit_m0': 224, 'vit_tiny_patch16_dinov3_qkvb': 256,
    'fasternet_t0': 224, 'fastvit_t8': 256, 'focalnet_tiny_srf': 224, 'gcvit_xxtiny': 224,
    'ghostnet_050': 224, 'hardcorenas_b': 224, 'hgnetv2_b0': 224, 'hiera_tiny_224': 224,
    'sam2_hiera_tiny': 256, 'hrnet_w18_small': 224, 'iformer_t': 224, 'inception_next_atto': 224,
    'inception_resnet_v2': 299, 'inception_v3': 299, 'inception_v4': 299, 'lcnetv2_small': 224,
    'levit_128s': 224, 'lowformer_b0': 224, 'mambaout_femto': 224, 'maxvit_pico_rw_256': 256,
    'poolformerv2_s12': 224, 'gmlp_ti16_224': 224, 'mobilenetv3_small_050': 224,
    'mobilenetv5_base': 256, 'mobilevit_xxs': 256, 'mvitv2_tiny': 224,
    'naflexvit_base_patch16_gap': 256, 'nest_tiny': 224, 'nextvit_small': 224, 'nf_regnet_b0': 192,
    'pit_ti_224': 224, 'pvt_v2_b0': 224, 'qwen3_vit_88m': 256, 'rdnet_tiny': 224, 'regnetx_002': 224,
    'repghostnet_050': 224, 'repvit_m1': 224, 'res2next50': 224, 'resnest14d': 224, 'resnet10t': 176,
    'resnetv2_18': 224, 'rexnet_100': 224, 'selecsls42': 224, 'legacy_seresnet18': 224,
    'sequencer2d_s': 224, 'shvit_s1': 224, 'skresnet18': 224, 'starnet_s050': 224,
    'swiftformer_xs': 224, 'swin_tiny_patch4_window7_224': 224, 'swinv2_tiny_window8_256': 256,
    'swinv2_cr_tiny_224': 224, 'tiny_vit_5m_224': 224, 'tnt_s_legacy_patch16_224': 224,
    'tresnet_m': 224, 'twins_svt_small': 224, 'visformer_tiny': 224, 'vit_tiny_patch16_224': 224,
    'vit_tiny_r_s16_p8_224': 224, 'vit_srelpos_small_patch16_224': 224, 'samvit_base_patch16_224': 224,
    'vitamin_small_224': 224, 'volo_d1_224': 224, 'ese_vovnet19b_slim_dw': 224, 'xception': 299,
    'xception41p': 256, 'xcit_nano_12_p8_224': 224, 'vgg11': 224}
TIMM_BIG = {'deepseek_vit_412m': 412, 'gemma4_vit_167m': 167, 'nasnetalarge': 89, 'pnasnet5large': 86}

def timm_cases():
    timm = importlib.import_module('timm')
    for name, size in TIMM.items():
        yield Case('timm', name, lambda name=name: timm.create_model(name), (size, size))
    for name, millions in TIMM_BIG.items():
        yield Case('timm', name, f'the smallest of its module has {millions} million weights: too slow here')

VIT = dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=96)
STAGES = dict(hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 2, 1])
WINDOWS = dict(embed_dim=24, depths=[1, 1, 2, 1], num_heads=[1, 2, 4, 8])
TOWERS = dict(vision_config=VIT | dict(patch_size=32, image_size=224),
              text_config=dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
              intermediate_size=16, vocab_size=64))
PERCEIVER = dict(num_latents=16, d_latents=32, num_self_attends_per_block=2, num_self_attention_heads=2,
                 num_cross_attention_heads=1)
PVT = dict(hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 2, 1], num_attention_heads=[1, 2, 4, 8])
TRANSFORMERS = {  # class -> settings of its configuration, made small; a sentence: why it is not tried
    'BeitForImageClassification': VIT, 'BitForImageClassification': dict(depths=[1, 1, 1, 1]),
    'CLIPForImageClassification': TOWERS, 'ConvNextForImageClassification': STAGES,
    'ConvNextV2ForImageClassification': STAGES,
    'CvtForImageClassification': dict(embed_dim=[16, 32, 48], num_heads=[1, 2, 3],
                                       depth=[1, 2, 3]),
    'Data2VecVisionForImageClassification': VIT, 'DeiTForImageClassification': VIT,
    'DeiTForImageClassificationWithTeacher': VIT,
    'DinatForImageClassification': 'needs natten, which is not installed',
    'Dinov2ForImageClassification': VIT | dict(patch_size=16, image_size=224),
    'Dinov2WithRegistersForImageClassification':
    VIT | dict(patch_size=16, image_size=224), 'DonutSwinForImageClassification': WINDOWS,
    'EfficientNetForImageClassification': dict(width_coefficient=1., depth_coefficient=1., image_size=224,
        initializer_range=.2,
    hidden_dim=1280),
    'FocalNetForImageClassification': dict(embed_dim=24, depths=[1, 1, 2, 1]),
    'HGNetV2ForImageClassification': {},
    'HieraForImageClassification': WINDOWS, 'IJepaForImageClassification': VIT,
    'ImageGPTForImageClassification': 'takes a list of colour numbers, no picture',
    'LevitForImageClassification': {}, 'LevitForImageClassificationWithTeacher': {},
    'MetaClip2ForImageClassification': TOWERS,
    'MobileNetV1ForImageClassification': dict(depth_multiplier=.5),
    'MobileNetV2ForImageClassification': dict(depth_multiplier=.5),
    'MobileViTForImageClassification': dict(initializer_range=.2),
    'MobileViTV2ForImageClassification': dict(width_multiplier=.5, initializer_range=.2),
    'PerceiverForImageClassificationLearned': PERCEIVER | dict(image_size=64, d_model=256),
    'PerceiverForImageClassificationFourier': PERCEIVER,
    'PerceiverForImageClassificationConvProcessing': PERCEIVER,
    'PoolFormerForImageClassification': dict(hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 2, 1]),
    'PPLCNetForImageClassification': {}, 'PvtForImageClassification': PVT, 'PvtV2ForImageClassification': PVT,
    'RegNetForImageClassification': dict(hidden_sizes=[32, 64, 96, 128], depths=[1, 1, 2, 1],
    groups_width=16),
    'ResNetForImageClassification': dict(hidden_sizes=[32, 64, 96, 128], depths=[1, 1, 2, 1],
    embedding_size=16),
    'SegformerForImageClassification': PVT,
    'ShieldGemma2ForImageClassification': 'a language model that is asked about a picture in words',
    'SiglipForImageClassification': TOWERS,
    'Siglip2ForImageClassification': 'takes pictures cut into patches (N,T,C), with their sizes',
    'SwiftFormerForImageClassification': {}, 'SwinForImageClassification': WINDOWS,
    'Swinv2ForImageClassification': WINDOWS,
    'TextNetForImageClassification': {},
    'TimmWrapperForImageClassification': 'is what timm makes, see there', 'ViTForImageClassification': VIT,
    'ViTMSNForImageClassification': VIT,
    'SegformerForSemanticSegmentation': PVT, 'MobileViTForSemanticSegmentation': dict(initializer_range=.2),
    'BeitForSemanticSegmentation': VIT | dict(
        num_hidden_layers=4, out_indices=[1, 2, 3, 4], image_size=224, pool_scales=[1, 2]),
    'DPTForSemanticSegmentation': VIT | dict(num_hidden_layers=4, backbone_out_indices=[0, 1, 2, 3],
    image_size=224,
                                             neck_hidden_sizes=[16, 24, 32, 48], fusion_hidden_size=16)}

def transformers_cases():
    tf = importlib.import_module('transformers')
    def make(name, settings):
        cls = getattr(tf, name)
        return cls(cls.config_class(**settings))
    for name, settings in TRANSFORMERS.items():
        sizes = {'PerceiverForImageClassificationLearned': 64, 'MobileViTForImageClassification': 256,
                 'MobileViTV2ForImageClassification': 256}
        size = (sizes.get(name, 224),)*2
        target = first_map if 'Segmentation' in name else None
        yield Case('transformers', name, settings if isinstance(settings, str) else
                   lambda name=name, settings=settings: make(name, settings), size, target)

FASTAI = ['xresnet18', 'resnet18', 'resnet34', 'squeezenet1_0', 'squeezenet1_1', 'densenet121', 'vgg11_bn',
    'alexnet',
          'xresnet50', 'resnet50', 'densenet169', 'vgg13_bn']

def fastai_cases():
    from fastai.vision import models
    from fastai.vision.learner import create_timm_model, create_vision_model
    for name in FASTAI:
        yield Case('fastai', f'vision_learner({name})', lambda name=name: create_vision_model(
            getattr(models, name, None) or getattr(models.xresnet, name), 5, pretrained=False))
    for name in ('resnet10t', 'convnext_atto', 'vit_tiny_patch16_224', 'swin_tiny_patch4_window7_224'):
        yield Case('fastai', f'vision_learner({name!r})',
                   lambda name=name: create_timm_model(name, 5, pretrained=False)[0])

FAMILIES = {'torchvision': torchvision_cases, 'fastai': fastai_cases, 'timm': timm_cases,
    'transformers': transformers_cases,
            'segmentation': smp_cases}


CALM = {'efficientvit_b0', 'MobileViTForImageClassification', 'MobileViTV2ForImageClassification',
        'MobileViTForSemanticSegmentation'}  # see `calm`
LOCAL = {'levit_128s', 'LevitForImageClassification', 'LevitForImageClassificationWithTeacher'}  # see `local`
LATENTS = 'Perceiver'   # the score is read from tokens that have no place


# Running

class TooSlow(Exception): "The time limit"

@contextlib.contextmanager
def within(seconds):
    def stop(*args): raise TooSlow
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try: yield
    finally: signal.alarm(0)

def answer(case, limit=900):
    "`{'answer', 'said', 'layer', 'shape'}` of one network."
    if isinstance(case.make, str): return {'answer': 'not tried', 'said': case.make}
    start = time.process_time()
    try:
        with within(limit), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            torch.manual_seed(0)
            try:
                new = awake(case.make(), noise(case.size, seed=2, n=2))
                net = new
                for names, change in ((CALM, calm), (LOCAL, local)):
                    if case.name in names: net = awake(change(case.make()), noise(case.size, seed=2, n=2))
            except TooSlow: raise
            except Exception as e:
                return {'answer': 'not tried', 'said': f'does not run here: {type(e).__name__}: {e}'}
            layer, shape = assert_right(net, case.size, case.target, latents=LATENTS in case.name)
            if case.name in LOCAL: assert_same_layer(new, layer, case.size)
        found = {'answer': 'right', 'layer': layer, 'shape': shape}
    except TooSlow: found = {'answer': 'not tried', 'said': f'takes over {limit} s here'}
    except Wrong as e: found = {'answer': 'wrong', 'said': str(e)}
    except (ValueError, TypeError) as e: found = {'answer': 'refused', 'said': str(e)}
    except Exception as e: found = {'answer': 'not tried', 'said': f'{type(e).__name__}: {e}'}
    return found | {'seconds': round(time.process_time() - start, 1)}

def table(cases, found):
    rows = [(c, found[key(c)]) for c in cases if key(c) in found]
    count = {a: sum(r['answer'] == a for _, r in rows) for a in ('right', 'refused', 'wrong', 'not tried')}
    counted = ', '.join(f'{n} {a}' for a, n in count.items())
    lines = ['# The zoo', '', f"Written by `make zoo`. {counted}.",
             'What is asserted of each network, with random weights, stands in `tests/zoo.py`: a changed',
             'patch of the picture shows in the cell there, the layer taken is the last one with places that',
             'the score depends on, and its map is neither constant nor zero.', '',
             '| family | network | picture | answer | layer, maps |', '|---|---|---|---|---|']
    def times(numbers): return '×'.join(map(str, numbers))
    for c, r in rows:
        what = f"`{r['layer']}` {times(r['shape'])}" if r['answer'] == 'right' else \
            r['said'].split('\n')[0][:300].replace('|', '/')
        size = times(c.size) if callable(c.make) else ''
        lines.append(f"| {c.family} | {c.name} | {size} | {r['answer']} | {what} |")
    return '\n'.join(lines) + '\n'

def key(case): return f'{case.family}: {case.name}'

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('only', nargs='?', default='', help='a regular expression: these networks alone')
    p.add_argument('--limit', type=int, default=900, help='seconds for a network')
    p.add_argument('--cache', type=Path, help='a JSON file: what is known is not asked again')
    p.add_argument('--table', type=Path, help='where to write the table')
    args = p.parse_args()
    torch.set_num_threads(1)
    found = json.loads(args.cache.read_text()) if args.cache and args.cache.exists() else {}
    cases = []
    for name, family in FAMILIES.items():
        try: cases += family()
        except ImportError as e: print(f'{name}: not tried ({e})')
    for case in cases:
        if not re.search(args.only, key(case)) or key(case) in found: continue
        found[key(case)] = r = answer(case, args.limit)
        print(key(case), *r.values(), flush=True)
        if args.cache: args.cache.write_text(json.dumps(found, indent=1))
    if args.table: args.table.write_text(table(cases, found), encoding='utf-8')
    wrong = [k for k, r in found.items() if r['answer'] == 'wrong']
    raise SystemExit(f"wrong: {', '.join(wrong)}" if wrong else 0)


if __name__ == '__main__': main()
