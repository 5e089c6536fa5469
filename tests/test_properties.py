"Array functions against torch, SciPy and scikit-learn, on whatever hypothesis thinks of."
import math

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from torch import nn

from shipviz.agreement import correlation
from shipviz.batchnorm import batch_norm, fold_norm
from shipviz.channels import apply_bank
from shipviz.core import open_picture
from shipviz.data import weighted_f1
from shipviz.filters import combine_kernels
from shipviz.kernels import apply_kernel, conv_loop, conv_matmul, conv_matrix, im2col, pad_image
from shipviz.overlays import normalise
from shipviz.pooling import adaptive_pool, concat_pool
from shipviz.scores import dilate, energy_in_mask, exact, iou, pointing_game
from shipviz.stride import output_size, windows

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

def holds(*strategies): return lambda test: QUICK(given(*strategies)(test))

whole = st.integers
seeds = whole(0, 2**31 - 1)
modes = st.sampled_from(["zeros", "reflect", "replicate", "circular"])

def rand(seed, *shape): return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

def close(a, b): torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@holds(seeds, whole(1, 12), whole(1, 12), whole(1, 5), whole(1, 5))
def test_four_ways_to_a_convolution_are_torchs_and_scipys(seed, h, w, kh, kw):
    h, w = max(h, kh), max(w, kw)
    x, k = rand(seed, h, w), rand(seed + 1, kh, kw)
    want = F.conv2d(x[None, None], k[None, None])[0, 0]
    close(conv_loop(x, k), want)
    close(conv_matmul(x, k), want)
    close((conv_matrix(k, (h, w)) @ x.flatten()).view_as(want), want)
    close(im2col(x, (kh, kw)), F.unfold(x[None, None], (kh, kw))[0])
    scipys = scipy.signal.correlate2d(x.double().numpy(), k.double().numpy(), "valid")
    close(want, torch.from_numpy(scipys).float())


@holds(seeds, whole(2, 12), whole(2, 12), whole(1, 5), whole(1, 5), whole(0, 6), whole(0, 6), whole(1, 4),
       modes)
def test_a_kernel_with_padding_and_stride_is_a_layer_of_torch(seed, h, w, kh, kw, ph, pw, stride, mode):
    room = {"reflect": 1, "circular": 0}.get(mode)
    if room is not None: ph, pw = min(ph, h - room), min(pw, w - room)
    x, k = rand(seed, h, w), rand(seed + 1, kh, kw)
    padded = pad_image(x, (ph, pw), mode)
    numpys = dict(zeros="constant", reflect="reflect", replicate="edge", circular="wrap")[mode]
    np.testing.assert_array_equal(padded.numpy(), np.pad(x.numpy(), [(ph, ph), (pw, pw)], mode=numpys))
    if h + 2*ph < kh or w + 2*pw < kw:
        with pytest.raises(ValueError, match="does not fit"):
            apply_kernel(x, k, mode, (ph, pw), stride)
        return
    layer = nn.Conv2d(1, 1, (kh, kw), stride, (ph, pw), bias=False, padding_mode=mode)
    layer.weight.data[:] = k
    close(apply_kernel(x, k, mode, (ph, pw), stride), layer(x[None, None])[0, 0].detach())


@holds(seeds, whole(1, 3), whole(1, 4), whole(1, 4), whole(3, 9), whole(1, 3), whole(1, 3))
def test_a_bank_is_a_layer_of_torch(seed, n, c, out, side, k, stride):
    x, w = rand(seed, n, c, side, side), rand(seed + 1, out, c, k, k)
    close(apply_bank(x, w, padding=k//2, stride=stride), F.conv2d(x, w, stride=stride, padding=k//2))


@holds(whole(1, 60), whole(1, 9), whole(1, 5), whole(0, 6), whole(1, 4))
def test_sizes_and_windows_are_those_of_torch(n, k, stride, padding, dilation):
    if n + 2*padding < dilation*(k - 1) + 1:
        with pytest.raises(ValueError, match="spans"): output_size(n, k, stride, padding, dilation)
        return
    x = torch.arange(1., n + 1)[None, None]
    size = output_size(n, k, stride, padding, dilation)
    assert size == F.conv1d(x, torch.ones(1, 1, k), None, stride, padding, dilation).shape[-1]
    padded = F.pad(x, (padding, padding))[0, 0]
    for i, window in enumerate(windows(n, k, stride, padding, dilation)):
        read = padded[i*stride:i*stride + dilation*(k - 1) + 1:dilation]
        assert read.tolist() == [j + 1 if 0 <= j < n else 0 for j in window]


@holds(seeds, whole(1, 4), whole(1, 4), whole(1, 4), whole(1, 4))
def test_two_kernels_in_turn_are_scipys_full_convolution(seed, ah, aw, bh, bw):
    a, b = rand(seed, ah, aw), rand(seed + 1, bh, bw)
    close(combine_kernels(a, b).double(), torch.from_numpy(scipy.signal.convolve2d(a.double(), b.double())))


@holds(seeds, whole(1, 3), whole(1, 3), whole(1, 12), whole(1, 12), whole(1, 7), whole(1, 7))
def test_pooling_is_torchs(seed, n, c, h, w, rows, columns):
    x = rand(seed, n, c, h, w)
    close(adaptive_pool(x, (rows, columns)), F.adaptive_avg_pool2d(x, (rows, columns)))
    close(adaptive_pool(x, (rows, columns), "max"), F.adaptive_max_pool2d(x, (rows, columns)))
    pooled = torch.cat([F.adaptive_max_pool2d(x, 1), F.adaptive_avg_pool2d(x, 1)], 1).flatten(1)
    close(concat_pool(x), pooled)


@holds(seeds, whole(2, 6), whole(1, 5), whole(1, 5))
def test_batch_norm_is_torchs_and_folds_away(seed, n, c, side):
    x, norm, conv = rand(seed, n, c, side, side), nn.BatchNorm2d(c), nn.Conv2d(c, c, 1)
    norm.weight.data, norm.bias.data = rand(seed + 1, c), rand(seed + 2, c)
    norm.running_mean, norm.running_var = rand(seed + 3, c), rand(seed + 4, c).abs() + .1
    norm.eval()
    mean, var = norm.running_mean, norm.running_var
    with torch.no_grad():
        close(batch_norm(x, norm.weight, norm.bias, mean, var, False)[0], norm(x))
        torch.testing.assert_close(fold_norm(conv.eval(), norm)(x), norm(conv(x)), rtol=1e-3, atol=1e-3)
        out, mean, var = batch_norm(x, norm.weight, norm.bias, mean, var, True)
        close(out, norm.train()(x))
        close(mean, norm.running_mean)
        close(var, norm.running_var)


@holds(st.lists(st.tuples(whole(0, 4), whole(0, 4)), min_size=1, max_size=60))
def test_weighted_f1_is_scikit_learns(pairs):
    y, said = map(list, zip(*pairs))
    assert math.isclose(weighted_f1(y, said), f1_score(y, said, average="weighted", zero_division=0),
                        abs_tol=1e-9)


@holds(st.lists(st.booleans(), min_size=1, max_size=300), st.sampled_from([.8, .95, .99]))
def test_the_interval_of_hits_is_scipys(hits, level):
    got = exact(hits, level=level)
    want = scipy.stats.binomtest(sum(hits), len(hits)).proportion_ci(level, "exact")
    assert math.isclose(got.low, want.low, abs_tol=1e-6) and math.isclose(got.high, want.high, abs_tol=1e-6)


@holds(seeds, whole(2, 9), whole(2, 9))
def test_correlation_is_scipys(seed, h, w):
    a, b = rand(seed, 1, h, w), rand(seed + 1, 1, h, w)
    want = scipy.stats.pearsonr(a.flatten().numpy(), b.flatten().numpy()).statistic
    assert math.isclose(float(correlation(a, b)[0]), want, abs_tol=1e-4)


@holds(seeds, whole(1, 4), whole(2, 9), whole(0, 3))
def test_scores_by_counting_pixels(seed, n, side, radius):
    maps = rand(seed, n, side, side)
    masks = rand(seed + 1, n, side, side) > 0
    masks[:, side//2, side//2] = True
    inside = [(m.clamp(min=0)*mask).sum()/m.clamp(min=0).sum() if (m > 0).any() else math.nan
              for m, mask in zip(maps, masks)]
    if (maps > 0).flatten(1).any(1).all():
        torch.testing.assert_close(energy_in_mask(maps, masks).float(), torch.stack(inside), rtol=1e-4,
                                   atol=1e-5)
    hit = [bool(mask.flatten()[m.argmax()]) for m, mask in zip(maps, masks)]
    assert (pointing_game(maps, masks, 0) > .5).tolist() == hit
    grown = dilate(masks, radius)
    y, x = np.mgrid[:side, :side]
    for mask, big in zip(masks.numpy(), np.asarray(grown)):
        near = (np.hypot(*(np.argwhere(mask)[:, :, None, None] - np.array([y, x])).transpose(1, 0, 2,
                                                                                             3)) <= radius)
        assert (near.any(0) == big).all()
    assert ((iou(masks.float(), masks, .5) - 1).abs() < 1e-6).all()


@holds(seeds, whole(1, 9), whole(1, 9), st.booleans())
def test_a_map_for_display_keeps_its_order_and_its_zero(seed, h, w, signed):
    m = rand(seed, h, w)
    shown = normalise(m, signed)
    assert shown.abs().max() <= 1 and (signed or shown.min() >= 0)
    assert torch.equal(shown.sign(), m.sign()) if signed else (shown[m <= 0] == 0).all() or m.min() > 0


@holds(seeds, whole(1, 20), whole(1, 20), st.sampled_from([1, 3]),
       st.sampled_from(["uint8", "uint16", "float32"]))
def test_every_array_of_colours_is_the_picture_it_says(seed, h, w, channels, kind):
    bytes_ = np.random.default_rng(seed).integers(0, 256, (h, w, channels), dtype=np.uint8)
    bytes_[0, 0] = 255  # so that the range is known
    a = {"uint8": bytes_, "uint16": bytes_.astype(np.uint16)*257, "float32": bytes_/np.float32(255)}[kind]
    got = np.asarray(open_picture(a, "RGB"))
    assert (got == np.broadcast_to(bytes_, (h, w, 3))).all()
