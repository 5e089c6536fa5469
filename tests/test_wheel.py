"""The built wheel, installed beside the newest fastai, away from the source tree. `make test` makes that
environment and names it in SHIPVIZ_WHEEL_ENV."""
import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENV = os.environ.get("SHIPVIZ_WHEEL_ENV")
pytestmark = pytest.mark.skipif(
    not ENV, reason="needs the wheel's environment: run `make test`, or `make wheel pytest`")


@pytest.fixture
def run(tmp_path):
    "Run a program of the wheel's environment in an empty folder; its output."
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {"SHIPVIZ_HOME": str(tmp_path/"cache"), "OMP_NUM_THREADS": "2",
            "JUPYTER_DATA_DIR": str(tmp_path/"jupyter")}
    (cwd := tmp_path/"elsewhere").mkdir()
    def run(program, *args):
        done = subprocess.run([f"{ENV}/bin/{program}", *args], cwd=cwd, env=env, capture_output=True,
                              text=True, timeout=300, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    run.cwd = cwd
    return run


def test_it_is_the_wheel_with_the_newest_fastai(run):
    where, fastai, fastcore = run("python", "-c", """
import shipviz, fastai, fastcore
print(shipviz.__file__, fastai.__version__, fastcore.__version__)""").split()
    assert Path(where).is_relative_to(ENV) and not Path(where).is_relative_to(ROOT/"shipviz")
    pins = (ROOT/"constraints-newest.txt").read_text().split()
    wanted = dict(line.split("==") for line in pins if "==" in line)
    assert fastai == wanted["fastai"] and int(fastcore.split(".")[0]) >= 2


def test_every_module_imports(run):
    modules = run("python", "-c", """
import importlib, pkgutil, shipviz
names = [m.name.removeprefix('shipviz.') for m in pkgutil.walk_packages(shipviz.__path__, 'shipviz.')]
for name in names: importlib.import_module(f'shipviz.{name}')
print(*names)""").split()
    paths = [p.relative_to(ROOT/"shipviz") for p in (ROOT/"shipviz").rglob("*.py")]
    ours = {".".join(p.with_suffix("").parts) for p in paths}
    assert set(modules) == {name.removesuffix(".__init__") for name in ours} - {"__init__"}


def test_the_names_at_the_top(run):
    assert run("python", "-c", """
import sys, shipviz as sv
assert 'torch' not in sys.modules
print(len([getattr(sv, name) for name in sv.__all__]) > 25, sv.heatmap.__module__)""").split()[0] == "True"


def test_help(run):
    assert "lessons" in run("shipviz", "--help")


@pytest.mark.parametrize("model", [
    "__import__('torchvision').models.resnet18()",
    "__import__('shipviz.network').network.efficientnet_lite0(pretrained=False)"])
def test_a_heatmap(run, model):
    assert run("python", "-c", f"""
import torch
from shipviz.heatmaps import heatmap
found = heatmap({model}.eval(), torch.randn(2, 3, 224, 224, generator=torch.manual_seed(0)))
maps = found.maps
print(tuple(maps.shape), bool(maps.isfinite().all() and maps.abs().max() > 0))""").strip() == "(2, 7, 7) True"


def test_the_lessons_travel_in_the_wheel(run):
    def cells(path):
        return [(c["cell_type"], "".join(c["source"])) for c in json.loads(path.read_bytes())["cells"]]
    def files(folder): return {p.relative_to(folder): cells(p) for p in Path(folder).rglob("*.ipynb")}
    aside = {".ipynb_checkpoints", "library"}
    ours = {k: v for k, v in files(ROOT/"nbs").items() if not aside & set(k.parts)}
    run("shipviz", "lessons", "my-lessons", "--no-open")
    assert files(run.cwd/"my-lessons") == {k: v for k, v in ours.items() if k.parts[0] != "teachers"}
    run("shipviz", "lessons", "my-course", "--no-open", "--teacher")
    assert files(run.cwd/"my-course") == ours
    assert (run.cwd/"my-course"/"teachers"/"mark_exam.py").exists()


def test_templates_and_scripts_travel_in_the_wheel(run):
    assert run("python", "-c", """
from shipviz.ships import render_ship
from shipviz.widgets import KernelExplorer, explorer_page
photo = render_ship('Cruise', seed=3, size=64).image
page = explorer_page('kernel.html', photo)
print(tuple(KernelExplorer(photo).map.shape), page)""").split() == ["(64,", "64)", "kernel.html"]
    package = Path(run("python", "-c", "import shipviz; print(shipviz.__path__[0])").strip())
    def data(folder): return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*")
                              if p.suffix in (".html", ".js", ".pyi", ".typed")
                              or p.parent.name in ("weights", "page")}
    ours = {k: v for k, v in data(package).items() if k.parts[0] != "lessons"}
    assert sum(len(v) for k, v in ours.items() if k.parts[0] == "page") < 200_000
    assert len(ours) >= 4 and ours == data(ROOT/"shipviz") and Path("weights/real-ships.safetensors") in ours
    code = "from shipviz.models import real_ships; print(*real_ships().dls.vocab)"
    assert run("python", "-c", code).split()[2] == "Carrier"
