"Stride arithmetic against torch, on drawn cases: sizes, windows, receptive fields; checkers of lessons 4-6"
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from shipviz.checks import channels, fields, stride
from shipviz.fields import chain, gradient_field, receptive_field, skeleton
from shipviz.stride import LITE0, conv_costs, output_size, size_formula, windows

whole = st.integers
cases = dict(n=whole(1, 64), k=whole(1, 11), s=whole(1, 9), p=whole(0, 8), d=whole(1, 5))


@settings(max_examples=400, deadline=None)
@given(**cases)
def test_output_size_is_torchs_or_both_refuse(n, k, s, p, d):
    x, weight = torch.zeros(1, 1, n), torch.zeros(1, 1, k)
    conv = lambda: F.conv1d(x, weight, stride=s, padding=p, dilation=d).shape[-1]
    try: expected = conv()
    except RuntimeError: expected = None
    if expected is None:
        with pytest.raises(ValueError, match="spans"): output_size(n, k, s, p, d)
    else:
        assert output_size(n, k, s, p, d) == expected
        assert size_formula(n, k, s, p, d).endswith(f"= {expected}")


@settings(max_examples=150, deadline=None)
@given(**cases)
def test_windows_read_what_torch_reads(n, k, s, p, d):
    if d*(k-1) + 1 > n + 2*p: return
    x = torch.arange(1., n+1)
    patches = F.unfold(x[None, None, None], (1, k), dilation=(1, d), padding=(0, p), stride=(1, s))[0].T
    ours = [[x[i].item() if 0 <= i < n else 0. for i in w] for w in windows(n, k, s, p, d)]
    assert ours == patches.tolist()


layer = st.tuples(whole(1, 5), whole(1, 3), whole(0, 2), whole(1, 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(layer, min_size=1, max_size=4))
def test_receptive_field_is_where_the_gradient_is(layers):
    field = receptive_field(layers)
    cell = -(field.first//field.step) + 1
    n = field.pixels(cell)[-1] + 2*max(p for _, _, p, _ in layers)*field.step + field.size
    convs = [torch.nn.Conv2d(1, 1, (1, k), (1, s), (0, p), (1, d)) for k, s, p, d in layers]
    net = torch.nn.Sequential(*convs)
    g = gradient_field(skeleton(net), torch.zeros(1, 1, 1, n, dtype=torch.double), (0, cell))
    seen = g[0].nonzero().flatten()
    assert (seen[0].item(), seen[-1].item()) == (field.pixels(cell)[0], field.pixels(cell)[-1])


def test_the_centre_of_a_field_is_where_its_gradient_is_centred():
    field = receptive_field([(7, 2, 3), (3, 2, 0), (5, 1, 1)])
    convs = torch.nn.Conv2d(1, 1, 7, 2, 3), torch.nn.Conv2d(1, 1, 3, 2, 0), torch.nn.Conv2d(1, 1, 5, 1, 1)
    net = skeleton(torch.nn.Sequential(*convs))
    g = gradient_field(net, torch.zeros(1, 1, 160, 160, dtype=torch.double), (16, 16)).sum(0)
    assert ((g*(torch.arange(160) + .5)).sum()/g.sum()).item() == pytest.approx(field.centre(16))
    assert [receptive_field([(k, 2, k//2)]).centre(0) for k in (1, 3, 5)] == [.5]*3


def test_lite0_is_the_network_that_lesson_8_builds():
    from shipviz.network import efficientnet_lite0
    body = efficientnet_lite0(pretrained=False).body
    spatial = [(k, s) for k, s, *_ in chain(body, torch.zeros(1, 3, 64, 64)) if k > 1]
    assert spatial == [(k, s if i == 0 else 1) for k, s, n, _ in LITE0 for i in range(n)]
    field = receptive_field(chain(body, torch.zeros(1, 3, 64, 64)))
    assert (field.size, field.step) == (851, 32)
    assert [field.centre(i) for i in range(7)] == [32*i + 31.5 for i in range(7)]
    g = gradient_field(skeleton(body), torch.zeros(1, 1, 1024, 1024, dtype=torch.double), (15, 15)).sum(0)
    assert ((g*(torch.arange(1024) + .5)).sum()/g.sum()).item() == pytest.approx(15*32 + 31.5)


def odd_answers():
    "What a learner may hand in by mistake."
    values = [0, -1, 3.5, float("nan"), "x", "", [], (), {}, {1: 2}, [1, [2]], object(), True,
              torch.zeros(0), torch.ones(2, 3)]
    returned = [1, "x", [], [None], torch.zeros(2, 2), torch.zeros(1, 1, 3, 3), object(), float("inf")]
    return values + [int, lambda: 1, lambda *a: a[0], lambda *a: 1/0] + [lambda *a, v=v: v for v in returned]


CHECKS = [f for m in (channels, stride, fields) for name, f in vars(m).items() if name.startswith("check_")]

@pytest.mark.parametrize("check", CHECKS, ids=lambda f: f.__name__)
def test_no_odd_answer_is_right_or_raises(check):
    for answer in odd_answers():
        feedback = check(answer)
        assert not feedback and feedback.kind not in ("right", "unanswered") and feedback.message, answer


def test_chain_leaves_the_model_as_it_was():
    conv, pool = torch.nn.Conv2d(3, 4, 3), torch.nn.MaxPool2d(2)
    net = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(4), pool).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    assert chain(net, torch.rand(2, 3, 9, 9)) == [(3, 1, 0, 1), (2, 2, 0, 1)]
    assert net.training and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())


def test_gradient_field_leaves_the_model_as_it_was():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).eval()
    x = torch.rand(2, 1, 8, 8)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    gradient_field(net, x)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters()) and not x.requires_grad


def test_costs_count_a_batch():
    one, four = conv_costs([3, 8, 16], 32), conv_costs([3, 8, 16], 32, batch_size=4)
    assert (four["multiply-adds"] == 4*one["multiply-adds"]).all()
    assert (four["parameters"] == one["parameters"]).all()


@pytest.mark.parametrize("bad,error,words", [
    ((8, 9), ValueError, "spans 9"), ((0, 1), ValueError, "n must be at least 1"),
    ((8, 3, 0), ValueError, "stride"), (("8", 3), TypeError, "n must be a whole number"),
    ((8, 3, 1, -1), ValueError, "padding"), ((8, (3, 3)), TypeError, "one axis at a time")])
def test_bad_input_is_refused_in_words(bad, error, words):
    for f in output_size, windows, size_formula:
        with pytest.raises(error, match=words): f(*bad)
