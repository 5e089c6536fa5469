"""Kernels, convolutions and scored heatmaps, taught on ships with fastai."""
__version__ = "0.1.0"

from . import _compat

_compat.install()
del _compat
