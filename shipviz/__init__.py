"""Kernels, convolutions and scored heatmaps, taught on ships with fastai.

    import shipviz as sv
    heat = sv.heatmap(learn, photos)
    heat.show()

The names that most programs need are here; `__init__.pyi` lists them with their modules. Importing shipviz
loads none of those: a name brings its module with it when it is first used. All else is in the modules, e.g.
`shipviz.kernels`."""
__version__ = "0.1.0"

import ast
import importlib
import pkgutil
import sys
from types import ModuleType

from . import _compat

_compat.install()
del _compat


def _read_homes():
    "{name: its module}, as `__init__.pyi` imports them. Editors and type checkers read the same file."
    stub = ast.parse(pkgutil.get_data(__name__, "__init__.pyi").decode("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names}

_HOMES = _read_homes()
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOMES[name]}", __name__)
    found = module if name in _SAME_NAME else getattr(module, name)
    globals()[name] = found
    return found

def __dir__(): return sorted({*globals(), *__all__})


# `heatmaps` and `report` are modules and functions. Python puts a module that is imported in the place of the
# function, so here such a module can be called, and does what its function does.

_SAME_NAME = {name for name, module in _HOMES.items() if name == module}

class _CallableModule(ModuleType):
    def __call__(self, *args, **kwargs):
        function = getattr(self, self.__name__.rpartition(".")[2])
        return function(*args, **kwargs)

class _Package(ModuleType):
    def __setattr__(self, name, value):
        if name in _SAME_NAME and isinstance(value, ModuleType): value.__class__ = _CallableModule
        super().__setattr__(name, value)

sys.modules[__name__].__class__ = _Package
