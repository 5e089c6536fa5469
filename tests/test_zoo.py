"""A dozen networks of the zoo, and what its check would say of a wrong map. `make zoo` runs all."""
import shipviz  # first: it repairs torchvision

# isort: split
import pytest
import torch
import zoo
from test_networks import Asking, by_hand
from torch import nn

from shipviz.heatmaps import heatmap, layers, one_pass

DOZEN = ['torchvision: alexnet', 'torchvision: mobilenet_v3_small', 'torchvision: resnet18',
         'torchvision: shufflenet_v2_x0_5', 'torchvision: squeezenet1_1', 'torchvision: regnet_x_400mf',
         'fastai: vision_learner(xresnet18)', 'fastai: vision_learner(squeezenet1_1)',
         'torchvision, segmentation: lraspp_mobilenet_v3_large',
         'timm: efficientvit_b0', 'timm: vit_tiny_patch16_224', 'timm: pit_ti_224',
         'transformers: CvtForImageClassification', 'transformers: ConvNextForImageClassification',
         'transformers: SwinForImageClassification']

@pytest.fixture(scope='module')
def cases():
    found = {}
    for family in zoo.FAMILIES.values():
        try: found |= {zoo.key(c): c for c in family()}
        except ImportError: pass                    # its networks are skipped below
    return found

@pytest.mark.parametrize('name', DOZEN)
def test_the_map_is_right(cases, name):
    if name not in cases: pytest.skip(f"{name.split(':')[0]} is not installed")
    got = zoo.answer(cases[name])
    assert got['answer'] == 'right', got['said']


# ---- the check itself: what it says of wrong maps

class Tokens(nn.Module):
    "Patches as tokens, in an order that a function gives, each worked on by itself, then pooled."
    def __init__(self, order=lambda t: t):
        super().__init__()
        self.embed, self.mix, self.fc = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 16), nn.Linear(16, 3)
        self.order = order
    def forward(self, x):
        return self.fc(self.mix(self.order(self.embed(x)).flatten(2).transpose(1, 2)).mean(1))

def turned(t): return t.transpose(2, 3)
def quarters(t): return torch.cat([t[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 2)  # as Hiera
def shuffled(t):
    order = torch.randperm(t[0, 0].numel(), generator=torch.Generator().manual_seed(0))
    return t.flatten(2)[..., order].view(t.shape)

def in_reading_order(t): return t.transpose(1, 2).unflatten(2, (8, 8))

@pytest.mark.parametrize('order', [turned, quarters, shuffled])
def test_tokens_in_another_order(order):
    torch.manual_seed(0)
    net = Tokens(order).eval()
    def maps(x): return in_reading_order(one_pass(net, x, 'mix', in_reading_order).acts['mix'][0].detach())[0]
    with pytest.raises(zoo.Wrong): zoo.assert_map(maps, (64, 64))   # taken for reading order
    if order is shuffled:
        assert heatmap(net, zoo.noise((64, 64))).layer == 'embed'   # the last in an order that can be found
        with pytest.raises(ValueError, match="'mix'.*do not answer to the patches.*'embed' "):
            heatmap(net, zoo.noise((64, 64)), layer='mix')
    else:
        zoo.assert_map(lambda x: one_pass(net, x).activations('mix')[0], (64, 64))
        x = zoo.noise((64, 64))
        want = net.mix(net.embed(x).movedim(1, 3)).movedim(3, 1).detach()
        torch.testing.assert_close(one_pass(net, x).activations('mix'), want)

def test_a_network_without_places_is_refused_in_words():
    class Jumbled(Tokens):
        def forward(self, x):
            return self.fc(self.mix(self.embed(shuffled(x)).movedim(1, 3)).mean((1, 2)))
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"answer to its own patch.*reshape=.*'mix' \(1×8×8×16\)"):
        heatmap(Jumbled(), zoo.noise((64, 64)))

def test_an_earlier_layer_than_the_last_is_noticed():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1),
        nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(), nn.Linear(8, 3)).eval()
    zoo.assert_last(net, '2', (64, 64))
    with pytest.raises(zoo.Wrong, match=r'2 \(1, 8, 16, 16\) has places.*after 1'):
        zoo.assert_last(net, '1', (64, 64))

def test_an_earlier_layer_is_noticed_also_where_an_attention_hides_the_places():
    torch.manual_seed(0)
    net = Asking(by_hand).eval()
    zoo.assert_last(net, 'mlp', (64, 64))
    with pytest.raises(zoo.Wrong, match=r'mlp \(1, 16, 32\) has places.*after q'):
        zoo.assert_last(net, 'q', (64, 64))
    zoo.assert_last(net, 'q', (64, 64), latents=True)


# ---- what decides is the graph

class Parts(nn.Module):
    "A network whose body has other outputs besides its maps."
    def __init__(self, forward):
        super().__init__()
        self.body, self.fc = Body(), nn.Linear(8, 3)
        self.aux = nn.Conv2d(8, 3, 1)
        self.forward = forward.__get__(self)

class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1)
        self.bias = nn.Embedding(4, 8)
    def forward(self, x):
        maps = self.conv(x).relu()
        return self.bias(torch.arange(4)[None]), maps, maps.mean((2, 3))

def test_a_layer_that_the_score_does_not_depend_on_is_not_taken():
    def auxiliary(self, x):
        _, maps, pooled = self.body(x)
        return {'logits': self.fc(pooled), 'aux': self.aux(maps)}
    def of_maps(self, x): return self.fc(self.body(x)[1].mean((2, 3)))
    x = zoo.noise((32, 32))
    torch.manual_seed(0)
    assert heatmap(Parts(auxiliary), x).layer == 'body.conv'  # the maps that the body returns make no score
    h = heatmap(Parts(of_maps), x)                                # here one does: the second of its outputs
    assert h.layer == 'body' and h.maps.shape == (1, 16, 16) and not h.flags[0]

def test_a_head_of_zeros_makes_no_difference():
    "An untrained head gives no gradient; the layer is kept for the trained one, so it must be right."
    torch.manual_seed(0)
    net = Tokens()
    net.fc.weight.data.zero_()
    assert [l.name for l in layers(net, zoo.noise((64, 64))) if l.default] == ['mix']
    assert not net.fc.weight.any()
