"""Networks as people write them: what goes in, what comes out, and those that no gradient gets into."""
import shipviz  # first: it repairs torchvision

# isort: split
import dataclasses
import warnings
from collections import UserDict
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from shipviz.heatmaps import (
    METHODS,
    heatmap,
    heatmaps,
    input_gradients,
    layers,
    one_pass,
    overlay,
    predict_with_heatmaps,
)
from shipviz.tracing import _differentiable_rnns, run, undisturbed

QUICK = {'smoothgrad': {'n': 2}, 'occlusion': {'window': 16, 'stride': 16}, 'rise': {'n': 20},
         'integrated_gradients': {'n': 4}}
HEADS = {'cam', 'lrp', 'rollout'}               # methods for networks of a certain build


def conv(classes=4, channels=3, seed=0):
    torch.manual_seed(seed)
    body = nn.Conv2d(channels, 6, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU()
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)).eval()

def pictures(n=3, size=32, channels=3, seed=1):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(seed))

class Net(nn.Module):
    "A body, pooling, one linear layer; and a `forward` for each test."
    def __init__(self, forward, features=8, classes=4):
        super().__init__()
        self.body, self.fc = conv()[:4], nn.Linear(features, classes)
        self.forward = forward.__get__(self)
    def pooled(self, x): return self.body(x).mean((2, 3))

def same(a, b): torch.testing.assert_close(a.maps, b.maps, rtol=1e-3, atol=1e-6)

def everyday_methods(): return [m for m in METHODS if m not in HEADS]


# ---- what goes in

def by_place(self, x): return self.fc(self.pooled(x))
def by_keyword(self, *, pixel_values, labels=None):
    return {'loss': labels, 'logits': self.fc(self.pooled(pixel_values))}
def by_later_name(self, input_ids=None, pixel_values=None): return self.fc(self.pooled(pixel_values))
def by_batch(self, batch): return self.fc(self.pooled(batch['image']))
def by_any(self, **inputs): return self.fc(self.pooled(inputs['x']))

@pytest.mark.parametrize('forward, images', [
    (by_place, {'x': 0}), (by_keyword, None), (by_keyword, {'pixel_values': 0, 'labels': None}),
    (by_keyword, UserDict(pixel_values=0)), (by_later_name, None), (by_later_name, {'pixel_values': 0}),
    (by_batch, {'image': 0}), (by_batch, {'image': 0, 'number': torch.arange(3)}), (by_any, {'x': 0})])
def test_pictures_by_name(forward, images):
    x = pictures()
    given = x if images is None else type(images)({k: x if v == 0 else v for k, v in images.items()}) \
        if all(isinstance(v, int | None) for v in images.values()) else {**images, 'image': x}
    net = Net(forward)
    expected = Net(by_place)
    expected.load_state_dict(net.state_dict())
    for method in ('gradcam', 'ablationcam', 'scorecam', 'saliency'):
        same(heatmap(net, given, 1, method=method, bs=2), heatmap(expected, x, 1, method=method))
    assert [l.name for l in layers(net, given) if l.default] == ['body']

def test_inputs_that_a_network_cannot_take_are_refused_in_words():
    x = pictures()
    for forward, images, words in (
            (by_keyword, {'pixels': x}, "takes no 'pixels'; it takes: pixel_values, labels"),
            (by_keyword, (x, x), 'takes keywords only: give a dict of pixel_values, labels'),
            (by_place, {'image': x}, "takes no 'image'; it takes: x"),
            (by_place, (x, torch.arange(3)), r'takes x, not 2 inputs: of a batch \(x, y\) give x')):
        with pytest.raises(TypeError, match=words): heatmap(Net(forward), images)
    for images in ({'pixel_values': [x.numpy()]}, {'x': x.byte()}, (x[:, 0], x[0, 0])):
        with pytest.raises(ValueError, match=r'None of the inputs is a batch of pictures \(N,C,H,W\)'):
            heatmap(Net(by_place), images)

def extra_first(self, extra, x): return self.fc(self.pooled(x) + extra.flatten(1)[:, :1])
def extra_last(self, x, extra): return extra_first(self, extra, x)

@pytest.mark.parametrize('method', everyday_methods())
@pytest.mark.parametrize('extra', [torch.rand(2, 8), torch.rand(2, 1, 9, 7)])
def test_the_picture_need_not_come_first(method, extra):
    "Its size is that of the heatmap, its pixels are changed: not those of a mask or a table row."
    first, last, x = Net(extra_last), Net(extra_first), pictures(2)
    last.load_state_dict(first.state_dict())
    options = QUICK.get(method, {})
    a = heatmap(first, (x, extra), 1, method=method, **options)
    b = heatmap(last, (extra, x), 1, method=method, **options)
    assert a.size == b.size == (32, 32)
    same(a, b)
    assert not torch.equal(heatmap(last, (extra*0, x), 1).scores, b.scores)

def test_options_and_what_belongs_to_no_picture_are_handed_over_whole():
    def words(self, input_ids, pixel_values, double=False):
        return UserDict(logits_per_image=self.pooled(pixel_values)@input_ids.T*(1 + double), text=input_ids)
    net, x, ids = Net(words), pictures(3), torch.rand(5, 8)
    inputs = {'input_ids': ids, 'pixel_values': x}
    h = heatmap(net, inputs, 4)
    assert h.logits.shape == (3, 5)
    torch.testing.assert_close(heatmap(net, {**inputs, 'double': True}, 4).maps, 2*h.maps)
    for method in ('ablationcam', 'occlusion'):
        alone = [heatmap(net, {**inputs, 'pixel_values': x[i:i+1]}, 4, method=method).maps for i in range(3)]
        torch.testing.assert_close(heatmap(net, inputs, 4, method=method, bs=2).maps, torch.cat(alone))
    with pytest.raises(ValueError, match='as many rows as there are pictures'):
        heatmap(net, {**inputs, 'input_ids': ids[:3]}, method='occlusion')


# ---- layers that run more than once

def pair(self, a, b): return self.fc(torch.cat([self.pooled(a), self.pooled(b)], 1))

def test_a_siamese_pair_has_a_map_for_each_picture():
    net, a, b = Net(pair, 16), pictures(2), pictures(2, 48, seed=2)
    with pytest.raises(ValueError, match=r"'body' runs 2 times in a pass, side by side.*layer='body\[0\]'"):
        heatmap(net, (a, b))
    with pytest.raises(ValueError, match='side by side'): next(predict_with_heatmaps(net, [((a, b), None)]))
    found = heatmaps(net, (a, b), target=1)
    assert list(found) == [('gradcam', 'body[0]'), ('gradcam', 'body[1]')]
    maps = [net.body(x).detach().requires_grad_() for x in (a, b)]
    score = net.fc(torch.cat([m.mean((2, 3)) for m in maps], 1))[:, 1]
    for h, A, g in zip(found.values(), maps, torch.autograd.grad(score.sum(), maps)):
        torch.testing.assert_close(h.maps, (g.mean((2, 3), keepdim=True)*A).sum(1).detach())
    assert [h.size for h in found.values()] == [(32, 32), (48, 48)]
    same(heatmap(net, (a, b), 1, layer='body[1]'), found['gradcam', 'body[1]'])
    same(heatmap(net, (a, b), 1, layer='body[-2]'), found['gradcam', 'body[0]'])
    with pytest.raises(ValueError, match=r'runs 2 times in a pass: there is no body\[2\]'):
        heatmap(net, (a, b), layer='body[2]')

@pytest.mark.parametrize('method', everyday_methods())
def test_every_method_explains_the_picture_that_the_call_has_seen(method):
    def turned(self, a, b): return pair(self, b, a)
    net, other, a, b = Net(pair, 16), Net(turned, 16), pictures(2), pictures(2, 48, seed=2)
    other.load_state_dict(net.state_dict())
    options = QUICK.get(method, {})
    h = heatmap(net, (a, b), 1, layer='body[1]', method=method, **options)
    same(h, heatmap(other, (b, a), 1, layer='body[1]', method=method, **options))
    assert h.size == (48, 48)

def test_a_block_that_works_on_its_own_results_counts_at_its_last_call():
    def recurrent(self, x):
        x = self.body(x)
        for _ in range(3): x = self.block(x).relu()
        return self.fc(x.mean((2, 3)))
    net, x = Net(recurrent), pictures()
    net.block = nn.Conv2d(8, 8, 3, 1, 1)
    for method in ('gradcam', 'ablationcam'):
        same(heatmap(net, x, 1, 'block', method), heatmap(net, x, 1, 'block[2]', method))
    B = [net.body(x).detach()]
    for _ in range(3): B.append(net.block(B[-1].relu()))
    g, = torch.autograd.grad(net.fc(B[3].relu().mean((2, 3)))[:, 1].sum(), B[1])
    by_hand = (g.mean((2, 3), keepdim=True)*B[1]).sum(1).detach()
    torch.testing.assert_close(heatmap(net, x, 1, 'block[0]').maps, by_hand)


# ---- tokens

class Asking(nn.Module):
    "As LeViT: an attention makes fewer tokens; what it makes of new weights is much the same everywhere."
    def __init__(self, attend, dim=32):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, dim, 8, 8), nn.BatchNorm2d(dim))
        self.q, self.kv, self.attend = nn.Linear(dim, dim), nn.Linear(dim, 2*dim), attend
        self.mlp, self.fc = nn.Linear(dim, dim), nn.Linear(dim, 4)
    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        k, v = self.kv(x).chunk(2, 2)
        every_second = x.unflatten(1, (8, 8))[:, ::2, ::2].flatten(1, 2)
        x = self.attend(self.q(every_second), k, v)
        return self.fc((x + self.mlp(x)).mean(1))

def by_hand(q, k, v): return (.002*q@k.transpose(1, 2)).softmax(2)@v
def values_first(q, k, v):
    weights = (.002*q@k.transpose(1, 2)).softmax(2)
    return (v.transpose(1, 2)@weights.transpose(1, 2)).transpose(1, 2)
def fused(q, k, v):
    return nn.functional.scaled_dot_product_attention(.01*q[:, None], k[:, None], v[:, None])[:, 0]

@pytest.mark.parametrize('attend', [by_hand, values_first, fused])
def test_tokens_stand_where_their_queries_stand(attend):
    torch.manual_seed(0)
    net, x = Asking(attend).eval(), pictures(2, 64)
    h = heatmap(net, x, 1)
    assert (h.layer, h.maps.shape) == ('mlp', (2, 4, 4))
    A = []
    handle = net.mlp.register_forward_hook(lambda m, a, out: A.append(out))
    g, = torch.autograd.grad(net(x)[:, 1].sum(), A)
    handle.remove()
    by_token = (g.mean(1, keepdim=True)*A[0]).sum(2).detach()
    torch.testing.assert_close(h.maps, by_token.view(2, 4, 4))       # in reading order
    assert [l.name for l in layers(net, x) if l.default] == ['mlp']

def test_latents_have_no_places():
    "Their queries are weights: they stand nowhere, though there may be 16 of them."
    torch.manual_seed(0)
    net, x = Asking(by_hand), pictures(2, 64)
    latents = nn.Parameter(torch.randn(1, 16, 32))
    net.attend = lambda q, k, v: by_hand(latents, k, v)
    assert heatmap(net, x, 1).layer == 'kv'

def test_a_single_picture_has_the_gradients_that_it_has_in_a_batch():
    "torch on a CPU misreads the gradient that tokens hand to a batch norm below, if there is one picture."
    torch.manual_seed(0)
    net, x = Asking(by_hand).eval(), pictures(2, 64)
    net.stem[1].running_var.uniform_(.5, 2)
    for method in ('saliency', 'gradcam', 'integrated_gradients'):
        options = dict(layer='stem.0', method=method, **QUICK.get(method, {}))
        same(heatmap(net, x[:1], 1, **options), heatmap(net, x, 1, **options)[:1])
    same(heatmap(net, x[:1], 1, 'stem.0'), heatmap(net, x.expand(2, -1, -1, -1), 1, 'stem.0')[:1])

def test_a_grey_picture_that_is_expanded_to_three_channels():
    "Its three channels are one piece of memory, in which no gradient can lie."
    class Grey(nn.Module):
        def forward(self, x): return x[:, :1].expand(-1, 3, -1, -1)
    torch.manual_seed(0)
    net = nn.Sequential(Grey(), nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()
    x = pictures(2, 32)
    for method in ('saliency', 'gradcam', 'integrated_gradients'):
        options = dict(method=method, **QUICK.get(method, {}))
        same(heatmap(net, x[:1], 1, **options), heatmap(net, x, 1, **options)[:1])


# ---- what comes out

@dataclasses.dataclass
class Answer:
    embedding: torch.Tensor
    scores: torch.Tensor
    hidden: tuple = ()

OUTPUTS = {'embedding first': lambda e, z: (e, z), 'logits first': lambda e, z: [z, e],
           'dict': lambda e, z: {'e': e, 'z': z}, 'dataclass': lambda e, z: Answer(e, z, (e[:, :, None],)),
           'nested': lambda e, z: ({'features': (e,)}, z),
           'with probabilities': lambda e, z: (z, z.softmax(1)),
           'named': lambda e, z: {'other': z.clone(), 'logits': z}}

@pytest.mark.parametrize('output', OUTPUTS.values(), ids=OUTPUTS)
def test_the_logits_are_found(output):
    def forward(self, x): e = self.pooled(x).relu(); return output(e, self.fc(e))
    net, x = Net(forward), pictures()
    expected = net.fc(net.pooled(x).relu()).detach()
    h = heatmap(net, x)
    torch.testing.assert_close(h.logits, expected)
    torch.testing.assert_close(h.scores, expected.amax(1))
    assert h.maps.any()
    assert input_gradients(net, x, 1).any()       # where the first pass has no graph
    for p in net.parameters(): p.requires_grad_(False)
    same(heatmap(net, x), h)

def two_heads(self, x): e = self.pooled(x); return {'kind': self.fc(e), 'age': self.fc.weight.sum()*e[:, :5]}

def test_of_several_heads_one_is_chosen():
    net, x = Net(two_heads), pictures()
    words = r"'kind' \(3, 4\), 'age' \(3, 5\).*Choose one with head="
    for explain in (heatmap, input_gradients, lambda m, x: next(predict_with_heatmaps(m, [x]))):
        with pytest.raises(ValueError, match=words): explain(net, x)
    kind, age = (heatmap(net, x, 2, head=h) for h in ('kind', 'age'))
    assert kind.logits.shape == (3, 4) and age.logits.shape == (3, 5)
    same(age, heatmap(net, x, lambda out: out['age'][:, 2]))
    same(age, heatmap(net, x, 2, head=1))
    same(age, heatmap(net, x, 2, head=lambda out: out['age']))
    same(age, heatmaps(net, x, target=2, head='age')['gradcam', 'body'])
    assert next(predict_with_heatmaps(net, [x], head='age'))[0].shape == (3, 5)
    assert not torch.equal(input_gradients(net, x, 2, head='age'), input_gradients(net, x, 2, head='kind'))
    for bad, words in (('size', "no head 'size': the model's output holds 'kind', 'age'"), (7, 'no head 7'),
                       (lambda out: 3, r'holds scores \(N,K\), but what head= returned is a int')):
        with pytest.raises(ValueError, match=words): heatmap(net, x, head=bad)
    net.vocab = list('abcde')                     # the names tell which
    assert heatmap(net, x, 'c').logits.shape == (3, 5)

def one_number(net, shift=0.):
    "Pictures for which a single logit is positive, negative, positive."
    x = pictures(3)
    with torch.no_grad(): net[-1].bias -= net(x)[:, 0].median() - shift
    return x

@pytest.mark.parametrize('wrap', [nn.Sequential, lambda n: nn.Sequential(n, nn.Flatten(0)),
                                  lambda n: nn.Sequential(n, nn.Sigmoid())])
def test_one_logit_explains_the_class_that_is_predicted(wrap):
    inner = conv(1)
    x = one_number(inner)
    with torch.no_grad(): inner[-1].bias += 1e-3*inner(x)[:, 0].std()
    net, is_sigmoid = wrap(inner), wrap(inner)[-1].__class__ is nn.Sigmoid
    z = net(x).detach().view(-1)
    border = .5 if is_sigmoid else 0
    h = heatmap(net, x)
    assert h.targets.tolist() == (z > border).long().tolist() and set(h.targets.tolist()) == {0, 1}
    sign = torch.where(z > border, 1, -1)
    torch.testing.assert_close(h.scores, torch.where(z > border, z, (1 - z) if is_sigmoid else -z))
    one, zero = heatmap(net, x, 1), heatmap(net, x, 0)
    torch.testing.assert_close(zero.maps, -one.maps)
    torch.testing.assert_close(h.maps, sign[:, None, None]*one.maps)
    torch.testing.assert_close(one.maps, heatmap(net, x, lambda out: out.view(-1)).maps)
    for method in ('ablationcam', 'occlusion', 'cam'):
        if method == 'cam' and is_sigmoid: continue
        torch.testing.assert_close(heatmap(net, x, method=method).maps,
                                   torch.cat([heatmap(net, x[i:i+1], int(t), method=method).maps
                                              for i, t in enumerate(h.targets)]), rtol=1e-3, atol=1e-6)
    best = next(predict_with_heatmaps(net, [x]))[1][0]
    assert best.targets.tolist() == h.targets.tolist()
    with pytest.raises(ValueError, match='has 2 classes'): heatmap(net, x, 2)

def test_names_of_the_two_classes_of_one_logit():
    net = conv(1)
    x = one_number(net, .01)
    for vocab, names in ((['cat', 'dog'], ['cat', 'dog']), (['ship'], ['not ship', 'ship'])):
        net.vocab = vocab
        h = heatmap(net, x)
        assert h.labels == [names[t] for t in h.targets]
        same(heatmap(net, x, names[0]), heatmap(net, x, 0))


def test_names_of_classes():
    net, x = conv(), pictures(2)
    net.vocab = list('abc')                       # of something else: there are four scores
    assert heatmap(net, x, 3).labels == [3, 3]
    del net.vocab
    net.config = SimpleNamespace(id2label={1: 'dog', 0: 'cat', 2: 'fish', 3: 'ship'})   # as in transformers
    assert heatmap(net, x, 'ship').labels == ['ship', 'ship']
    net.config.id2label = {i: f'LABEL_{i}' for i in range(4)}
    assert heatmap(net, x, 3).labels == [3, 3]


# ---- networks that hooks or gradients do not get into

def quantised():
    "`(dynamically, statically quantised)`, and the network that both were made from."
    from torch.ao import quantization as q
    whole = nn.Sequential(q.QuantStub(), *conv(), q.DeQuantStub()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        dynamic = q.quantize_dynamic(conv(), {nn.Linear}, dtype=torch.qint8)
        whole.qconfig = q.get_default_qconfig(torch.backends.quantized.engine)
        ready = q.prepare(whole)
        ready(pictures(8))
        return dynamic, q.convert(ready)

@pytest.mark.parametrize('which', [0, 1], ids=['dynamic', 'static'])
def test_quantised_networks(which):
    net, x = quantised()[which], pictures()
    for method in ('gradcam', 'hirescam', 'cam', 'saliency', 'guided'):
        with pytest.raises(ValueError, match='This network is quantised.*no gradient.*mean_activation'):
            heatmap(net, x, method=method)
    for method in ('mean_activation', 'eigencam', 'ablationcam', 'scorecam'):
        got, want = (heatmap(n, x, 1, method=method).maps.flatten() for n in (net, conv()))
        assert torch.corrcoef(torch.stack([got, want]))[0, 1] > .9, method

def test_a_quantised_layer_in_the_middle_is_not_taken_for_a_saturated_score():
    from torch.ao.quantization import quantize_dynamic
    def forward(self, x): return self.fc(self.mid(self.pooled(x)))
    net = Net(forward)
    net.mid = nn.Linear(8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        net.mid = quantize_dynamic(nn.Sequential(net.mid), {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(ValueError, match=r"quantised \(layer 'mid.0'\)"): heatmap(net, pictures())
    def bypass(self, x): e = self.pooled(x); return self.fc(e + self.mid(e))
    net.forward = bypass.__get__(net)             # here a gradient comes through, but not all of it
    with pytest.raises(ValueError, match=r"quantised \(layer 'mid.0'\)"): heatmap(net, pictures())
    net.body[0], net.mid = nn.Sequential(net.body[0], net.mid), nn.Identity()
    mid = nn.Linear(256, 256)
    nn.init.eye_(mid.weight)                      # it leaves every place where it is
    net.body[0][1] = nn.Sequential(nn.Flatten(2, 3), quantize_dynamic(
        nn.Sequential(mid), {nn.Linear}, dtype=torch.qint8), nn.Unflatten(2, (16, 16)))
    assert not any(heatmap(net, pictures()).flags)  # what is quantised below the layer does no harm
    with pytest.raises(ValueError, match='quantised'): heatmap(net, pictures(), method='saliency')

def test_scripted_parts():
    net, x = conv(), pictures()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')           # torch.jit is on its way out
        scripted = torch.jit.script(net[:4])
    parts = nn.Sequential(scripted, net[4:])
    for method in ('gradcam', 'ablationcam', 'saliency'):
        same(heatmap(parts, x, 1, method=method), heatmap(net, x, 1, method=method))
    with pytest.raises(TypeError, match='use the network it was made from'): heatmap(scripted, x)

def test_exported_networks():
    net, x = conv(), pictures()
    dynamic = {0: torch.export.Dim('n', min=1, max=64)}
    program = torch.export.export(net, (x,), dynamic_shapes=(dynamic,))
    words = r'one graph of operations.*torch\.export\.unflatten'
    for exported in (program, program.module()):
        with pytest.raises(TypeError, match=words): heatmap(exported, x)
    same(heatmap(torch.export.unflatten(program), x, 1), heatmap(net, x, 1))
    same(heatmap(torch.fx.symbolic_trace(net), x, 1), heatmap(net, x, 1))

def test_a_compiled_forward():
    net, x = conv(), pictures()
    expected = heatmap(net, x, 1)
    net.forward = torch.compile(net.forward, backend='eager')
    net(x)
    same(heatmap(net, x, 1), expected)

def test_rnns_run_without_cudnn_and_nothing_else_does():
    rnn, seen = nn.GRU(8, 4, batch_first=True), []
    net = nn.Sequential(nn.Linear(8, 8), rnn)
    for m in net: m.register_forward_hook(lambda *a: seen.append(torch.backends.cudnn.enabled))
    with undisturbed(net), _differentiable_rnns(net, on_gpu=True): net(torch.rand(2, 5, 8))
    assert seen == [True, False] and torch.backends.cudnn.enabled
    with pytest.raises(RuntimeError):
        with _differentiable_rnns(net, on_gpu=True): rnn(torch.rand(2, 5, 7))
    assert torch.backends.cudnn.enabled and len(rnn._forward_hooks) == 1 and not rnn._forward_pre_hooks
    run(net, [torch.rand(2, 5, 8)])
    assert seen[-1] is True                       # on a CPU there is no cuDNN to leave out

@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU: cuDNN may refuse a backward pass')
def test_an_rnn_head_on_a_gpu():
    def forward(self, x): return self.fc(self.rnn(self.body(x).flatten(2).transpose(1, 2))[0][:, -1])
    net = Net(forward)
    net.rnn = nn.LSTM(8, 8, batch_first=True)
    x = pictures()
    expected = heatmap(net, x, 1, 'body')
    got = heatmap(net.cuda(), x, 1, 'body')
    torch.testing.assert_close(got.maps, expected.maps, rtol=.01, atol=1e-4*expected.maps.abs().max().item())
    assert one_pass(net, x).logits.shape == (3, 4)


# ---- clips

def as_one_batch(self, clips):
    e = self.pooled(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
    return self.fc(self.rnn(e)[0][:, -1])

def test_every_frame_of_a_clip_has_a_map():
    net = Net(as_one_batch)
    net.rnn = nn.GRU(8, 8, batch_first=True)
    clips = pictures(10).unflatten(0, (2, 5))
    h = heatmap(net, clips, 1)
    assert h.maps.shape == (10, 8, 8) and h.logits.shape == (10, 4) and h.targets.tolist() == [1]*10
    assert h.size == (32, 32)
    A = net.body(clips.flatten(0, 1)).detach().requires_grad_()
    logits = net.fc(net.rnn(A.mean((2, 3)).unflatten(0, (2, 5)))[0][:, -1])
    torch.testing.assert_close(h.logits[::5], logits.detach())
    g, = torch.autograd.grad(logits[:, 1].sum(), A)
    torch.testing.assert_close(h.maps, (g.mean((2, 3), keepdim=True)*A).sum(1).detach())
    each = heatmap(net, clips, [1, 2])
    torch.testing.assert_close(each.maps[5:], heatmap(net, clips[1:], 2).maps)
    torch.testing.assert_close(heatmap(net, clips, lambda out: out[:, 1]).maps, h.maps)
    x = clips.clone().requires_grad_()
    g, = torch.autograd.grad(net(x)[:, 1].sum(), x)
    torch.testing.assert_close(heatmap(net, clips, 1, method='saliency').maps, g.abs().amax(2).flatten(0, 1))
    covered = clips.clone()
    covered[1, 3, :, :16, :16] = 0
    o = heatmap(net, clips, 1, method='occlusion', window=16, stride=16).maps[8]
    drop = (net(clips) - net(covered))[1, 1].item()
    assert o[:16, :16].unique().tolist() == pytest.approx([drop], abs=1e-6)
    with pytest.raises(ValueError, match='without its clip'): heatmap(net, clips, method='ablationcam')
    with pytest.raises(ValueError, match=r'one clip \(1,T,C,H,W\) at a time, not 2'): one_pass(net, clips)

def test_networks_that_do_not_keep_frames_apart_are_refused():
    def one_by_one(self, clips): return self.fc(sum(self.pooled(clips[:, t]) for t in range(clips.shape[1])))
    def as_channels(self, clips): return self.fc(self.pooled(clips[:, :, 0].repeat(1, 2, 1, 1)[:, :3]))
    volume = nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    clips = pictures(5)[None]
    for net in (Net(one_by_one), conv(), volume, Net(as_channels)):
        with pytest.raises(ValueError, match=r'no maps of the single frames of a clip \(N,T,C,H,W\)'):
            heatmap(net, clips[:, :, :, :, :] if net is not volume else clips.transpose(1, 2))


# ---- pictures of other shapes

@pytest.mark.parametrize('channels', [1, 4, 5, 13])
def test_any_number_of_channels(channels):
    net, x = conv(channels=channels), pictures(2, channels=channels)
    for method in everyday_methods():
        h = heatmap(net, x, 1, method=method, **QUICK.get(method, {}))
        assert torch.isfinite(h.maps).all()
    shown = torch.rand(channels, 32, 32)
    if channels < 5: assert overlay(shown, h[0]).size == overlay((255*shown).byte(), h[0]).size == (32, 32)
    else:
        with pytest.raises(ValueError, match=f'No screen shows {channels} channels'): overlay(shown, h[0])
        assert overlay(shown[[2, 1, 0]], h[0]).size == (32, 32)

def test_channels_last_are_refused():
    with pytest.raises(ValueError, match=r'looks like \(N,H,W,C\): give x.permute\(0, 3, 1, 2\)'):
        heatmap(conv(), pictures().permute(0, 2, 3, 1))

@pytest.mark.parametrize('size', [(60, 1), (1, 60), (60, 2)])
def test_a_picture_may_be_a_single_row(size):
    def forward(self, x): return self.fc(self.body(x).relu().mean((2, 3)))
    net, x = Net(forward), torch.randn(2, 3, *size)
    net.body = nn.Conv2d(3, 8, [1 + 2*(s > 2) for s in size], padding='same')
    for method in everyday_methods():
        h = heatmap(net, x, 1, method=method, **QUICK.get(method, {}))
        assert h.maps.shape == (2, *size) and torch.isfinite(h.maps).all()
        assert overlay(torch.rand(3, *size), h[0]).size == size[::-1]
