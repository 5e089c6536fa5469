"""Integrated gradients, RISE, LRP and attention rollout: identities, peers, and what they refuse."""
import shipviz  # first: it repairs torchvision

# isort: split
import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models as tv

from shipviz import gradients
from shipviz.heatmaps import heatmap, heatmaps, input_gradients, one_pass


def pictures(n=3, size=32, seed=1):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))

def conv(act=nn.ReLU, bias=True, classes=4, pool=nn.MaxPool2d):
    "Two convolutions with a skip, pooling, a linear layer; no statistic of its batch norms is trivial."
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1, bias=bias), nn.BatchNorm2d(6), act())
            self.block = nn.Sequential(nn.Conv2d(6, 6, 3, 1, 1, bias=bias), nn.BatchNorm2d(6))
            self.act, self.pool, self.fc = act(), pool(2), nn.Linear(6, classes, bias=bias)
        def forward(self, x):
            x = self.stem(x)
            out = self.block(x)
            out += x
            return self.fc(self.pool(self.act(out)).mean((2, 3)))
    torch.manual_seed(0)
    net = Net()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, .5, 2)
            nn.init.uniform_(m.running_var, .5, 2)
            if bias: nn.init.normal_(m.bias), nn.init.normal_(m.running_mean)
    return net.eval()

def vit(pool='class', seed=0):
    "torchvision's ViT of two layers on 4×4 patches, with a class token or with the mean over the patches."
    torch.manual_seed(seed)
    net = tv.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
    nn.init.normal_(net.heads.head.weight)
    for layer in net.encoder.layers: nn.init.normal_(layer.self_attention.in_proj_weight)
    if pool == 'class': return net.eval()
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv_proj, self.encoder, self.heads = net.conv_proj, net.encoder, net.heads
        def forward(self, x):
            tokens = net._process_input(x)
            tokens = torch.cat([net.class_token.expand(len(x), -1, -1), tokens], 1)
            return self.heads(self.encoder(tokens)[:, 1:].mean(1))
    return Mean().eval()


# ---- integrated gradients

class Squares(nn.Module):
    "The mean of a picture's squares over its places: a gradient that changes on the way."
    def __init__(self):
        super().__init__()
        self.same = nn.Conv2d(3, 3, 1, bias=False)
        self.same.weight.data = torch.eye(3)[..., None, None]
    def forward(self, x): return self.same(x).square().mean((2, 3))

def test_integrated_gradients_by_hand():
    "The part of each pixel in a sum of squares is its own square, less the baseline's."
    x, other = pictures(2, 8), pictures(1, 8, 5)[0]
    for start in (0., 2., other):
        maps = heatmap(Squares(), x, 1, method='integrated_gradients', n=2, baseline=start).maps
        part = (x**2 - torch.as_tensor(start).expand_as(x)**2)[:, 1]/64
        torch.testing.assert_close(maps, part, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match='one picture'):
        heatmap(Squares(), x, method='integrated_gradients', baseline=x)

@pytest.mark.parametrize('act, pool, n, error', [
    (nn.SiLU, nn.AvgPool2d, 16, 1e-4), (nn.ReLU, nn.MaxPool2d, 16, .2), (nn.ReLU, nn.MaxPool2d, 256, .02)])
def test_integrated_gradients_are_complete(act, pool, n, error):
    "They add up to the score minus the baseline's; for kinked networks the better the more steps there are."
    net, x = conv(act, pool=pool), pictures()
    for start in (0., pictures(1, seed=7)[0]):
        h = heatmap(net, x, 2, method='integrated_gradients', n=n, baseline=start)
        before = heatmap(net, torch.as_tensor(start).expand_as(x), 2).scores
        gap = (h.maps.sum((1, 2)) - (h.scores - before)).abs()
        assert (gap <= error*(h.scores - before).abs().max()).all()

@pytest.mark.parametrize('act, pool', [(nn.SiLU, nn.AvgPool2d), (nn.ReLU, nn.MaxPool2d)])
def test_integrated_gradients_agree_with_captum(act, pool):
    """With as many pictures in a pass as ours. In one pass of all steps, theirs by default, sums are rounded
    otherwise, and where a ReLU or a max pool is about to switch the last digit decides: on the benchmark's
    vgg11_bn Captum differs from itself by 1.7e-3 (40 pictures a pass or 2), from ours by 1.2e-7 with 2 a
    pass, and in double precision by 9e-8."""
    attribute = pytest.importorskip('captum.attr').IntegratedGradients
    net, x = conv(act, pool=pool), pictures()
    for start in (0., .5):
        theirs = attribute(net).attribute(x, start, 2, n_steps=12, method='gausslegendre',
                                          internal_batch_size=len(x)).sum(1)
        ours = heatmap(net, x, 2, method='integrated_gradients', n=12, baseline=start).maps
        torch.testing.assert_close(ours, theirs.float().detach(), rtol=1e-5, atol=1e-7)


# ---- RISE

def weighted_sum(size=8, seed=3):
    "A network that is one weighted sum of the pixels."
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Flatten(), nn.Linear(3*size*size, 2))
    net[0].weight.data = torch.eye(3)[..., None, None]
    return net

def test_rise_finds_the_weights_of_a_weighted_sum():
    """With cells of one pixel, a pixel's expected value is its part of the sum; the error of 2000 masks is
    the one that the docstring states."""
    net, x, n, p = weighted_sum(), pictures(2, 8), 2000, .4
    parts = (net[2].weight[1].view(3, 8, 8)*x).sum(1).detach()
    deviation = (p*(1 - p)*parts.square().sum((1, 2))).sqrt()               # of the scores
    error = deviation/math.sqrt(n*p*(1 - p))
    off = (heatmap(net, x, 1, method='rise', n=n, p=p, copies=500).maps - parts)/error[:, None, None]
    assert off.abs().max() < 4.5 and .8 < off.square().mean() < 1.2
    other = heatmap(net, x, 1, method='rise', n=n, p=p, seed=1, copies=500).maps
    assert not torch.allclose(other, parts, atol=1e-4) and (other - parts).abs().max() < 4.5*error.max()

def test_rise_is_the_paper_s_map_but_for_shift_and_scale():
    "Equation 6 with the masks that a network which keeps all it is shown has seen."
    seen, net = [], conv()
    net.stem.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    x = torch.ones(1, 3, 30, 22)
    h = heatmap(net, x, 1, method='rise', n=20, grid=4, p=.3, copies=7)
    masks = torch.cat(seen[-3:])[:, 0].detach()
    assert len(masks) == 20 and masks.min() >= 0 and masks.max() <= 1 and masks.shape[1:] == (30, 22)
    scores = net(masks[:, None].expand(-1, 3, -1, -1))[:, 1].detach()
    paper = torch.einsum('k,khw->hw', scores, masks)/(20*.3)
    torch.testing.assert_close(.7*h.maps[0] + scores.mean()*masks.mean(0)/.3, paper, rtol=1e-4, atol=1e-5)

def test_rise_does_not_depend_on_how_its_masks_are_passed():
    net, x = conv(), pictures(2)
    maps = [heatmap(net, x, 1, method='rise', n=30, copies=copies).maps for copies in (1, 7, 30)]
    for other in maps[1:]: torch.testing.assert_close(other, maps[0], rtol=1e-3, atol=1e-5)
    assert not torch.equal(heatmap(net, x, 1, method='rise', n=30, seed=1).maps, maps[0])


# ---- LRP

def rule(x, w, b, r, eps):
    "The ε-rule, written out: relevance of the outputs `(J,)` -> of the inputs `(I,)`."
    z = w @ x + b
    return sum(x*w[j]/(z[j] + eps*(1 if z[j] >= 0 else -1))*r[j] for j in range(len(z)))

@pytest.mark.parametrize('eps', [1e-9, .3])
def test_lrp_by_hand(eps):
    "Two layers, biases and a curve that lets relevance through; batch norm counts as part of its layer."
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 5, (2, 3)), nn.BatchNorm2d(5), nn.Tanh(), nn.Flatten(), nn.Linear(5, 3))
    net = nn.Sequential(nn.ZeroPad2d((0, 0, 0, 0)), net).eval()
    norm, last = net[1][1], net[1][4]
    nn.init.uniform_(norm.weight), nn.init.normal_(norm.bias), nn.init.normal_(norm.running_mean)
    x = torch.randn(1, 2, 2, 3)
    scale = (norm.weight/(norm.running_var + norm.eps).sqrt()).detach()
    w = net[1][0].weight.detach().flatten(1)*scale[:, None]
    b = (net[1][0].bias - norm.running_mean).detach()*scale + norm.bias.detach()
    hidden, r = (w @ x.flatten() + b).tanh(), torch.zeros(3)
    r[2] = (last.weight @ hidden + last.bias)[2]
    by_hand = rule(x.flatten(), w, b, rule(hidden, last.weight, last.bias, r, eps), eps).view(2, 2, 3).sum(0)
    maps = heatmap(net, x, 2, '0', 'lrp', eps=eps).maps
    torch.testing.assert_close(maps[0], by_hand.detach(), rtol=1e-4, atol=1e-6)

@pytest.mark.parametrize('act', [nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU, nn.Tanh, nn.ELU])
def test_lrp_keeps_the_score(act):
    "Without biases nothing is lost, whatever the activation; with them, or with a large ε, something is."
    x = 4*pictures()
    h = heatmap(conv(act, bias=False), x, 1, method='lrp', eps=1e-9)
    torch.testing.assert_close(h.maps.sum((1, 2)), h.scores, rtol=1e-3, atol=1e-4)
    for net, options in ((conv(act), {}), (conv(act, bias=False), {'share': .25})):
        h = heatmap(net, x, 1, method='lrp', **options)
        assert (h.maps.sum((1, 2)) - h.scores).abs().max() > .01

@pytest.mark.parametrize('net', [conv, tv.resnet18, tv.densenet121, tv.shufflenet_v2_x0_5, tv.squeezenet1_1])
def test_lrp_of_relus_is_gradient_times_input(net):
    torch.manual_seed(0)
    model, x = net().eval(), pictures(1, 64)
    maps = heatmap(model, x, 1, method='lrp', eps=1e-12).maps
    product = (input_gradients(model, x, 1)*x).sum(1)
    torch.testing.assert_close(maps, product, rtol=1e-2, atol=1e-4*product.abs().max().item())

@pytest.mark.parametrize('eps', [1e-9, 1e-3, .1])
def test_lrp_agrees_with_captum(eps):
    attr = pytest.importorskip('captum.attr')
    rules = pytest.importorskip('captum.attr._utils.lrp_rules')
    torch.manual_seed(0)
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
                nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3))
            self.head = nn.Sequential(nn.Linear(108, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 4))
        def forward(self, x): return self.head(self.features(x).flatten(1))
    net, x = Net().eval(), pictures(2, 16)
    theirs = copy.deepcopy(net)
    for m in theirs.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear, nn.AdaptiveAvgPool2d)): m.rule = rules.EpsilonRule(eps)
        if isinstance(m, nn.MaxPool2d): m.rule = rules.EpsilonRule(1e-12)   # theirs damps it, ours does not
    expected = attr.LRP(theirs).attribute(x.clone(), target=1).sum(1).detach()
    maps = heatmap(net, x, 1, method='lrp', eps=eps).maps
    assert (maps - expected).abs().max() < 1e-4*expected.abs().max()

def test_lrp_refuses_what_has_no_rule():
    class Gate(nn.Module):
        def forward(self, x): return x*x.mean((2, 3), keepdim=True)
    class Shift(nn.Module):
        def forward(self, x): x.add_(1); return x
    class Scale(nn.Module):
        def forward(self, x): return 1/(x + 9)
    def net(layer): return nn.Sequential(nn.Conv2d(3, 6, 3), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    unnormed = nn.BatchNorm2d(6, track_running_stats=False)
    for layer, words in ((Gate(), "'mul' of two things"), (nn.Sigmoid(), "'sigmoid'"),
                         (nn.GroupNorm(2, 6), 'group_norm'), (Scale(), 'no rule for'),
                         (unnormed, 'statistics of the batch'), (nn.Hardtanh(.5, 1), 'hardtanh'),
                         (Shift(), 'changes its tensors in place')):
        with pytest.raises(ValueError, match=words): heatmap(net(layer), pictures(1), 1, method='lrp')
    with pytest.raises(ValueError, match='layer_norm'): heatmap(vit(), pictures(1), method='lrp')
    mixed = net(nn.Sequential(nn.MaxPool2d(2), nn.LeakyReLU(inplace=True), nn.Upsample(scale_factor=2)))
    h = heatmap(mixed, pictures(1), lambda out: 2*out[:, 1] - out[:, 0], method='lrp')
    assert h.maps.any()


# ---- attention rollout

def by_hand(net, x):
    "The product of the ViT's matrices `(N,T,T)`, asked for in each of its attentions."
    product, handles = torch.eye(17), []
    def keep(module, args, kwargs, out):
        nonlocal product
        weights = module.forward(*args, need_weights=True)[1]           # mean over the heads
        product = (weights + torch.eye(17))/2 @ product
    for layer in net.encoder.layers:
        handles.append(layer.self_attention.register_forward_hook(keep, with_kwargs=True))
    with torch.no_grad(): net(x)
    for handle in handles: handle.remove()
    return product

def test_rollout_is_the_product_of_the_matrices():
    x = pictures()
    net = vit()
    product = by_hand(net, x)
    torch.testing.assert_close(product.sum(2), torch.ones(3, 17))
    h = heatmap(net, x, method='rollout')
    torch.testing.assert_close(h.maps, product[:, 0, 1:].view(3, 4, 4), rtol=1e-4, atol=1e-6)
    assert h.maps.sum((1, 2)).le(1).all() and h.maps.min() > 0
    whole = heatmap(net, x, method='rollout', residual=1.).maps         # nothing but skips: nothing is mixed
    assert whole.abs().max() == 0

def test_rollout_reads_the_tokens_that_the_score_reads():
    "The mean over the patches, where the head takes it; the class token's own row does not count then."
    net, x = vit('mean'), pictures()
    product = by_hand(net, x)
    expected = product[:, 1:, 1:].mean(1).view(3, 4, 4)
    torch.testing.assert_close(heatmap(net, x, method='rollout').maps, expected, rtol=1e-4, atol=1e-6)
    cut = vit()
    cut.heads = nn.Sequential(nn.Linear(16, 3)); nn.init.zeros_(cut.heads[0].weight)
    with pytest.raises(ValueError, match='nothing to roll out'): heatmap(cut, x, method='rollout')

def test_rollout_of_every_way_to_write_attention():
    "The fused function, or a softmax written out, with three axes and with four: one map."
    class Attention(nn.Module):
        def __init__(self, way): super().__init__(); self.way, self.qkv = way, nn.Linear(8, 24)
        def forward(self, x):
            q, k, v = self.qkv(x).view(*x.shape[:2], 3, 2, 4).permute(2, 0, 3, 1, 4)
            if self.way == 'fused': out = F.scaled_dot_product_attention(q, k, v)
            elif self.way == 'four': out = (q @ k.mT/2).softmax(-1) @ v
            else:
                q, k, v = [t.flatten(0, 1) for t in (q, k, v)]
                if self.way == 'fused, three': out = F.scaled_dot_product_attention(q, k, v)
                else: out = torch.softmax(torch.bmm(q, k.mT)/2, 2) @ v
                out = out.unflatten(0, (-1, 2))
            return out.transpose(1, 2).flatten(2)
    class Net(nn.Module):
        def __init__(self, way):
            super().__init__()
            self.patches, self.a, self.b = nn.Conv2d(3, 8, 8, 8), Attention(way), Attention(way)
            self.fc = nn.Linear(8, 3)
        def forward(self, x):
            x = self.patches(x).flatten(2).mT
            x = x + self.a(x)
            return self.fc((x + self.b(x))[:, 0])
    torch.manual_seed(0)
    state, x = Net('four').state_dict(), pictures()
    maps = []
    for way in ('four', 'three', 'fused', 'fused, three'):
        net = Net(way); net.load_state_dict(state)
        maps.append(heatmap(net, x, method='rollout').maps)
    for other in maps[1:]: torch.testing.assert_close(other, maps[0], rtol=1e-4, atol=1e-6)
    assert maps[0].std() > 0

def test_rollout_refuses_what_has_no_patches_throughout():
    torch.manual_seed(0)
    for net, words in ((conv(), 'no attention runs in Net'), (tv.swin_t(), 'parts of a picture')):
        with pytest.raises(ValueError, match=words): heatmap(net, pictures(1, 64), method='rollout')
    class Pooled(nn.Module):
        "The keys of the second attention are fewer than its queries."
        def __init__(self):
            super().__init__()
            self.patches, self.fc = nn.Conv2d(3, 8, 8, 8), nn.Linear(8, 3)
        def forward(self, x):
            x = self.patches(x).flatten(2).mT[:, None]
            x = x + F.scaled_dot_product_attention(x, x, x)
            return self.fc(F.scaled_dot_product_attention(x, x[:, :, ::2], x[:, :, ::2])[:, 0].mean(1))
    with pytest.raises(ValueError, match='16×8, 16×16'): heatmap(Pooled(), pictures(2), method='rollout')
    class Blocks(nn.Module):
        "Attention within four blocks, on an axis of their own."
        def __init__(self):
            super().__init__()
            self.patches, self.fc = nn.Conv2d(3, 8, 8, 8), nn.Linear(8, 3)
        def forward(self, x):
            x = self.patches(x).flatten(2).mT.view(len(x), 1, 4, 4, 8)
            return self.fc(F.scaled_dot_product_attention(x, x, x).flatten(1, 3).mean(1))
    with pytest.raises(ValueError, match='parts of a picture'):
        heatmap(Blocks(), pictures(2), method='rollout')

def test_rollout_of_timm():
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    size = dict(img_size=64, depth=3, num_classes=5)
    net, x = timm.create_model('vit_tiny_patch16_224', **size).eval(), pictures(2, 64)
    fused = heatmap(net, x, method='rollout').maps
    for block in net.blocks: block.attn.fused_attn = False
    torch.testing.assert_close(heatmap(net, x, method='rollout').maps, fused, rtol=1e-4, atol=1e-6)
    net = timm.create_model('deit_tiny_distilled_patch16_224', **size).eval()
    assert heatmap(net, x, method='rollout').maps.shape == (2, 4, 4)

def test_rollout_agrees_with_the_matrices_of_transformers():
    transformers = pytest.importorskip('transformers')
    torch.manual_seed(0)
    config = transformers.ViTConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                                    intermediate_size=32, image_size=32, patch_size=8)
    x = pictures(2)
    for way in ('eager', 'sdpa'):
        config._attn_implementation = way
        net = transformers.ViTForImageClassification(config).eval()
        if way == 'eager':
            state = net.state_dict()
            with torch.no_grad(): matrices = net(x, output_attentions=True).attentions
            product = torch.eye(17)
            for a in matrices: product = (a.mean(1) + torch.eye(17))/2 @ product
        else: net.load_state_dict(state)
        maps = heatmap(net, x, method='rollout').maps
        torch.testing.assert_close(maps, product[:, 0, 1:].view(2, 4, 4), rtol=1e-4, atol=1e-6)


# ---- all four in every use

NEW = {'integrated_gradients': {'n': 4}, 'rise': {'n': 12}, 'lrp': {}, 'rollout': {}}

def network(method): return vit() if method == 'rollout' else conv()

@pytest.mark.parametrize('method', NEW)
def test_targets_batches_precisions_and_inputs(method):
    net, x = network(method), pictures()
    def run(net=net, x=x, target=1, **kw):
        return heatmap(net, x, target, method=method, **NEW[method], **kw).maps
    maps = run()
    assert maps.shape[0] == 3 and maps.dtype == torch.float32 and maps.isfinite().all() and maps.std() > 0
    torch.testing.assert_close(torch.cat([run(x=x[i:i+1]) for i in range(3)]), maps, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(run(bs=2), maps, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(run(target=lambda out: out[:, 1]), maps)
    half = run(copy.deepcopy(net).bfloat16())
    assert half.dtype == torch.float32 and F.cosine_similarity(half.flatten(), maps.flatten(), 0) > .9
    with torch.autocast('cpu', torch.bfloat16):
        assert F.cosine_similarity(run().flatten(), maps.flatten(), 0) > .9
    assert (method, one_pass(net, x).layers[0]) in heatmaps(net, x, [method, 'gradcam'], **NEW[method])
    class Two(nn.Module):
        def __init__(self): super().__init__(); self.net = net
        def forward(self, x, more): return self.net(x) + more
    both = run(Two().eval(), (x, torch.zeros(3, 1)))
    torch.testing.assert_close(both, maps, rtol=1e-3, atol=1e-5)

@pytest.mark.parametrize('method', NEW)
def test_the_network_is_left_as_it_was(method):
    net, x = network(method).train(), pictures(2)
    before, random = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    heatmap(net, x, 1, method=method, **NEW[method])
    assert net.training and all(p.grad is None and p.requires_grad for p in net.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before.values(), net.state_dict().values()))
    assert torch.equal(random, torch.get_rng_state()) and torch.is_grad_enabled()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())

@pytest.mark.parametrize('method', ['scorecam', 'ablationcam', 'occlusion', 'rise'])
def test_one_number_for_several_copies_is_refused(method):
    for n in (1, 2):
        with pytest.raises(ValueError, match='one number for each picture'):
            heatmap(conv(), pictures(n), lambda out: out[:, 1].sum(), method=method)


class OfBatches(nn.Module):
    "A network with its own way of taking a batch."
    def __init__(self, way):
        super().__init__()
        self.conv, self.fc, self.way = nn.Conv2d(3, 8, 3), nn.Linear(8, 5), way
    def forward(self, x): return self.fc(self.way(self.conv(x).relu().mean((2, 3))))

def of_one(x):
    assert len(x) == 1
    return x

WAYS = [lambda x: x - x.mean(0, keepdim=True)/2 if len(x) > 1 else x, lambda x: x.view(1, 8), lambda x: x[:1],
        of_one]

@pytest.mark.parametrize("method", ["integrated_gradients", "smoothgrad"])
@pytest.mark.parametrize("target", [2, [0, 1, 2], None, lambda out: out[:, 1]])
def test_gradients_are_the_same_alone_and_together(monkeypatch, method, target):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(8, 5))
    for net, n in ((plain, 3), (plain, 1), *((OfBatches(way), 1) for way in WAYS)):
        x, t = torch.rand(n, 3, 16, 16), target[:n] if isinstance(target, list) else target
        maps = []
        for together in (gradients.TOGETHER, 1):
            monkeypatch.setattr(gradients, "TOGETHER", together)
            maps.append(heatmap(net.eval(), x, t, method=method).maps)
            monkeypatch.undo()
        torch.testing.assert_close(*maps, rtol=1e-4, atol=1e-6)
