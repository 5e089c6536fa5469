"What the package offers at its top, what it imports and when, and that its lists of requirements say so."
import ast
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
NAMES = """heatmap heatmaps gradcam Heatmaps overlay layers ShipInterpretation report demo train_on load_model save_model
    find_model predict imagenet_learner real_ships render_ship make_ships ships_data load_ships get_dls weighted_f1
    pointing_game energy_in_mask deletion_insertion compare_methods KernelExplorer StrideExplorer HeatmapExplorer
    TopLossBrowser CLASSES""".split()


def python(code):
    "Run code in a Python of its own; what it prints, as JSON."
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


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
    with pytest.raises(AttributeError, match="module 'shipviz' has no attribute 'heatmpa'"): _ = shipviz.heatmpa
    assert not hasattr(shipviz, "__path_of_nothing__")


@pytest.mark.parametrize("first", ["import shipviz.heatmaps", "from shipviz.heatmaps import gradcam", "sv.heatmap",
                                   "from shipviz import heatmaps", "import shipviz.heatmaps as h; h.gradcam"])
def test_a_module_with_the_name_of_its_function_can_be_called(first):
    assert python(f"""
import shipviz as sv, json
{first}
calls = []
import shipviz.heatmaps as module
module.__dict__['heatmaps'] = lambda *a, **k: calls.append((a, k))
sv.heatmaps(1, images=2)
print(json.dumps([calls, module is sv.heatmaps, callable(sv.report)]))""") == [[[[1], {"images": 2}]], True, True]


def test_import_shipviz_is_light():
    new = python("""
import sys, json
before = set(sys.modules)
import shipviz
dir(shipviz)
print(json.dumps(sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))))""")
    assert new == ["shipviz"]


def test_a_name_loads_its_own_module_only():
    loaded = python("""
import sys, json, shipviz
shipviz.render_ship
print(json.dumps(sorted({'torch', 'fastai', 'pandas', 'matplotlib', 'IPython'} & set(sys.modules))))""")
    assert loaded == []
