"""Heatmaps: formulas against oracles worked out by hand, any model, and nothing left behind in it."""
import shipviz  # first: it repairs torchvision

# isort: split
import copy
import gc
import math
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torchvision import models as tv

from shipviz.heatmaps import (
    METHODS,
    Hook,
    as_batch,
    cam,
    gradcam,
    heatmap,
    heatmaps,
    input_gradients,
    layers,
    normalise,
    one_pass,
    overlay,
    predict_with_heatmaps,
    seen_box,
)

ONE_PASS = ['mean_activation', 'gradcam', 'hirescam', 'gradcampp', 'xgradcam', 'layercam', 'eigencam', 'cam']
OWN_PASSES = ['ablationcam', 'scorecam', 'saliency', 'smoothgrad', 'guided', 'occlusion',
              'integrated_gradients', 'rise', 'lrp']
QUICK = {'smoothgrad': {'n': 2}, 'occlusion': {'window': 16, 'stride': 16}, 'integrated_gradients': {'n': 3},
         'rise': {'n': 10}}


def run(method, model, x, target=None, **kw):
    return heatmap(model, x, target, method=method, **{**QUICK.get(method, {}), **kw})

def conv(seed=0, classes=4, head=None, bn=True):
    "A small network: convolutions with in-place ReLU, then pooling and one linear layer (or another head)."
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6) if bn else nn.Identity(),
                         nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(inplace=True))
    return nn.Sequential(body, head or pooled(nn.Dropout(), nn.Linear(8, classes)))

def pooled(*rest): return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *rest)

def pictures(n=3, size=32, seed=1):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))

def state(model):
    def hooks(m): return [len(d) for d in (m._forward_hooks, m._forward_pre_hooks, m._backward_hooks)]
    modules, parameters = list(model.modules()), list(model.parameters())
    return {'training': [m.training for m in modules], 'requires_grad': [p.requires_grad for p in parameters],
            'grad': [None if p.grad is None else p.grad.clone() for p in parameters],
            'tensors': [t.clone() for t in model.state_dict().values()],
            'hooks': [hooks(m) for m in modules],
            'attributes': [sorted(m.__dict__) for m in modules], 'modules': [id(m) for m in modules]}

def assert_same_state(a, b):
    for k in a:
        for u, v in zip(a[k], b[k], strict=True):
            assert torch.equal(u, v) if isinstance(u, torch.Tensor) else u == v, k
    assert not nn.modules.module._global_forward_hooks and not nn.modules.module._global_forward_pre_hooks


# ---- formulas against numbers worked out by hand

class Toy(nn.Module):
    "One 1×1 convolution with weights 1 and -1, ReLU, flatten, linear with given weights: all by hand."
    def __init__(self, w):
        super().__init__()
        self.conv, self.relu, self.fc = nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(inplace=True), nn.Linear(8, 1)
        self.conv.weight.data = torch.tensor([1., -1]).view(2, 1, 1, 1)
        self.fc.weight.data, self.fc.bias.data = torch.tensor([w]), torch.tensor([.5])
    def forward(self, x): return self.fc(self.relu(self.conv(x)).flatten(1))

X = torch.tensor([[[[1., 2], [-3, 4]]]])      # A0 = [[1,2],[0,4]], A1 = [[0,0],[3,0]]
W = [1., 0, 2, 3, -1, 2, 4, 0]                # gradient at A0 = [[1,0],[2,3]], at A1 = [[-1,2],[4,0]]

@pytest.mark.parametrize('method, expected', [
    ('mean_activation', [[.5, 1.], [1.5, 2.]]),
    ('gradcam', [[1.5, 3.], [3.75, 6.]]),     # weights: mean 6/4 and 5/4
    ('hirescam', [[1., 0.], [12., 12.]]),
    ('layercam', [[1., 0.], [12., 12.]]),     # the negative gradient meets a zero
    ('xgradcam', [[13/7, 26/7], [12., 52/7]]),  # weights: (1·1 + 2·0 + 4·3)/7 = 13/7 and 3·4/3 = 4
])
def test_toy(method, expected):
    h = heatmap(Toy(W), X, 1, 'relu', method)
    torch.testing.assert_close(h.maps, torch.tensor([expected]))
    assert h.scores.item() == pytest.approx(1 + 12 + 12 + .5)

def test_gradcampp_equals_a_loop_over_equation_19():
    model, x = conv(3), pictures()
    p = one_pass(model, x)
    maps = p.heatmap('gradcampp', 1).maps
    A, (act, _) = p.acts['0'][0].detach(), p.acts['0']
    g = torch.autograd.grad(p.logits.new_tensor(0) + p.out[:, 1].sum(), act, retain_graph=True)[0]
    for n in range(len(x)):
        expected = torch.zeros(A.shape[2:])
        for k in range(A.shape[1]):
            w, total = 0., A[n, k].sum().item()
            for i in range(A.shape[2]):
                for j in range(A.shape[3]):
                    d = g[n, k, i, j].item()
                    below = 2*d**2 + total*d**3
                    w += (d**2/below if below else 0)*max(d, 0)
            expected += w*A[n, k]
        torch.testing.assert_close(maps[n], expected, rtol=1e-4, atol=1e-6)

def test_identities_of_pooling_and_linear():
    model, x = conv().eval(), pictures()
    h = {m: heatmap(model, x, 2, method=m) for m in ('cam', 'gradcam', 'hirescam', 'ablationcam', 'xgradcam')}
    cells = h['cam'].maps[0].numel()
    for m in ('gradcam', 'hirescam', 'xgradcam'):
        torch.testing.assert_close(h['cam'].maps, h[m].maps*cells, rtol=1e-4, atol=1e-5)
    bias = model[1][-1].bias[2]
    torch.testing.assert_close(h['cam'].maps.mean((1, 2)) + bias, h['cam'].scores)
    torch.testing.assert_close(h['hirescam'].maps.sum((1, 2)) + bias, h['cam'].scores)
    A, w = model[0](x), model[1][-1].weight[2]
    by_hand = ((w*A.mean((2, 3)))/h['cam'].scores.abs()[:, None])[:, :, None, None]*A
    torch.testing.assert_close(h['ablationcam'].maps, by_hand.sum(1).detach(), rtol=1e-3, atol=1e-5)

def test_pooling_and_linear_need_no_backward_pass(monkeypatch):
    """Two graphs with the same logits: where nothing but a mean and a product lies above the layer, the
    gradient is read off the weights."""
    class Head(nn.Module):
        def __init__(self, relu): super().__init__(); self.fc, self.relu = nn.Linear(8, 4), relu
        def forward(self, x): x = x.mean((2, 3)); return self.fc(x.relu() if self.relu else x)
    x, passes, grad = pictures(), [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, 'grad', lambda *a, **k: passes.append(1) or grad(*a, **k))
    for relu in (False, True):  # the mean of a ReLU is positive: the logits are the same
        model = conv(head=Head(relu)).eval()
        p = one_pass(model, x)
        got = p.gradients(p.targets([0, 1, 3]))['0']
        A = model[0](x).detach().requires_grad_()
        want, = grad(model[1](A)[[0, 1, 2], [0, 1, 3]].sum(), A)
        torch.testing.assert_close(got, want)
        assert len(passes) == relu
    passes.clear()
    assert heatmap(conv(), x, lambda out: out[:, 1]*2).maps.any()
    assert heatmaps(conv(), x, layers=['0.2', '0'], target=1) and len(passes) == 2

def test_identities_fail_on_fastai_default_head():
    from fastai.vision.learner import create_head
    model, x = conv(head=create_head(8, 4)).eval(), pictures()
    for m in model[1].modules():
        if isinstance(m, nn.Linear): nn.init.normal_(m.weight)
    with pytest.raises(ValueError, match='average pooling and one linear layer'): cam(model, x)
    zero = torch.zeros(1, 8, 8, 8)
    bias = model[1](zero)[:, 2].detach()
    explained = heatmap(model, x, 2).scores - bias
    residual = heatmap(model, x, 2, method='hirescam').maps.sum((1, 2)) - explained
    assert residual.abs().max() > 1e-3

def test_gradient_times_activation_of_flatten_and_linear():
    model, x = conv(head=nn.Sequential(nn.Flatten(), nn.Linear(512, 4))), pictures()
    h = heatmap(model, x, 1, method='hirescam')
    bias = model[1][1].bias[1].detach()
    torch.testing.assert_close(h.maps.sum((1, 2)), h.scores - bias, rtol=1e-4, atol=1e-5)

def test_layercam_is_hirescam_where_gradients_are_not_negative():
    model = conv()
    model[1][-1].weight.data.abs_()
    a, b = (heatmap(model, pictures(), 0, method=m).maps for m in ('layercam', 'hirescam'))
    torch.testing.assert_close(a, b)

def test_eigencam_is_the_first_component():
    p = one_pass(conv(), pictures())
    m, A = p.heatmap('eigencam').maps, p.acts['0'][0].detach()
    for i in range(3):
        cells = A[i].flatten(1).T
        u, s, v = torch.linalg.svd(cells - cells.mean(0))
        torch.testing.assert_close(m[i].flatten().abs(), (u[:, 0]*s[0]).abs(), rtol=1e-3, atol=1e-4)

def test_scorecam_and_ablation_equal_loops():
    model, x = conv(5).eval(), pictures(2)
    p = one_pass(model, x)
    A = p.acts['0'][0].detach()
    score, ablation = p.heatmap('scorecam', 1).maps, p.heatmap('ablationcam', 1).maps
    weighted = lambda weights, i: (weights[:, None, None]*A[i]).sum(0)
    for i in range(2):
        s, drop = [], []
        for k in range(A.shape[1]):
            m = F.interpolate(A[i, k][None, None], (32, 32), mode='bilinear')[0, 0]
            m = (m - m.min())/(m.max() - m.min()) if m.max() > m.min() else m*0
            s.append(model(x[i:i+1]*m)[0, 1].item())
            a = A[i:i+1].clone(); a[:, k] = 0
            drop.append((p.logits[i, 1] - model[1](a)[0, 1]).item()/abs(p.logits[i, 1].item()))
        by_score, by_drop = weighted(torch.tensor(s).softmax(0), i), weighted(torch.tensor(drop), i)
        torch.testing.assert_close(score[i], by_score, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(ablation[i], by_drop, rtol=1e-3, atol=1e-4)

def test_guided_backpropagation_by_hand():
    first, last = nn.Conv2d(1, 2, 1, bias=False), nn.Linear(2, 1, bias=False)
    model = nn.Sequential(first, nn.ReLU(inplace=True), nn.Flatten(), last)
    first.weight.data = torch.tensor([2., 3]).view(2, 1, 1, 1)
    last.weight.data = torch.tensor([[5., -7]])
    x = torch.ones(1, 1, 1, 1)
    assert input_gradients(model, x, 1).item() == 2*5 - 3*7
    # the negative gradient is held back at the ReLU; a closed ReLU lets nothing through
    assert input_gradients(model, x, 1, guided=True).item() == 2*5
    assert input_gradients(model, -x, 1, guided=True).item() == 0
    silu = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match='no ReLU'): heatmap(silu, pictures(1), method='guided')

def test_occlusion_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.ones_(model[0].weight)
    x = torch.zeros(1, 3, 8, 8); x[0, 0, :4, :4] = 1
    m = heatmap(model, x, method='occlusion', window=4, stride=4).maps[0]
    assert m[:4, :4].unique().tolist() == [.25] and m[4:].abs().max() == 0   # 16 of 64 pixels are lost: 16/64

def test_a_known_impulse_stays_in_its_cell():
    h = heatmap(conv(), pictures(1))
    h.maps = torch.zeros(1, 7, 7); h.maps[0, 2, 5] = 1
    up = h.upsampled((224, 224))[0]
    ys, xs = torch.meshgrid(torch.arange(224.) + .5, torch.arange(224.) + .5, indexing='ij')
    assert (up*ys).sum()/up.sum() == pytest.approx(2.5*32, abs=.01)
    assert (up*xs).sum()/up.sum() == pytest.approx(5.5*32, abs=.01)


# ---- one pass: batches, several methods, layers and targets

@pytest.mark.parametrize('method', ONE_PASS + OWN_PASSES)
def test_a_batch_equals_its_pictures(method):
    model, x = conv().eval(), pictures(3)
    kw = {'noise': 0.} if method == 'smoothgrad' else {}
    together = run(method, model, x, 1, **kw)
    alone = torch.cat([run(method, model, x[i:i+1], 1, **kw).maps for i in range(3)])
    assert together.maps.shape == alone.shape and together.maps.dtype == torch.float32
    torch.testing.assert_close(together.maps, alone, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(run(method, model, x, 1, bs=2, **kw).maps, alone, rtol=1e-3, atol=1e-5)

def test_several_methods_and_layers_share_one_pass():
    model, x, calls = conv(), pictures(), []
    handle = model.register_forward_hook(lambda *a: calls.append(len(a[1][0])))
    layers(model, x); calls.clear()
    many = heatmaps(model, x, ONE_PASS[:-1], ['0.2', '0'])
    assert calls == [3]
    handle.remove()
    for (m, l), h in many.items():
        torch.testing.assert_close(h.maps, heatmap(model, x, method=m, layer=l).maps, msg=f'{m} {l}')

def test_cam_needs_the_right_layer():
    with pytest.raises(ValueError, match='CAM needs'): cam(conv(), pictures(), layer='0.2')

def test_targets():
    model, x = conv(), pictures()
    predicted = gradcam(model, x)
    assert predicted.targets.tolist() == predicted.logits.argmax(1).tolist()
    torch.testing.assert_close(predicted.scores, predicted.logits.max(1).values)
    torch.testing.assert_close(gradcam(model, x, -1).maps, gradcam(model, x, 3).maps)
    each = gradcam(model, x, [0, 1, 2])
    for i in range(3): torch.testing.assert_close(each.maps[i], gradcam(model, x, i).maps[i])
    torch.testing.assert_close(gradcam(model, x, [0, 1, 2], bs=2).maps, each.maps)
    torch.testing.assert_close(gradcam(model, x, lambda out: out[:, 2]).maps, gradcam(model, x, 2).maps)
    torch.testing.assert_close(gradcam(model, x, torch.tensor(2)).maps, gradcam(model, x, 2).maps)
    for bad, words in (([1], '1 targets for 3 pictures'), (4, 'has 4 classes'), ('ship', 'no class names'),
                       (lambda o: 3., 'one number')):
        with pytest.raises(ValueError, match=words): gradcam(model, x, bad)
    with pytest.raises(ValueError, match='There are: mean_activation'): heatmap(model, x, method='grad')
    with pytest.raises(TypeError, match="'n' is no option of gradcam"): heatmap(model, x, n=4)
    assert heatmaps(model, x, ['gradcam', 'smoothgrad'], n=2)['smoothgrad', '0'].maps.shape == (3, 32, 32)

def test_heatmaps_of_the_highest_classes_during_prediction():
    model, x, calls = conv(), pictures(6), []
    layers(model, x)
    handle = model.register_forward_hook(lambda *a: calls.append(1))
    batches = [(x[:4], torch.arange(4)), (x[4:], torch.arange(2))]
    logits, maps, ys = zip(*predict_with_heatmaps(model, batches, k=2))
    handle.remove()
    assert len(calls) == 2 and [y.tolist() for y in ys] == [[0, 1, 2, 3], [0, 1]]
    torch.testing.assert_close(torch.cat(logits), model.eval()(x).detach())
    second = torch.cat(logits).topk(2).indices[:, 1]
    torch.testing.assert_close(torch.cat([m[1].maps for m in maps]), gradcam(model, x, second).maps)


# ---- any model

@pytest.mark.parametrize('name, size, layer', [
    ('resnet18', 224, 'layer4'), ('resnet18', 32, 'layer3'), ('vgg11', 64, 'features.19'),
    ('densenet121', 64, 'features'), ('mobilenet_v3_small', 64, 'features'),
    ('shufflenet_v2_x0_5', 64, 'conv5'), ('convnext_tiny', 64, 'features'), ('swin_t', 64, 'norm')])
def test_layer_is_found(name, size, layer):
    torch.manual_seed(0)
    model, x = tv.get_model(name, weights=None, num_classes=5), pictures(2, size)
    h = heatmap(model, x)
    assert h.layer == layer and not any(h.flags) and min(h.maps.shape[1:]) > 1
    assert [l.name for l in layers(model, x) if l.default] == [layer]

def test_vision_transformer():
    torch.manual_seed(0)
    model, x = tv.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3), pictures(2)
    nn.init.normal_(model.heads.head.weight)
    h = gradcam(model, x)
    assert h.layer == 'encoder.layers.encoder_layer_1.ln_1' and h.maps.shape == (2, 4, 4) and not any(h.flags)
    tokens = lambda t: t[:, 1:].transpose(1, 2).reshape(len(t), 16, 4, 4)
    torch.testing.assert_close(gradcam(model, x, layer=h.layer, reshape=tokens).maps, h.maps)
    # only the class token goes on from there
    assert 'zero everywhere' in gradcam(model, x, layer='encoder.ln').flags[0]
    a = heatmap(model, x, 1, method='ablationcam')  # restarts, or passes in full: the same
    assert a.maps.shape == (2, 4, 4) and torch.isfinite(a.maps).all()

def test_swin_layout_is_channels_last():
    torch.manual_seed(0)
    model, x = tv.swin_t(num_classes=3).eval(), torch.randn(1, 3, 64, 96)
    p = one_pass(model, x)
    v, shape = p.acts['norm']
    assert v.shape == (1, 2, 3, 768) and shape(v).shape == (1, 768, 2, 3)
    torch.testing.assert_close(p.heatmap('cam').maps, 6*p.heatmap('gradcam').maps, rtol=1e-3, atol=1e-5)

def test_inplace_relu_after_the_layer_does_not_mix_activations():
    "densenet's `features` ends before an in-place ReLU: activation and gradient must both be from before it."
    torch.manual_seed(0)
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.fc = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 4)
        def forward(self, x): return self.fc(F.relu(self.features(x), inplace=True).mean((2, 3)))
    model, x = Net(), pictures(2)
    A = model.features(x).detach()
    G = torch.autograd.grad(model.fc(F.relu(A.requires_grad_()).mean((2, 3)))[:, 1].sum(), A)[0]
    torch.testing.assert_close(heatmap(model, x, 1, 'features', 'hirescam').maps, (A*G).sum(1).detach())
    with Hook(model.features) as hook:
        model(x)[:, 1].sum().backward()
    torch.testing.assert_close(hook.output, A.detach()); torch.testing.assert_close(hook.grad, G)

def test_a_reused_module_counts_at_its_last_call():
    torch.manual_seed(0)
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block, self.fc = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(8, 4)
        def forward(self, x): return self.fc(self.block(self.block(self.stem(x)).relu()).relu().mean((2, 3)))
    model, x = Twice(), pictures(2)
    A = model.block(model.block(model.stem(x)).relu()).detach().requires_grad_()
    G = torch.autograd.grad(model.fc(A.relu().mean((2, 3)))[:, 0].sum(), A)[0]
    by_hand = (G.mean((2, 3), keepdim=True)*A).sum(1).detach()
    torch.testing.assert_close(heatmap(model, x, 0, 'block').maps, by_hand)
    assert torch.isfinite(heatmap(model, x, 0, 'block', 'ablationcam').maps).all()

def test_ablation_where_something_bypasses_the_layer():
    torch.manual_seed(0)
    class Bypass(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.fc = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 4)
            self.a, self.b = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1)
        def forward(self, x):
            x = self.stem(x)
            return self.fc((self.a(x) + self.b(x).sigmoid()*x).mean((2, 3)))
    model, x = Bypass().eval(), pictures(2)
    h = heatmap(model, x, 0, 'b', 'ablationcam')
    s = model.stem(x); B = model.b(s)
    for i in range(2):
        drops = []
        for k in range(8):
            b = B[i:i+1].clone(); b[:, k] = 0
            y = model.fc((model.a(s[i:i+1]) + b.sigmoid()*s[i:i+1]).mean((2, 3)))[0, 0]
            drops.append(((h.scores[i] - y)/h.scores[i].abs()).item())
        by_hand = (torch.tensor(drops)[:, None, None]*B[i]).sum(0).detach()
        torch.testing.assert_close(h.maps[i], by_hand, rtol=1e-3, atol=1e-4)

def test_several_inputs_and_outputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.fc = conv()[0], nn.Linear(11, 4)
        def forward(self, x, extra):
            a = self.body(x)
            return {'maps': a, 'logits': self.fc(torch.cat([a.mean((2, 3)), extra], 1)), 'extra': (extra,)}
    model, x, extra = Two(), pictures(3), torch.randn(3, 3)
    h = gradcam(model, (x, extra), bs=2)
    assert h.maps.shape == (3, 8, 8) and h.layer == 'body' and h.logits.shape == (3, 4)
    assert heatmap(model, (x, extra), method='ablationcam').maps.shape == (3, 8, 8)

def test_segmentation_target():
    torch.manual_seed(0)
    model, x = nn.Sequential(conv()[0], nn.Conv2d(8, 3, 1), nn.Upsample(scale_factor=4)), pictures(2)
    with pytest.raises(ValueError, match='a function of the output'): gradcam(model, x)
    h = gradcam(model, x, lambda out: out[:, 1, 8:16, 8:16].mean((1, 2)))
    assert h.layer == '0' and h.targets is None and h.labels == [None, None]

def test_wrapped_compiled_and_half_precision():
    model, x = conv().eval(), pictures()
    expected = gradcam(model, x, 1).maps
    torch.testing.assert_close(gradcam(nn.DataParallel(model), x, 1).maps, expected)
    torch.testing.assert_close(gradcam(nn.DataParallel(model), x, 1, layer='module.0').maps, expected)
    torch.testing.assert_close(gradcam(torch.compile(model, backend='eager'), x, 1).maps, expected)
    inner = copy.deepcopy(model); inner[0].compile(backend='eager')
    torch.testing.assert_close(gradcam(inner, x, 1).maps, expected)
    about = dict(rtol=.1, atol=.02*expected.abs().max().item())
    for half in (copy.deepcopy(model).bfloat16(), copy.deepcopy(model).half()):
        h = gradcam(half, x, 1)
        assert h.maps.dtype == torch.float32
        torch.testing.assert_close(h.maps, expected, **about)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(gradcam(model, x, 1).maps, expected, **about)
        assert heatmap(model, x, 1, method='ablationcam').maps.isfinite().all()

@pytest.mark.parametrize('method', ONE_PASS + OWN_PASSES)
def test_around_the_call(method):
    "Frozen parameters, no_grad and inference_mode make no difference."
    model, x = conv().eval(), pictures(2)
    expected = run(method, model, x, 1).maps
    for p in model.parameters(): p.requires_grad_(False)
    torch.testing.assert_close(run(method, model, x, 1).maps, expected)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode: h = run(method, model, x*1, 1)
        torch.testing.assert_close(h.maps, expected)
    assert torch.is_grad_enabled()


# ---- nothing changes, nothing leaks

@pytest.mark.parametrize('method', ONE_PASS + OWN_PASSES)
def test_the_model_is_left_as_it_was(method):
    model, x = conv(), pictures()
    model.train(); model[0].eval(); model[0][0].weight.requires_grad_(False)
    model(x).sum().backward()
    before, random = state(model), torch.get_rng_state()
    h = run(method, model, x, 1)
    assert_same_state(before, state(model))
    assert torch.equal(random, torch.get_rng_state()) and not h.maps.requires_grad and x.grad is None

@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize('method', ['gradcam', 'ablationcam', 'scorecam', 'guided', 'occlusion'])
def test_the_model_is_left_as_it_was_after_an_error(method, error):
    class Breaks(nn.Module):
        left = 10**6
        def forward(self, x):
            self.left -= 1
            if self.left < 0: raise error('stop')
            return x
    model, x = conv(head=pooled(Breaks(), nn.Linear(8, 4))), pictures(2)
    layers(model, x)
    before = state(model)
    for left in (0, 1, 2):
        model[1][2].left = left
        try: run(method, model, x, 1)
        except error: pass
        else: assert left > 0                     # enough calls were left for this method
        model[1][2].left = 10**6
        assert_same_state(before, state(model))
        assert torch.is_grad_enabled()

def test_hook_is_removed_after_an_error():
    model = conv()
    with pytest.raises(ZeroDivisionError):
        with Hook(model[0]): raise ZeroDivisionError
    assert not model[0]._forward_hooks

def test_two_threads():
    model, x, wrong = conv(), pictures(4), []
    model.train()
    expected, before = {t: gradcam(model, x, t).maps for t in range(4)}, state(model)
    def work(t):
        for _ in range(10):
            if not torch.allclose(gradcam(model, x, t).maps, expected[t], atol=1e-6): wrong.append(t)
    threads = [threading.Thread(target=work, args=(t,)) for t in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert not wrong
    assert_same_state(before, state(model))

def tensors():
    gc.collect()
    return sum(t.numel()*t.element_size() for o in gc.get_objects() if isinstance(t := o, torch.Tensor))

def test_no_tensor_is_kept_over_1000_calls():
    model, x = conv().eval(), pictures(1, 16)
    heatmap(model, x); start = tensors()
    for _ in range(1000): gradcam(model, x)
    assert tensors() == start
    gc.disable()
    try:                                          # and none waits for the garbage collector
        heatmaps(model, x, ONE_PASS); n = sum(isinstance(o, torch.Tensor) for o in gc.get_objects())
        for _ in range(20): heatmaps(model, x, ONE_PASS)
        assert sum(isinstance(o, torch.Tensor) for o in gc.get_objects()) <= n
    finally: gc.enable()

def test_a_model_is_not_kept_alive():
    model = conv(); ref = weakref.ref(model); gradcam(model, pictures())
    del model; gc.collect()
    assert ref() is None

def test_a_layer_exchanged_between_calls_is_noticed():
    model, x = conv(), pictures()
    gradcam(model, x)
    model[0] = nn.Sequential(*conv(1)[0], nn.Conv2d(8, 8, 3, 2), nn.ReLU())
    assert gradcam(model, x).maps.shape == (3, 3, 3)


# ---- what comes back, and messages

def test_errors_name_what_can_be_used():
    model, x = conv(), pictures()
    for layer in ('4', '1.0', nn.ReLU()):
        with pytest.raises(ValueError, match=r"'0' \(8×8×8\)"): gradcam(model, x, layer=layer)
    with pytest.raises(ValueError, match='normalise it first'):
        gradcam(model, torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r'\(N,C,H,W\)'): gradcam(model, torch.zeros(1, 2, 3, 8, 8))
    with pytest.raises(ValueError, match='no picture'): gradcam(model, [])
    with pytest.raises(TypeError, match='or a Learner'): gradcam(model, ['a.jpg'])
    with pytest.raises(TypeError, match='nn.Module'): gradcam('resnet34', x)
    with pytest.raises(ValueError, match='larger pictures'): gradcam(model, pictures(1, 2))
    with pytest.raises(TypeError, match='scripted'): gradcam(torch.jit.trace(conv().eval(), x), x)

def test_one_nan_does_not_poison_a_map():
    model, x = conv(bn=False).eval(), pictures(2)
    whole = gradcam(model, x, 1).maps
    def poison(module, args, out): out = out.clone(); out[0, 3, 2, 2] = math.nan; return out
    model[0].register_forward_hook(poison)
    for m in ('gradcam', 'hirescam', 'layercam', 'xgradcam', 'gradcampp', 'eigencam', 'mean_activation'):
        h = heatmap(model, x, 1, method=m)
        assert torch.isfinite(h.maps).all(), m
    torch.testing.assert_close(gradcam(model, x, 1).maps[1], whole[1])
    m = torch.rand(4, 4); m[0, 0] = math.nan
    assert torch.isfinite(normalise(m)).all() and normalise(m).max() == 1

def test_normalised_for_display():
    m = torch.rand(7, 7)
    for small in (1e-9, 1e-30): torch.testing.assert_close(normalise(m*small), normalise(m))
    assert normalise(m).min() == 0 and normalise(m).max() == 1
    assert normalise(-m).abs().max() == 0 and normalise(m*0 + 3).abs().max() == 0
    assert normalise(-m, signed=True).min() == -1

def test_flags():
    h = gradcam(conv(), pictures())
    for maps, word in ((h.maps*0, 'zero everywhere'), (h.maps*0 + 1, 'constant'),
                       (-h.maps.abs() - torch.rand_like(h.maps), 'against this class'),
                       (h.maps/0., 'finite')):
        h.maps = maps
        assert all(word in f for f in h.flags), word
    assert '3 flagged' in repr(h)

def test_overlays():
    picture, m = Image.new('RGB', (60, 40), 'grey'), torch.zeros(4, 6); m[1, 4] = 1
    assert overlay(picture, m).size == (60, 40)
    layer = overlay(picture, m, 'layer')
    a = np.array(layer)[..., 3]
    assert layer.mode == 'RGBA' and a[0, 0] == 0 and np.unravel_index(a.argmax(), a.shape)[0] in range(13, 17)
    ys, xs = np.indices(a.shape)
    assert (a*(xs + .5)).sum()/a.sum() == pytest.approx(45, abs=.3)
    assert (a*(ys + .5)).sum()/a.sum() == pytest.approx(15, abs=.3)
    contour = np.array(overlay(picture, m, 'contour'))
    assert (contour != 128).any() and (contour[-5:] == 128).all()
    assert overlay(picture, -m, signed=True, colorbar=True).width > 60
    assert overlay(torch.zeros(3, 40, 60), m.numpy()).size == (60, 40)
    for bad, words in ((lambda: overlay(picture, m[None]), 'One map'),
                       (lambda: overlay(picture, m, 'jet'), 'style'),
                       (lambda: overlay(torch.ones(3, 4, 4)*3, m), '0 to 1')):
        with pytest.raises(ValueError, match=words): bad()


# ---- one answer: heatmap() gives one, heatmaps() a dictionary

def test_heatmap_refuses_lists_and_names_heatmaps():
    model, x = conv(), pictures()
    for kw in ({'method': ['gradcam']}, {'layer': ['0']}, {'layer': ('0', '0.2')}):
        with pytest.raises(ValueError, match=r'heatmaps\(\) takes several'): heatmap(model, x, **kw)
    with pytest.raises(ValueError, match='no method'): heatmaps(model, x, [])

def test_heatmaps_are_keyed_by_method_and_layer_name():
    model, x = conv(), pictures()
    relus = [m for m in model.modules() if isinstance(m, nn.ReLU)]
    for layers_, names in ((None, ['0']), ('0.2', ['0.2']), (relus[0], ['0.2']), (relus, ['0.2', '0.4']),
                           (['0', '0'], ['0']), (('0.2', relus[0]), ['0.2'])):
        for methods in ('gradcam', ['gradcam', 'cam'][:1], ['gradcam', 'layercam']):
            wanted = [methods] if isinstance(methods, str) else methods
            found = heatmaps(model, x, methods, layers_, target=1)
            assert list(found) == [(m, n) for n in names for m in wanted]
            for (m, n), h in found.items():
                assert (h.method, h.layer) == (m, n)
                torch.testing.assert_close(h.maps, heatmap(model, x, 1, n, m).maps)


# ---- targets: the same for all entry points

ENTRIES = [heatmap, gradcam, cam, input_gradients, lambda m, x, t: heatmaps(m, x, target=t),
           lambda m, x, t: one_pass(m, x).heatmap('gradcam', t)]

@pytest.mark.parametrize('entry', ENTRIES)
def test_what_is_no_class_is_refused(entry):
    model, x = conv(), pictures(6)
    for bad, words in ((2.7, 'whole number'), (True, 'whole number'), (torch.tensor(2.), 'whole number'),
                       ([0, 1, 2, 3, 0, 1.5], 'whole number'), ([0]*20, '20 targets for 6'),
                       (np.zeros(5, int), '5 targets for 6'), (4, 'has 4 classes'), (-5, 'has 4 classes'),
                       ('Cargo', 'no class names')):
        with pytest.raises(ValueError, match=words): entry(model, x, bad)

@pytest.mark.parametrize('entry', ENTRIES)
def test_classes_of_every_kind_are_taken(entry):
    def numbers(found):
        if isinstance(found, dict): found, = found.values()
        return found if isinstance(found, torch.Tensor) else found.maps
    class Named(nn.Module):
        vocab = ['Carrier', 'Cruise', 'Tankers', 'Cargo']
        def __init__(self): super().__init__(); self.net = conv()
        def forward(self, x): return self.net(x)
    model, x = Named().eval(), pictures(6)
    expected = numbers(entry(model, x, 3))
    mixed = ['Cargo', 3, -1, np.int8(3), torch.tensor(3), 'Cargo']
    for target in (np.int64(3), torch.tensor(3), -1, 'Cargo', [3]*6, mixed, np.full(6, 3),
                   torch.full((6,), 3)):
        torch.testing.assert_close(numbers(entry(model, x, target)), expected, rtol=0, atol=0)


# ---- what changes in the model, what is broken in it

def test_a_changed_setting_is_noticed():
    model, x = conv(bn=False), pictures()
    assert gradcam(model, x).maps.shape == (3, 8, 8) and layers(model, x)[-1].shape == (8, 8, 8)
    model[0][3].stride = (1, 1)
    assert gradcam(model, x).maps.shape == (3, 16, 16) and layers(model, x)[-1].shape == (8, 16, 16)
    assert heatmap(model, x, method='ablationcam').maps.shape == (3, 16, 16)

def test_segmentation_has_no_highest_class():
    model = nn.Sequential(conv()[0], nn.Conv2d(8, 3, 1), nn.Upsample(scale_factor=4))
    with pytest.raises(ValueError, match='no highest class'):
        next(predict_with_heatmaps(model, [pictures(2)]))

@pytest.mark.parametrize('method', ['gradcam', 'mean_activation', 'hirescam', 'eigencam', 'saliency'])
def test_what_is_not_finite_is_named(method):
    model, x = conv(bn=False).eval(), pictures(3)
    x[1, 0, 5, 5], x[2, 1] = math.nan, math.inf
    flags = heatmap(model, x, 1, method=method).flags
    assert flags[0] == '' and 'picture holds infinite' in flags[2]
    assert 'picture holds NaN (1 of 3072 values)' in flags[1]
    assert [bool(f) for f in heatmap(model, x, 1, method=method, bs=1).flags] == [False, True, True]
    assert 'NaN' in heatmap(model, x, 1, method=method)[1].flags[0]
    model[1][-1].weight.data[0, 0] = math.nan
    flags = heatmap(model, pictures(2), 1, method=method).flags
    assert all("weight of layer '1.3' is not finite" in f for f in flags)


# ---- a Learner's own pipeline

@pytest.fixture
def photos(tmp_path):
    "Six photos of 90×60, bright on the left third, in two folders; a path of one that was held upright."
    a = np.full((60, 90, 3), 40, np.uint8)
    a[:, :30] = 220
    for label in 'ab':
        (tmp_path/label).mkdir()
        for i in range(3): Image.fromarray(a + np.uint8(i)).save(tmp_path/label/f'{i}.png')
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(a).save(tmp_path/'turned.jpg', exif=exif, quality=95)
    return tmp_path

def learner(folder, kind=None, channels=3, **resize):
    from fastai.vision.all import CategoryBlock, DataBlock, ImageBlock, Learner, PILImage, Resize
    data = DataBlock((ImageBlock(kind or PILImage), CategoryBlock),
                     get_items=lambda p: sorted(p.glob('*/*.png')), get_y=lambda p: p.parent.name,
                     splitter=lambda o: ([0, 1, 3, 4], [2, 5]), item_tfms=Resize(**resize))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(channels, 4, 4, 4), nn.ReLU(), *pooled(nn.Linear(4, 2)))
    for m in (net[0], net[4]): nn.init.ones_(m.weight)
    return Learner(data.dataloaders(folder, bs=2), net, loss_func=nn.CrossEntropyLoss())

def test_orientation_is_obeyed(photos):
    learn = learner(photos, size=(90, 60), method='squish')
    x = as_batch(learn, photos/'turned.jpg')[0, 0]
    assert x[:25].min() > .8 and x[35:].max() < .2  # the bright part is on top, as a viewer shows it
    heat = heatmap(learn, [photos/'turned.jpg'])
    assert heat.maps[0][:6].min() > heat.maps[0][10:].max()
    shown = overlay(photos/'turned.jpg', heat[0], 'layer')
    alpha = np.array(shown)[..., 3]
    assert shown.size == (60, 90) and alpha[:20].min() > alpha[40:].max()
    with Image.open(photos/'turned.jpg') as im:
        np.testing.assert_array_equal(overlay(im, heat, 'layer'), shown)

def test_a_grey_learner_sees_grey_pictures(photos):
    from fastai.vision.core import PILImageBW
    learn = learner(photos, PILImageBW, channels=1, size=60)
    path = photos/'a'/'0.png'
    expected = learn.dls.test_dl([path], num_workers=0).one_batch()[0].as_subclass(torch.Tensor)
    for picture in (path, str(path), Image.open(path), np.array(Image.open(path))):
        torch.testing.assert_close(as_batch(learn, picture), expected, rtol=0, atol=0)
    assert heatmap(learn, [path, Image.open(path)]).maps.shape == (2, 15, 15)

@pytest.mark.parametrize('resize, box', [({}, (15, 0, 75, 60)), ({'method': 'squish'}, (0, 0, 90, 60)),
                                         ({'method': 'pad'}, (0, -15, 90, 75))])
def test_the_heat_lies_where_the_network_looked(photos, resize, box):
    learn, path = learner(photos, size=60, **resize), photos/'a'/'0.png'
    assert seen_box(learn, (90, 60)) == box
    heat = heatmap(learn, [path, photos/'turned.jpg'], 0)
    assert heat.pictures == [path, photos/'turned.jpg']
    alpha = np.array(overlay(path, heat[0], 'layer'))[..., 3]
    left, right = max(box[0], 0), min(box[2], 90)
    assert alpha[:, :left].sum() == alpha[:, right:].sum() == 0 and alpha[:, left:right].any()
    assert alpha[:, left:29].min() > alpha[:, 34:].max()  # bright, and so hot, on the left third
    turned = np.array(overlay(photos/'turned.jpg', heat[1], 'layer'))[..., 3]
    assert turned[left:29].min() > turned[34:].max() and turned[:left].sum() == 0

def test_other_item_transforms(photos):
    from fastai.vision.augment import CropPad, RandomResizedCrop
    for transform, box in ((RandomResizedCrop(48, val_xtra=.25), None), (CropPad(40), (25, 17, 65, 43))):
        learn = learner(photos, size=(60, 90))
        learn.dls.valid.after_item.fs.insert(0, transform)
        got = seen_box(learn, (90, 60))
        assert box is None or got == box
        heat = heatmap(learn, photos/'a'/'0.png')
        alpha = np.array(overlay(photos/'a'/'0.png', heat[0], 'layer'))[..., 3]
        hot = np.nonzero(alpha.max(0) > .9*alpha.max())[0]
        assert abs(hot.max() - 28) < 6                                   # where bright meets dark

def test_one_photo_at_a_time(photos, monkeypatch):
    from shipviz import inputs
    refs, most, real = [], [], inputs.open_picture
    def opening(*args, **kwargs):
        most.append(sum(r() is not None for r in refs))
        image = real(*args, **kwargs)
        refs.append(weakref.ref(image))
        return image
    monkeypatch.setattr(inputs, 'open_picture', opening)
    assert len(as_batch(learner(photos, size=24), sorted(photos.glob('*/*.png')))) == 6
    assert len(most) >= 6 and max(most) <= 1

def test_show(photos, monkeypatch):
    import IPython.display
    learn, shown = learner(photos, size=60), []
    monkeypatch.setattr(IPython.display, 'display', shown.append)
    several = [photos/'a'/'0.png', str(photos/'turned.jpg'), Image.open(photos/'b'/'1.png')]
    heat = heatmap(learn, several, ['a', 'b', 'a'])
    heat.show()
    heat[1].show(style='contour')
    figure, one = shown
    assert figure.alt == 'Where the network looked, by gradcam, over 3 pictures: a, b, a'
    assert one.alt.endswith('over 1 pictures: b')
    assert figure.image.width > 2*one.image.width
    with pytest.raises(ValueError, match='made from a tensor'):
        heatmap(learn, as_batch(learn, photos/'a'/'0.png')).show()


# ---- light

def test_importing_needs_torch_alone():
    code = """import sys
import shipviz.heatmaps
heavy = {'fastai', 'fastcore', 'IPython', 'matplotlib', 'torchvision', 'pandas', 'scipy', 'ipywidgets',
         'contourpy'}
print(sorted(heavy & set(sys.modules)))"""
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == '[]'

def test_every_method_has_a_source():
    assert set(METHODS) == set(ONE_PASS + OWN_PASSES + ['rollout'])   # in test_methods.py
    for name, f in METHODS.items(): assert any(w in f.__doc__ for w in ('arXiv', 'doi', 'fastai')), name

class Pooled(nn.Module):
    "Maps that an average pooling takes, and what else is done with them."
    def __init__(self, then=lambda maps: 0):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2))
        self.pool, self.fc, self.then, self.passes = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 4), then, []
    def forward(self, x):
        self.passes.append(len(x))
        maps = self.body(x)
        return self.fc(self.pool(maps).flatten(1).tanh()) + self.then(maps)

@pytest.mark.parametrize('then,passes', [(lambda maps: 0, 1),                            # no other way
                                         (lambda maps: maps[:, :4].amax((2, 3)), 2),     # past the pooling
                                         (lambda maps: maps.clamp_(0)[:, :4, 0, 0], 2)]) # changed in place
def test_the_first_heatmap_of_a_network_takes_one_pass_where_one_will_do(then, passes):
    torch.manual_seed(0)
    model, x = Pooled(then).eval(), torch.randn(1, 3, 32, 32)
    first = heatmap(model, x, target=1, plan=False)
    assert (len(model.passes), first.layer) == (passes, 'body')
    again = heatmap(model, x, target=1, plan=False)
    assert len(model.passes) == passes + 1
    torch.testing.assert_close(first.maps, again.maps)
    assert first.maps.any() and torch.equal(first.logits, again.logits)
