"The layer table on networks that the lesson does not show, against PyTorch's own counter of operations."
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shipviz.batchnorm import batch_norm
from shipviz.network import layer_table

from torchvision import models  # isort: skip  (after shipviz, which repairs it where that is needed)


@pytest.mark.parametrize("arch", ["mobilenet_v3_small", "densenet121", "googlenet", "vgg11_bn"])
def test_totals_are_those_of_the_network(arch):
    options = dict(aux_logits=False, init_weights=False) if arch == "googlenet" else {}
    model, x = getattr(models, arch)(**options).eval(), torch.randn(1, 3, 64, 64)
    with FlopCounterMode(display=False) as counter, torch.no_grad(): model(x)
    for depth in (None, 1, 2):
        table = layer_table(model, x, depth)
        assert 2*table["multiply-adds"].sum() == counter.get_total_flops()
        assert table["parameters"].sum() == sum(p.numel() for p in model.parameters())


def test_layer_table_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    layer_table(model, torch.randn(2, 3, 8, 8))
    assert model.training and not any(m._forward_hooks for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_batch_norm_passes_the_same_gradients():
    bn, x = nn.BatchNorm2d(3).double(), torch.randn(4, 3, 5, 5, dtype=torch.double, requires_grad=True)
    g = torch.randn_like(x)
    expected = torch.autograd.grad(bn(x), (x, bn.weight, bn.bias), g)
    y, *_ = batch_norm(x, bn.weight, bn.bias, torch.zeros(3), torch.ones(3), training=True)
    gradients = torch.autograd.grad(y, (x, bn.weight, bn.bias), g)
    for a, b in zip(gradients, expected): torch.testing.assert_close(a, b)
