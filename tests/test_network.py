"Layer table, resnets from their tables, and folded norms, on networks that the lessons do not show."
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shipviz.batchnorm import batch_norm, fold_norm, straight_line
from shipviz.network import MBConv, copy_parts, efficientnet_lite0, layer_table, resnet

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
    for a, b in zip(torch.autograd.grad(y, (x, bn.weight, bn.bias), g), expected): torch.testing.assert_close(a, b)


@pytest.mark.parametrize("arch, blocks", [("resnet18", (2, 2, 2, 2)), ("resnet34", (3, 4, 6, 3))])
def test_a_resnet_from_its_table_is_torchvisions(arch, blocks):
    theirs = getattr(models, arch)(num_classes=7)
    theirs.train()(torch.randn(4, 3, 64, 64))
    stages = tuple(zip(blocks, (64, 128, 256, 512), (1, 2, 2, 2)))
    ours, x = copy_parts(theirs, resnet(stages, 7)), torch.randn(2, 3, 97, 65)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
        torch.testing.assert_close(ours.train()(x), theirs.train()(x))


def test_parts_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"fc.weight \(1000, 512\) does not fit 10.weight \(3, 512\)"):
        copy_parts(models.resnet18(), resnet(((2, 64, 1), (2, 128, 2), (2, 256, 2), (2, 512, 2)), 3))


def test_lite0_is_no_network_of_3x3_and_of_doubling():
    lite = efficientnet_lite0(pretrained=False)
    depthwise = [m.depthwise.conv.kernel_size for m in lite.modules() if isinstance(m, MBConv)]
    assert len(depthwise) == 16 and depthwise.count((5, 5)) == 9


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_folded_norm_gives_outputs_and_gradients_of_the_pair(bias, affine):
    torch.manual_seed(2)
    conv, bn = nn.Conv2d(4, 6, 3, 2, 1, groups=2, bias=bias).double(), nn.BatchNorm2d(6, affine=affine).double()
    if affine: nn.init.normal_(bn.weight), nn.init.normal_(bn.bias)
    for _ in range(5): bn(conv(torch.randn(8, 4, 9, 9, dtype=torch.double)*2 + 1))
    bn.eval()
    x, before = torch.randn(2, 4, 9, 9, dtype=torch.double, requires_grad=True), conv.weight.clone()
    one = fold_norm(conv, bn)
    torch.testing.assert_close(one(x), bn(conv(x)))
    for a, b in zip(*(torch.autograd.grad(f.sum(), x) for f in (one(x)**2, bn(conv(x))**2))): torch.testing.assert_close(a, b)
    assert torch.equal(conv.weight, before) and (conv.bias is not None) == bias
    slope, constant = straight_line(bn)
    y = torch.randn(1, 6, 1, 1, dtype=torch.double)
    torch.testing.assert_close(bn(y), slope.view(1, -1, 1, 1)*y + constant.view(1, -1, 1, 1))


def test_class_maps_with_a_final_norm_are_those_of_the_folded_matrix():
    torch.manual_seed(3)
    matrix, final = nn.Linear(12, 5).double(), nn.BatchNorm1d(5, momentum=.01).double()
    nn.init.normal_(final.weight), nn.init.normal_(final.bias)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    A = torch.rand(6, 12, 4, 4, dtype=torch.double, requires_grad=True)
    for _ in range(30): final(matrix(pool(A.detach())))
    with_norm, folded = nn.Sequential(pool, matrix, final).eval(), nn.Sequential(pool, fold_norm(matrix, final.eval()))
    for c in range(5):
        a, b = (torch.autograd.grad(head(A)[:, c].sum(), A)[0]*A for head in (with_norm, folded))
        assert (a.sum(1) - b.sum(1)).abs().max() < 1e-6
        torch.testing.assert_close(b.sum((1, 2, 3)) + folded[1].bias[c], with_norm(A)[:, c])
