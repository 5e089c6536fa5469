"""Lets a CPU-only torch work with a torchvision that was built for CUDA.

PyPI's torchvision for Linux brings a compiled part linked against CUDA. Beside a CPU-only torch of the same
version that part cannot load, and `import torchvision` (so `import fastai.vision.all` too) ends with
"operator torchvision::nms does not exist", although nothing here needs that operator (box suppression).
`install` puts a small import hook in place: it acts when torchvision is first imported, and only on exactly
that failure, by declaring the operators and running the import again. Importing this module costs nothing:
torch is not touched until something imports torchvision."""
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MISSING = "operator torchvision::nms does not exist"
# those that torchvision describes to torch in Python; older releases have the first alone
OPERATORS = "nms", "qnms"
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library = None  # what torch.library declares lives only as long as this object


def _declare():
    "Declare the missing operators, without a body: calling one still raises torchvision's own clear error."
    global _library
    import torch
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS: _library.define(name + SCHEMA)


class TorchvisionRepair(MetaPathFinder):
    "Finds torchvision as the other finders do; an import that fails for want of `nms` is tried again."

    def find_spec(self,
        name:str, # full name of the module that is imported
        path:Sequence[str]|None=None, # of the package it is in
        target:ModuleType|None=None, # the module, if it is imported again
    )->ModuleSpec|None: # None: not torchvision, or nowhere to be found
        "Where torchvision is, by the first of the other finders that knows it."
        if name != "torchvision": return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if not spec: continue
            loader:Any = spec.loader
            if hasattr(loader, "exec_module"):
                loader.exec_module = self._with_second_try(loader.exec_module)
            return spec
        return None

    @staticmethod
    def _with_second_try(exec_module):
        def exec_module_twice(module):
            try: return exec_module(module)
            except RuntimeError as e:
                if str(e) != MISSING: raise
            half_imported = [m for m in sys.modules if m.startswith("torchvision.")]
            for name in half_imported: del sys.modules[name]
            _declare()
            return exec_module(module)
        return exec_module_twice


def install()->None:
    "Put the repair before the other finders, once. A torchvision that is already imported is left alone."
    if any(isinstance(f, TorchvisionRepair) for f in sys.meta_path): return
    sys.meta_path.insert(0, TorchvisionRepair())
