"The trunk by OpenVINO: the maps of the plain pass, what is noticed, and what is left alone."
import copy
import warnings

import pytest
import torch
from torch import nn

import shipviz.trunk as trunk
from shipviz.heatmaps import heatmap, heatmaps

pytest.importorskip('openvino', reason='pip install "shipviz[fast]"')


class Net(nn.Module):
    "Residual blocks, an in-place ReLU and a head."

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.mid = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.Hardswish())
        self.last = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(inplace=True))
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = self.last((x := self.stem(x)) + self.mid(x))
        return self.fc(x.mean((2, 3)))


class Reads(Net):
    "Goes another way for bright pictures."

    def forward(self, x):
        x = self.stem(x)
        if x.mean() > 0: x = self.mid(x)
        return self.fc(self.last(x).mean((2, 3)))


class Leaks(Net):
    "What lies above the layer looks at the picture, too."

    def forward(self, x):
        return super().forward(x) + x.mean((1, 2, 3))[:, None]


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def pictures(n, side=32): return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(n))


def agree(a, b):
    a, b = a.maps, b.maps
    return a.shape == b.shape and bool((a - b).abs().max() <= 1e-3*(b.max() - b.min()))


def trunks(net): return [t for t in trunk._KNOWN[net].trunks.values() if t is not None]


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return heatmap(*args, plan='openvino', **kwargs)


def test_the_maps_are_those_of_the_plain_pass(net):
    for n in (3, 1, 3, 20, 16):                # 20: in two parts
        x = pictures(n)
        a, b = quietly(net, x), heatmap(net, x, plan=False)
        assert agree(a, b) and torch.allclose(a.scores, b.scores, atol=1e-4)
    assert len(trunks(net)) == 1 and trunks(net)[0].checked == {1, 3, 16, 20}


def test_openvino_and_nothing_else_runs_below_the_layer(net, monkeypatch):
    quietly(net, pictures(2))
    ran = []
    real = nn.Conv2d._conv_forward
    monkeypatch.setattr(nn.Conv2d, '_conv_forward', lambda self, *a: ran.append(self) or real(self, *a))
    quietly(net, pictures(2))
    assert not ran
    heatmap(net, pictures(2), plan=False)
    assert len(ran) == 3


def test_several_layers_and_methods(net):
    x = pictures(2)
    ask = dict(methods=['gradcam', 'scorecam', 'ablationcam'], layers=['stem', 'last'])
    a, b = heatmaps(net, x, plan='openvino', **ask), heatmaps(net, x, plan=False, **ask)
    assert list(a) == list(b) and all(agree(a[k], b[k]) for k in b)
    assert len(trunks(net)) == 1


def test_the_model_is_left_as_it_was(net):
    net.train()
    before, keys = copy.deepcopy(net.state_dict()), [list(m.__dict__) for m in net.modules()]
    for _ in range(2): quietly(net, pictures(2))
    assert all(m.training for m in net.modules()) and keys == [list(m.__dict__) for m in net.modules()]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


CHANGES = dict(
    data=lambda net: net.stem[0].weight.data.mul_(2),
    buffer=lambda net: net.stem[1].running_mean.add_(1),
    module=lambda net: setattr(net, 'mid', nn.Sequential(nn.Conv2d(8, 8, 1), nn.Tanh())),
    attribute=lambda net: setattr(net.stem[0], 'stride', (1, 1)),
    load=lambda net: net.load_state_dict(Net().state_dict()))


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed(net, change):
    x = pictures(2)
    old = quietly(net, x)
    change(net)
    new = quietly(net, x)
    assert agree(new, heatmap(net, x, plan=False))
    assert not agree(new, old)


@pytest.mark.parametrize('kind, said', [(Reads, 'reads out of a tensor'), (Leaks, 'more than the layer')])
def test_what_it_cannot_run_runs_plainly_after_one_warning(kind, said):
    torch.manual_seed(0)
    net, x = kind(), pictures(2)
    with pytest.warns(UserWarning, match=said) as seen: a = heatmap(net, x, plan='openvino')
    assert len(seen) == 1 and seen[0].filename == __file__
    for found in (a, quietly(net, x)): assert agree(found, heatmap(net, x, plan=False))


def test_wrong_numbers_are_noticed(net, monkeypatch):
    real = trunk.Trunk._acts
    monkeypatch.setattr(trunk.Trunk, '_acts', lambda self, x: real(self, x)*1.01)
    with pytest.warns(UserWarning, match='other numbers'): a = heatmap(net, pictures(2), plan='openvino')
    assert agree(a, heatmap(net, pictures(2), plan=False)) and not trunks(net)


def test_hooks_are_called(net):
    calls = []
    net.mid.register_forward_hook(lambda *a: calls.append(1))
    with pytest.warns(UserWarning, match='hooks'): heatmap(net, pictures(2), plan='openvino')
    before = len(calls)
    quietly(net, pictures(2))
    assert len(calls) > before


def test_double_precision_runs_plainly(net):
    net, x = net.double(), pictures(2).double()
    with pytest.warns(UserWarning, match='single precision'): a = heatmap(net, x, plan='openvino')
    assert agree(a, heatmap(net, x, plan=False))
    assert agree(quietly(net.float(), x.float()), a) and len(trunks(net)) == 1


def test_memory_is_bounded(net, monkeypatch):
    nets = [copy.deepcopy(net) for _ in range(trunk.MOST + 2)]
    for one in nets: quietly(one, pictures(1))
    assert len(trunk._all()) == trunk.MOST and trunks(nets[-1]) and not trunks(nets[0])
    monkeypatch.setattr(trunk, 'MOST_BYTES', 10)
    with pytest.warns(UserWarning, match='too large'): heatmap(net, pictures(1), plan='openvino')
    del nets, one
    assert trunk.trunk_bytes() == 0
