"What the package offers at its top, what it imports and when, and that its lists of requirements say so."
import ast
import contextlib
import importlib.util
import json
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import shipviz

ROOT = Path(__file__).parents[1]
LIB = ROOT/"shipviz"
NAMES = """heatmap heatmaps gradcam Heatmaps overlay layers ShipInterpretation report demo train_on load_model
    save_model find_model predict imagenet_learner real_ships render_ship make_ships ships_data load_ships
    get_dls weighted_f1 pointing_game energy_in_mask deletion_insertion compare_methods KernelExplorer
    StrideExplorer HeatmapExplorer TopLossBrowser CLASSES trained_learner HeatmapCallback
    stream save_maps load_maps""".split()


def python(code):
    "Run code in a Python of its own; what it prints, as JSON."
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

FORKS = """
import json, os, signal, sys, tempfile, traceback
for name in {names}: __import__(name)
for line in sys.stdin:
    said = tempfile.TemporaryFile()
    if not (child := os.fork()):
        signal.alarm(300)
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        failed = 0
        try: exec(json.loads(line), dict(__name__='__main__'))
        except BaseException:
            failed = 1
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(failed)
    status = os.waitpid(child, 0)[1]
    said.seek(0)
    print(json.dumps([status, said.read().decode()]), flush=True)
"""

@contextlib.contextmanager
def forks(*names):
    "`python` in copies of a process that has some modules already: what is slow to import is imported once."
    if sys.platform != "linux":                # macOS has libraries that are not to be forked
        yield python
        return
    command = [sys.executable, "-W", "ignore", "-c", FORKS.format(names=names)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        def forked(code):
            print(json.dumps(code), file=process.stdin, flush=True)
            status, said = json.loads(process.stdout.readline())
            assert status == 0, said
            return json.loads(said.splitlines()[-1])
        yield forked
        process.stdin.close()

@pytest.fixture(scope="module")
def with_torch():
    with forks("torch") as run: yield run

@pytest.fixture(scope="module")
def with_fastai():
    with forks("shipviz", "fastai.vision.all", "matplotlib.pyplot") as run: yield run


# Names at the top

def test_the_names_are_listed():
    assert set(shipviz.__all__) == set(NAMES) and set(NAMES) <= set(dir(shipviz))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_what_its_module_has(name):
    found = getattr(shipviz, name)
    assert found is getattr(shipviz, name)  # the second time, too
    where = sys.modules[f"shipviz.{shipviz._HOMES[name]}"]
    assert found is (where if name == shipviz._HOMES[name] else getattr(where, name))
    if name != "CLASSES": assert callable(found)


def test_an_unknown_name_is_refused_as_usual():
    with pytest.raises(AttributeError, match="module 'shipviz' has no attribute 'heatmpa'"):
        _ = shipviz.heatmpa
    assert not hasattr(shipviz, "__path_of_nothing__")


@pytest.mark.parametrize("first", [
    "import shipviz.heatmaps", "from shipviz.heatmaps import gradcam", "sv.heatmap",
    "from shipviz import heatmaps", "import shipviz.heatmaps as h; h.gradcam"])
def test_a_module_with_the_name_of_its_function_can_be_called(first, with_fastai):
    assert with_fastai(f"""
import shipviz as sv, json
{first}
calls = []
import shipviz.heatmaps as module
module.__dict__['heatmaps'] = lambda *a, **k: calls.append((a, k))
sv.heatmaps(1, images=2)
made = [calls, module is sv.heatmaps, callable(sv.report)]
print(json.dumps(made))""") == [[[[1], {"images": 2}]], True, True]


def test_import_shipviz_is_light():
    new = python("""
import sys, json
before = set(sys.modules)
import shipviz
dir(shipviz)
tops = {m.partition('.')[0] for m in set(sys.modules) - before}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))""")
    assert new == ["shipviz"]


def test_a_name_loads_its_own_module_only():
    loaded = python("""
import sys, json, shipviz
shipviz.render_ship
print(json.dumps(sorted({'torch', 'fastai', 'pandas', 'matplotlib', 'IPython'} & set(sys.modules))))""")
    assert loaded == []


# What is imported, and what is asked for

def settings():
    config = ConfigParser(delimiters=["="])
    config.read(ROOT/"settings.ini", encoding="utf-8")
    return config["DEFAULT"]

def names(requirements):
    "The packages that a list of requirements names, as registries write them."
    return {re.match(r"[\w.-]+", r)[0].lower().replace("_", "-") for r in requirements.split()}

def imported():
    "{top-level module: the files of shipviz/ that import it}, of other people's packages."
    found = {}
    for path in sorted(LIB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import): modules = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level: modules = [node.module]
            else: continue
            file = path.relative_to(LIB).as_posix()
            for module in modules: found.setdefault(module.partition(".")[0], set()).add(file)
    return {m: files for m, files in found.items() if m not in {*sys.stdlib_module_names, "shipviz"}}

# where it is not the module's name
DISTRIBUTION = {"PIL": "pillow", "sklearn": "scikit-learn", "IPython": "ipython"}
# asked for with `try`: does without, or says what to install
EXTRA = {"timm": "timm", "wandb": "wandb", "pyarrow": "stream", "fsspec": "ray", "ray": "ray",
         "openvino": "fast"}
NOT_IMPORTED = {"jupyterlab": "`shipviz lessons` starts it",
                "efficientnet-lite-pytorch": "lesson 8 compares with it"}

def distribution(module): return DISTRIBUTION.get(module, module).lower().replace("_", "-")


def test_every_package_that_is_imported_is_asked_for():
    asked = names(settings()["requirements"])
    needed = {distribution(m): sorted(files) for m, files in imported().items() if m not in EXTRA}
    missing = {package: files for package, files in needed.items() if package not in asked}
    assert not missing, f"add to `requirements` in settings.ini: {missing}"
    for module, extra in EXTRA.items():
        assert distribution(module) in names(settings()[f"{extra}_requirements"])


def test_every_package_that_is_asked_for_is_used():
    used = {distribution(m) for m in imported()} | set(NOT_IMPORTED)
    assert names(settings()["requirements"]) <= used


def test_a_plain_install_gives_the_course():
    assert {"fastai", "torch", "jupyterlab", "matplotlib", "ipywidgets"} <= names(settings()["requirements"])
    assert names(settings()["core_requirements"]) <= names(settings()["requirements"])
    assert not settings()["course_requirements"]


def test_the_core_is_installed_with_what_it_asks_for():
    line = re.search(r"^pip install (torch .*)$", (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    assert set(line[1].split()) == names(settings()["core_requirements"])


# Where things are kept

@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder has another name")
def test_the_cache_on_linux(tmp_path, monkeypatch):
    from shipviz.core import cache_dir
    for name in ("SHIPVIZ_HOME", "XDG_CACHE_HOME"): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path/".cache"/"shipviz" and cache_dir().is_dir()


def test_the_cache_is_where_it_is_asked_for(tmp_path, monkeypatch):
    from shipviz.core import cache_dir
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path/"mine"))
    assert cache_dir() == tmp_path/"mine" and cache_dir().is_dir()


# The core works without what the course needs

BLOCK = """
import json, sys
class Without:
    def __init__(self, finder): self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition('.')[0] in {blocked} else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(f) for f in sys.meta_path]
"""

@pytest.fixture(scope="module")
def without_the_course(with_torch):
    "Run code where only the core's packages can be imported."
    core = names(settings()["core_requirements"]) | {"torchvision"}
    blocked = {m for m in {*imported(), "jupyterlab", "notebook", "timm"} if distribution(m) not in core}
    assert {"fastai", "fastcore", "jupyterlab", "ipywidgets", "IPython", "pandas", "sklearn"} <= blocked
    return lambda code: with_torch(BLOCK.format(blocked=blocked) + code)

LIGHT = ["core", "pixels", "padding", "walk", "kernels", "signs", "filters", "channels", "stride", "ships",
         "exercises", "pooling", "engine", "methods", "overlays", "heatmaps", "scores", "faithfulness",
         "counterfactuals", "sources", "stream", "parts", "saved_maps"]

@pytest.mark.parametrize("module", LIGHT)
def test_the_core_imports_without_the_course(module, without_the_course):
    loaded = without_the_course(f"""
import shipviz.{module}
print(json.dumps(sorted({{'matplotlib.pyplot', 'torchvision'}} & set(sys.modules))))""")
    assert loaded == []


def test_a_heatmap_without_the_course(without_the_course):
    found = without_the_course("""
import shipviz as sv, torch, torchvision
from PIL import Image
torch.manual_seed(0)
model = torchvision.models.resnet18(weights=None).eval()
photos = [Image.new('RGB', (224, 224), c) for c in ('navy', 'white')]
made = [sv.heatmap(model, torch.randn(2, 3, 224, 224), method=m) for m in ('gradcam', 'layercam')]
assert sv.overlay(photos[0], made[0].maps[0]).size == (224, 224)
print(json.dumps([list(h.maps.shape) for h in made] + [bool(h.maps.isfinite().all()) for h in made]))""")
    assert found == [[2, 7, 7], [2, 7, 7], True, True]


def test_scores_without_the_course(without_the_course):
    assert without_the_course("""
import shipviz as sv, torch
mask = torch.zeros(1, 8, 8, dtype=torch.bool)
mask[:, 2:5, 2:5] = True
maps = mask.float()
scored = [float(sv.energy_in_mask(maps, mask)[0]), bool(sv.pointing_game(maps, mask)[0])]
print(json.dumps(scored))""") == [1, True]


def test_pictures_are_put_into_pages_by_one_function():
    "`core.data_uri` alone writes the address that holds a picture."
    writers = {p.name for p in (ROOT/"shipviz").rglob("*.py") if ";base64," in p.read_text(encoding="utf-8")}
    assert writers == {"core.py"}


def test_modules_are_short_and_their_picture_is_true():
    spec = importlib.util.spec_from_file_location("modules", ROOT/"scripts"/"modules.py")
    modules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(modules)
    lengths = {p.stem: len(p.read_text(encoding="utf-8").splitlines()) for p in modules.modules()}
    assert max(lengths.values()) <= 450, lengths
    page = (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8")
    assert modules.text() in page, "run `python scripts/modules.py`"
