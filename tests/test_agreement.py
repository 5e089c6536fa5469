"Lesson 14's measures against numpy, and the checkers of lessons 13 and 14: right, wrong and odd answers."
import shipviz  # first: it repairs torchvision

# isort: split
import numpy as np
import pytest
import torch
from torch import nn

from shipviz.agreement import agreement, concat_head, correlation
from shipviz.checks.agreement import check_correlation, check_hirescam, check_repair
from shipviz.checks.heatmaps import check_centre, check_contrast, check_gradcam, check_hook
from shipviz.heatmaps import Hook, heatmaps


@pytest.mark.parametrize("seed", range(5))
def test_correlation_is_numpys(seed):
    g = torch.Generator().manual_seed(seed)
    a, b = torch.randn(4, 3, 2 + seed, generator=g), torch.randn(4, 3, 2 + seed, generator=g) * 5 + seed
    expected = [np.corrcoef(p.ravel(), q.ravel())[0, 1] for p, q in zip(a, b)]
    torch.testing.assert_close(correlation(a, b), torch.tensor(expected).float())
    torch.testing.assert_close(correlation(a, 3 * a + 1), torch.ones(4))
    torch.testing.assert_close(correlation(a, -a), -torch.ones(4))


def test_constant_maps_have_no_correlation_and_do_not_count():
    a = torch.randn(2, 3, 3)
    flat = torch.stack([torch.ones(3, 3), a[1]])
    assert correlation(a, flat).isnan().tolist() == [True, False]
    torch.testing.assert_close(agreement({"a": a, "flat": flat}), torch.ones(2, 2))


@pytest.mark.parametrize("a,b", [((2, 3, 3), (1, 3, 3)), ((3, 3), (3, 3)), ((2, 3, 3), (2, 3, 4))])
def test_maps_that_cannot_be_compared_are_refused(a, b):
    with pytest.raises(ValueError, match="one shape"): correlation(torch.ones(a), torch.ones(b))


class Data:
    "As much of fastai's DataLoaders as `concat_head` wants."
    def __init__(self, x, y):
        self.x, self.y, self.vocab, self.train = x, y, ["a", "b", "c"], self
        self.items = list(range(len(x)))

    def test_dl(self, items, with_labels, bs, num_workers): return [(self.x[items], self.y[items])]


class TestConcatHead:
    def setup_method(self):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU()),
                                   nn.Linear(1, 1)).train()
        y = torch.arange(90) % 3
        x = torch.randn(90, 3, 12, 12) * .3 + torch.eye(3)[y][:, :, None, None]
        self.learn = type("Learner", (), dict(model=self.model, dls=Data(x, y)))
        self.x, self.y = x, y

    def test_learns_and_leaves_the_body_alone(self):
        before, state = [p.clone() for p in self.model.parameters()], torch.random.get_rng_state()
        head = concat_head(self.learn, n=90)
        assert not head.training and head[-1].weight.shape == (3, 16)        # as wide as the body
        with torch.no_grad(): right = (head(self.model[0](self.x)).argmax(1) == self.y).float().mean()
        assert right > .9
        for p, q in zip(before, self.model.parameters()): assert torch.equal(p, q) and q.grad is None
        assert torch.equal(state, torch.random.get_rng_state())

    def test_is_the_same_every_time(self):
        a, b = concat_head(self.learn, n=60, epochs=1), concat_head(self.learn, n=60, epochs=1)
        for p, q in zip(a.state_dict().values(), b.state_dict().values()): assert torch.equal(p, q)

    def test_methods_part_behind_it_alone(self):
        heads = {"concat": concat_head(self.learn, n=90),
                 "linear": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))}
        for name, head in heads.items():
            net = nn.Sequential(self.model[0], head).eval()
            g, h, x = [f.maps for f in heatmaps(net, self.x[:8], ["gradcam", "hirescam", "xgradcam"],
                                                target=1).values()]
            same = torch.allclose(g, h, rtol=1e-4, atol=1e-6) and torch.allclose(g, x, rtol=1e-4, atol=1e-6)
            assert same == (name == "linear")


CHECKERS = [check_hook, check_centre, check_gradcam, check_contrast, check_hirescam, check_correlation,
            check_repair]
ODD = [3, "heat", [], {}, object(), torch.ones(2), lambda: 1, lambda *a: 1 / 0, lambda *a: "map",
       lambda *a: [1, 2], lambda *a: torch.ones(0),
       lambda *a: torch.tensor(float("nan")), lambda *a: a[0], lambda *a: np.ones((2, 3)), int,
       type("Empty", (), {}), print]


@pytest.mark.parametrize("check", CHECKERS)
@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_odd_answers_are_wrong_and_raise_nothing(check, answer):
    feedback = check(answer)
    assert not feedback and feedback.message


def constant(right):
    "A function that is right once, and returns the same for ever."
    kept = []
    def answer(*args):
        if not kept: kept.append(right(*args))
        return kept[0]
    return answer


def test_the_answer_to_one_input_is_not_enough():
    def gradcam(A, G): return torch.einsum("nk,nkij->nij", G.mean((2, 3)), A).relu()
    def contrast(A, W, c, d): return torch.einsum("k,kij->ij", W[c] - W[d], A)
    def hirescam(A, G): return (A*G).sum(1)
    def repaired(A, head, k):
        a = A[None].requires_grad_()
        return torch.einsum("k,kij->ij", torch.autograd.grad(head(a)[0, k], a)[0][0].mean((1, 2)), A.detach())
    for check, right in ((check_gradcam, gradcam), (check_contrast, contrast), (check_hirescam, hirescam),
                         (check_correlation, correlation),
                         (check_repair, repaired)):
        assert check(right), check(right)
        assert not check(constant(right)), check


def test_a_class_without_a_hook_is_no_hook():
    "It calls the module itself, on a picture that it was given: nothing hangs on the module."
    class Asks:
        def __init__(self, module): self.module, self.output = module, None
        def __enter__(self): self.output = self.module(torch.ones(1, 1, 2, 2)).detach(); return self
        def __exit__(self, *error): pass
        def remove(self): pass
    assert check_hook(Asks).kind == "no hook" and check_hook(Hook)


def test_a_hook_that_stays_is_told_apart():
    class Stays(Hook):
        def __exit__(self, *error): pass
    class OnlyIfWell(Hook):
        def __exit__(self, kind, *error): kind or self.remove()
    assert [check_hook(c).kind for c in (Stays, OnlyIfWell)] == ["hook left", "left after an error"]
