"What the lesson on learning exports, against PyTorch's own."
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shipviz.learning import STROKES, cross_entropy, learn_kernel, sgd_step, softmax, strokes


@pytest.mark.parametrize("size", [1, 50, 5000])
def test_cross_entropy_and_its_gradient(size):
    g = torch.Generator().manual_seed(size)
    z = (torch.randn(7, 4, generator=g, dtype=torch.double)*size).requires_grad_()
    y = torch.randint(0, 4, (7,), generator=g)
    torch.testing.assert_close(cross_entropy(z, y), F.cross_entropy(z, y))
    gradient, = torch.autograd.grad(cross_entropy(z, y), z)
    torch.testing.assert_close(gradient, (softmax(z) - F.one_hot(y, 4)).detach()/7)


def test_sgd_step_is_that_of_torch():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    optimiser = torch.optim.SGD(theirs.parameters(), lr=.2)
    for _ in range(4):
        x = torch.randn(6, 5)
        ours(x).square().mean().backward()
        sgd_step(ours.parameters(), .2)
        optimiser.zero_grad()
        theirs(x).square().mean().backward()
        optimiser.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    assert all(p.grad is None and p.requires_grad for p in ours.parameters())


def test_a_kernel_of_any_size_is_learned_from_noise():
    g = torch.Generator().manual_seed(3)
    picture, secret = torch.randn(40, 50, generator=g), torch.randn(2, 5, generator=g)
    target = F.conv2d(picture[None, None], secret[None, None])[0, 0]
    kernels, losses = learn_kernel(picture, target, torch.zeros(2, 5), lr=.3, steps=100)
    assert len(kernels) == len(losses) == 101 and kernels[0].abs().sum() == 0 and losses[-1] < 1e-9
    torch.testing.assert_close(kernels[-1], secret, atol=1e-4, rtol=0)


@pytest.mark.parametrize("columns", [(2, 14), (2, 8), (8, 14)])
def test_strokes_stay_in_their_columns_and_have_six_pixels(columns):
    x, y = strokes(200, seed=1, columns=columns)
    assert x.shape == (200, 1, 16, 16) and y.bincount().tolist() == [50]*len(STROKES)
    assert set((x > 0).sum((1, 2, 3)).tolist()) == {6}
    used = (x > 0).any(0)[0]
    assert not used[:2].any() and not used[-2:].any() and used.any(0).nonzero().flatten().tolist() == list(range(*columns))
