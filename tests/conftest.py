"What several test files use."
import os
import tempfile

import pytest
from click.testing import CliRunner

from shipviz import cli

CACHE = pytest.StashKey[tempfile.TemporaryDirectory]()


def pytest_configure(config):
    "One cache for the whole run, unless SHIPVIZ_HOME names one: the tests read and fill nobody's own cache."
    if os.environ.get("SHIPVIZ_HOME"): return
    config.stash[CACHE] = tempfile.TemporaryDirectory(prefix="shipviz-tests-")
    os.environ["SHIPVIZ_HOME"] = config.stash[CACHE].name

def pytest_unconfigure(config):
    if CACHE not in config.stash: return
    del os.environ["SHIPVIZ_HOME"]
    config.stash[CACHE].cleanup()


@pytest.fixture
def run(tmp_path, monkeypatch):
    "Run a command of `shipviz` in a folder of its own; it never ends in a traceback."
    monkeypatch.chdir(tmp_path)
    def run(*args):
        result = CliRunner().invoke(cli.main, [str(a) for a in args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output and "did not foresee" not in result.output, result.output
        return result
    return run


# A small network on few rendered ships, for the files that look at what it says

@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from shipviz.datasets import make_ships
    folder = tmp_path_factory.mktemp("ships")
    return make_ships(folder, n=30, n_test=0, size=(64, 96), difficulty="easy", progress=False)


@pytest.fixture(scope="module")
def learn(folder):
    from shipviz.data import get_dls
    from shipviz.learners import ship_learner
    learn = ship_learner(get_dls(folder, size=64, bs=8), head="linear", bn_final=False)
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(2, 1e-2)
    return learn


@pytest.fixture(scope="module")
def valid(folder):
    from shipviz.datasets import load_ships
    df = load_ships(folder)
    return df[df.split == "valid"].reset_index(drop=True)
