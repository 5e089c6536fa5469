"""The plan: the same maps from a folded copy of the weights, dropped when the network changes, and nothing
left behind in it."""
import shipviz  # first: it repairs torchvision

# isort: split
import copy
import gc
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F
from test_heatmaps import assert_same_state, pictures, state
from torch import nn
from torch.nn.utils import parametrizations
from torchvision import models as tv

from shipviz import plan
from shipviz.heatmaps import heatmap, heatmaps, one_pass
from shipviz.tracing import run, undisturbed


@pytest.fixture(autouse=True)
def for_small_networks_too(monkeypatch): monkeypatch.setattr(plan, 'WORTH', 0)

class Net(nn.Module):
    "Convolution, batch norm and activation in all orders that matter, a skip, an activation used thrice."
    def __init__(self, act=nn.ReLU):
        super().__init__()
        self.stem, self.bn, self.act = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), act()
        self.a, self.bn_a = nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8)
        self.b, self.bn_b = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8, affine=False)
        self.before, self.c = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1)
        self.last, self.fc = nn.Identity(), nn.Linear(8, 4)
    def forward(self, x):
        x = self.act(self.bn(self.stem(x)))
        y = self.bn_b(self.b(self.act(self.bn_a(self.a(x)))))
        x = self.act(self.c(self.before(y + x)))
        return self.fc(self.last(x).mean((2, 3)))

def with_statistics(model):
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, .3), m.running_var.uniform_(.5, 2)
            if m.affine: nn.init.uniform_(m.weight, .5, 2), nn.init.normal_(m.bias, 0, .3)
    return model.eval()

def network(seed=0, **kw):
    torch.manual_seed(seed)
    return with_statistics(Net(**kw))

def plan_of(model): return plan._KNOWN[model].plan

def planned_network(x=None, **kw):
    model = network(**kw)
    for _ in range(2): heatmap(model, pictures(2) if x is None else x)
    assert plan_of(model)
    return model

def assert_same_maps(model, x=None, **kw):
    "With a plan and without: the same maps and logits."
    x = pictures(2) if x is None else x
    a, b = heatmap(model, x, **kw), heatmap(model, x, plan=False, **kw)
    for u, v in ((a.maps, b.maps), (a.logits, b.logits)):
        assert (u - v).abs().max() <= 1e-4*(v.max() - v.min())

def planned_calls(monkeypatch):
    "A list that grows with every planned pass."
    calls, own = [], plan.Plan.run
    monkeypatch.setattr(plan.Plan, 'run', lambda self, *a: calls.append(1) or own(self, *a))
    return calls


# ---- the same answers

@pytest.mark.parametrize('act', [
    nn.ReLU, lambda: nn.ReLU(True), nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Hardsigmoid, nn.Tanh,
    nn.GELU, lambda: nn.GELU('tanh'), nn.ELU, lambda: nn.LeakyReLU(.2), lambda: nn.Hardtanh(-.5, .7)])
def test_every_activation(act):
    model = planned_network(act=act)
    for n in (1, 2, 9): assert_same_maps(model, pictures(n))

@pytest.mark.parametrize('name', [
    'resnet18', 'mobilenet_v3_small', 'efficientnet_b0', 'regnet_y_400mf', 'densenet121', 'convnext_tiny',
    'shufflenet_v2_x0_5', 'squeezenet1_0'])
def test_networks_of_torchvision(name):
    torch.manual_seed(0)
    model, x = with_statistics(tv.get_model(name, weights=None, num_classes=5)), pictures(9, 64)
    heatmap(model, x)
    assert plan_of(model), 'a plan that does not agree is not kept'
    for n in (1, 9): assert_same_maps(model, x[:n])

def test_every_layer_of_a_chain():
    "A layer inside a chain that a plan would leave out is made all the same."
    model = planned_network()
    for layer in ('stem', 'bn', 'a', 'bn_a', 'act', 'b', 'bn_b', 'before', 'c', 'last'):
        assert_same_maps(model, layer=layer, method='hirescam')
    assert plan_of(model)

def test_several_layers_methods_and_targets():
    model, x = planned_network(), pictures(9)
    kw = dict(methods=['gradcam', 'hirescam', 'layercam'], layers=['bn_a', 'last'], target=[0, 1, 2]*3)
    a, b = heatmaps(model, x, **kw), heatmaps(model, x, plan=False, **kw)
    for k in a: torch.testing.assert_close(a[k].maps, b[k].maps, rtol=1e-4, atol=1e-6)
    a, b = (heatmap(model, x, lambda out: out[:, 2]*out[:, 1], plan=p).maps for p in (True, False))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)

@pytest.mark.parametrize('method', ['scorecam', 'occlusion', 'ablationcam', 'saliency'])
def test_methods_with_passes_of_their_own(method, monkeypatch):
    model, x = planned_network(), pictures(2)
    calls = planned_calls(monkeypatch)
    a = heatmap(model, x, 1, method=method)
    assert (len(calls) > 2) == (method in ('scorecam', 'occlusion'))
    b = heatmap(model, x, 1, method=method, plan=False)
    torch.testing.assert_close(a.maps, b.maps, rtol=1e-3, atol=1e-5)

def test_the_graph_of_a_batch_in_parts_is_kept():
    p = one_pass(planned_network(), pictures(9))
    first = p.gradients(p.targets(1))[p.layers[0]]
    p.gradients(p.targets(2))
    torch.testing.assert_close(p.gradients(p.targets(1))[p.layers[0]], first)


# ---- when there is a plan

def test_a_plan_is_made_when_it_is_about_to_pay(monkeypatch):
    calls = planned_calls(monkeypatch)
    model = network()
    heatmap(model, pictures(2))
    assert not calls and plan_of(model) is None
    heatmap(model, pictures(2))
    assert len(calls) == 1 and plan_of(model).bytes == plan.plan_bytes(model) > 0
    many = network()
    heatmap(many, pictures(8))
    assert plan_of(many)
    monkeypatch.setattr(plan, 'WORTH', 1e9)
    small = network()
    for _ in range(3): heatmap(small, pictures(2))
    assert plan_of(small) is None and plan.plan_bytes(small) == 0

def test_plan_false_makes_and_uses_none(monkeypatch):
    model, calls = network(), planned_calls(monkeypatch)
    for _ in range(3): heatmap(model, pictures(9), plan=False)
    heatmap(model, pictures(2), method='occlusion', plan=False)
    assert not calls and model not in plan._KNOWN

def test_plans_take_limited_memory(monkeypatch):
    first = planned_network()
    size = plan.plan_bytes(first)
    monkeypatch.setattr(plan, 'MOST_BYTES', plan.plan_bytes() + size//2)
    second = planned_network(seed=1)
    assert plan_of(second) and plan.plan_bytes() <= plan.MOST_BYTES
    monkeypatch.setattr(plan, 'MOST_BYTES', size//2)
    third = network(seed=2)
    for _ in range(3): assert_same_maps(third)
    assert plan_of(third) is None

def test_other_precision_and_autocast_are_run_plainly(monkeypatch):
    model, x, calls = planned_network(), pictures(2), planned_calls(monkeypatch)
    with torch.autocast('cpu', torch.bfloat16): heatmap(model, x)
    for _ in range(3): heatmap(copy.deepcopy(model).double(), x)
    assert not calls


# ---- a network that changes

def optimiser_step(m):
    m(pictures(2)).sum().backward()
    torch.optim.SGD(m.parameters(), .5).step()

def train_mode_pass(m):
    m.train()
    with torch.no_grad(): m(3*pictures(8) + 1)
    m.eval()

def in_place(m):
    with torch.no_grad(): m.a.weight[0, 0, 0, 0] += 3

def replaced(m): m.a = nn.Conv2d(8, 8, 3, 1, 1)
def other_data(m): m.a.weight.data = torch.randn(8, 8, 3, 3)
def other_parameter(m): m.bn.weight = nn.Parameter(torch.full((8,), .3))
def longer_weights(m): parametrizations.weight_norm(m.a).parametrizations.weight.original0.data.mul_(2)
def added(m): m.last = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8).eval())

CHANGES = {
    'in place': in_place,
    'an optimiser': optimiser_step,
    'statistics of a pass in training mode': train_mode_pass,
    'through .data': lambda m: m.a.weight.data.mul_(2),
    'through .data, a bias': lambda m: m.bn.bias.data.add_(1),
    '.data itself': other_data,
    'a buffer': lambda m: m.bn.running_mean.add_(1),
    'load_state_dict': lambda m: m.load_state_dict(network(5).state_dict()),
    'a module': replaced,
    'a parameter': other_parameter,
    'a module more': added,
    'stride': lambda m: setattr(m.stem, 'stride', (1, 1)),
    'eps': lambda m: setattr(m.bn, 'eps', 1.),
    'bias None': lambda m: setattr(m.a, 'bias', None),
    'an activation': lambda m: setattr(m, 'act', nn.SiLU()),
    'weight_norm': longer_weights,
    'a forward of its own': lambda m: setattr(m.bn_a, 'forward', lambda x: 2*x),
    'a hook': lambda m: m.bn_a.register_forward_hook(lambda m, i, o: 2*o),
    'a hook before': lambda m: m.a.register_forward_pre_hook(lambda m, i: (2*i[0],))}

@pytest.mark.parametrize('change', CHANGES)
def test_a_change_is_noticed(change):
    model, x = planned_network(), pictures(2)
    before = heatmap(model, x).logits
    CHANGES[change](model)
    now = heatmap(model, x).logits
    assert not torch.allclose(now, before, rtol=1e-3)
    with torch.no_grad(): torch.testing.assert_close(now, model(x), rtol=1e-4, atol=1e-5)
    for _ in range(3): assert_same_maps(model)          # and a new plan, if there is one, is right

def test_what_changes_no_answer_is_harmless():
    model, x = planned_network(), pictures(2)
    expected = heatmap(model, x).maps
    model.requires_grad_(False); torch.testing.assert_close(heatmap(model, x).maps, expected)
    model.train(); torch.testing.assert_close(heatmap(model, x).maps, expected)
    model.requires_grad_(True); torch.testing.assert_close(heatmap(model, x).maps, expected)
    handle = model.a.register_forward_hook(lambda *a: None)
    torch.testing.assert_close(heatmap(model, x).maps, expected)
    handle.remove()
    model.double().float()
    for _ in range(3): torch.testing.assert_close(heatmap(model, x).maps, expected)
    assert plan_of(model)

def test_hooks_see_every_pass_and_the_plain_values():
    model, x, seen = planned_network(), pictures(2), []
    model.bn.register_forward_hook(lambda m, i, o: seen.append(o.detach().clone()))
    heatmap(model, x)              # finds the layers anew
    seen.clear()
    for _ in range(3): heatmap(model, x)
    assert len(seen) == 3
    with torch.no_grad(): expected = model.bn(model.stem(x))
    for o in seen: torch.testing.assert_close(o, expected)

def test_a_network_that_takes_another_way_is_followed():
    class Changeable(Net):
        def forward(self, x):
            if x.mean() < 0: return super().forward(x)
            return self.fc(self.act(self.stem(x)).mean((2, 3)))  # no batch norm, and no residual
    torch.manual_seed(0)
    model, x = with_statistics(Changeable()), pictures(2)
    for _ in range(3): assert_same_maps(model, x - 5, layer='act')
    assert_same_maps(model, x + 5, layer='act')

def test_who_else_reads_a_convolution_gets_what_it_returned():
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn, self.act = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
            self.fc = nn.Linear(8, 4)
        def forward(self, x):
            x = self.conv(x)
            y = self.bn(x)
            return self.fc((self.act(y)*x + y).mean((2, 3)))
    torch.manual_seed(0)
    model = with_statistics(Reads())
    for _ in range(3): assert_same_maps(model, layer='act')
    assert plan_of(model)

@pytest.mark.parametrize('method', ['gradcam', 'mean_activation', 'saliency'])
def test_a_large_batch_goes_through_in_parts(method):
    "Also where a graph begins at the layer, above which the parts are joined."
    model, x = network(), pictures(2*plan.TOGETHER + 1)
    for _ in range(2): assert_same_maps(model, x, method=method)
    assert plan_of(model).together == plan.TOGETHER

def test_pictures_that_look_at_each_other_stay_together():
    class Together(Net):
        def forward(self, x):
            y = super().forward(x)
            return y - y.mean(0)
    torch.manual_seed(0)
    model = with_statistics(Together())
    for n in (2, 2, 9, 12): assert_same_maps(model, pictures(n), target=0)

def test_an_error_of_the_network_is_its_own():
    class Stops(Net):
        def forward(self, x):
            if x.max() > 50: raise RuntimeError('too bright')
            return super().forward(x)
    torch.manual_seed(0)
    model, x = with_statistics(Stops()), pictures(2)
    for _ in range(2): heatmap(model, x)
    before = state(model)
    with pytest.raises(RuntimeError, match='too bright'): heatmap(model, x + 100)
    assert_same_state(before, state(model))
    assert torch.is_grad_enabled() and heatmap(model, x).maps.any()


# ---- nothing changes, nothing leaks

@pytest.mark.parametrize('method', ['gradcam', 'scorecam', 'ablationcam', 'occlusion', 'saliency'])
def test_the_network_is_left_as_it_was(method):
    model, x = network(), pictures(9)
    model.train(); model.bn.eval(); model.stem.weight.requires_grad_(False)
    model(x).sum().backward()
    before = state(model)
    kw = dict(window=16, stride=16) if method == 'occlusion' else {}
    for _ in range(2):
        heatmap(model, x, 1, method=method, **kw)
        assert_same_state(before, state(model))
    assert plan_of(model)

def test_other_threads_run_the_network_as_it_is():
    model, x, wrong = planned_network(), pictures(4), []
    with torch.no_grad(): expected = model(x)
    stop = threading.Event()
    def predict():
        while not stop.is_set():
            with torch.no_grad(): y = model(x)
            if not torch.equal(y, expected): wrong.append(y)
    threads = [threading.Thread(target=predict) for _ in range(2)]
    for t in threads: t.start()
    maps = [heatmap(model, x, 1).maps for _ in range(30)]
    stop.set()
    for t in threads: t.join()
    assert not wrong and all(torch.allclose(m, maps[0], atol=1e-6) for m in maps)

def test_a_network_and_its_plan_are_not_kept_alive():
    model = planned_network()
    known = weakref.ref(plan_of(model)), weakref.ref(model)
    del model
    gc.collect()
    assert [k() for k in known] == [None, None]

def test_no_tensor_is_kept_with_a_plan():
    def count():
        gc.collect()
        return sum(isinstance(o, torch.Tensor) for o in gc.get_objects())
    model, x = planned_network(), pictures(9)
    for _ in range(2): heatmap(model, x)
    start = count()
    for _ in range(20): heatmap(model, x)
    assert count() == start

def test_the_pass_inside_runs_each_layer_once(monkeypatch):
    "Folded means folded: no batch norm runs on its own behind a convolution."
    model, x, called, own = planned_network(), pictures(2), [], F.batch_norm
    monkeypatch.setattr(F, 'batch_norm', lambda *a, **k: called.append(1) or own(*a, **k))
    with undisturbed(model): plan.planned(model, [x], lambda xs: run(model, xs))
    called.clear()
    with undisturbed(model): plan.planned(model, [x], lambda xs: run(model, xs))
    assert len(called) == 1            # `before`, which stands before its convolution
