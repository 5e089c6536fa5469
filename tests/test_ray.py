"The same data sets from a Ray cluster: a small one on this machine."
import importlib.util
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from stress_stream import go, make_pictures, network, prepare, rows, slow

if not all(map(importlib.util.find_spec, ("ray", "pyarrow"))):
    pytest.skip("Ray is not installed (pip install shipviz[ray])", allow_module_level=True)

from shipviz import cluster
from shipviz.saved_maps import load_maps, save_maps

N = 500


@pytest.fixture(scope="module")
def ray():
    import ray
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, (here, here.parent)))  # the workers import the modules of these tests
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
             object_store_memory=200_000_000, runtime_env=dict(env_vars=dict(PYTHONPATH=paths)))
    yield ray
    ray.shutdown()

@pytest.fixture(scope="module")
def pictures(tmp_path_factory): return make_pictures(tmp_path_factory.mktemp("pictures"), N, {3})

@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory): return go(pictures, tmp_path_factory.mktemp("whole")/"maps", 1)

def on_ray(pictures, out, prepare=prepare, **options):
    options = dict(prepare=prepare, engine="ray", workers=2, progress=False) | options
    return save_maps(network(), pictures, out, **options)


def actors():
    "The processes of our actors."
    import psutil
    return [p for p in psutil.process_iter() if "_Maker" in " ".join(_command(p)) and p.status() != "zombie"]

def _command(process):
    import psutil
    try: return process.cmdline()
    except psutil.Error: return []


def test_the_cluster_makes_the_same_rows(ray, pictures, whole, tmp_path):
    assert rows(on_ray(pictures, tmp_path/"maps").folder).equals(rows(whole.folder))


def test_a_worker_that_is_killed_costs_nothing_but_time(ray, pictures, whole, tmp_path):
    "The first actor process that is seen at work is killed, after the first part has come."
    dead = []
    def kill():
        while not list((tmp_path/"maps").glob("parts/*.parquet")): time.sleep(.05)
        for p in actors()[:1]:
            os.kill(p.pid, signal.SIGKILL)
            dead.append(p.pid)
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    maps = on_ray(pictures, tmp_path/"maps", slow)
    thread.join(1)
    assert dead and rows(maps.folder).equals(rows(whole.folder))


def fails(image):
    "Fails in an actor, and nowhere else."
    import ray
    if ray.is_initialized() and ray.get_runtime_context().get_actor_id(): raise RuntimeError("no such kernel")
    return prepare(image)

def fatal(image):
    "Ends the process, if that is an actor's."
    import ray
    if ray.is_initialized() and ray.get_runtime_context().get_actor_id(): os._exit(9)
    return prepare(image)


def test_a_network_that_fails_in_the_cluster_ends_the_run_in_words(ray, pictures, tmp_path):
    start = time.monotonic()
    with pytest.raises(ValueError, match="no such kernel"): on_ray(pictures, tmp_path/"maps", fails)
    assert time.monotonic() - start < 120 and not load_maps(tmp_path/"maps").parts


def test_a_network_that_cannot_be_loaded_in_the_cluster_ends_the_run_in_words(ray, pictures, tmp_path,
                                                                             monkeypatch):
    monkeypatch.setattr(cluster, "portable", lambda model, name: b"no network")
    with pytest.raises(ValueError, match="model.safetensors' is damaged"):
        on_ray(pictures, tmp_path/"maps")


def test_a_picture_that_kills_its_actor_again_and_again_ends_the_run_in_words(ray, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "RESTARTS", 1)
    with pytest.warns(UserWarning, match="Going on"), pytest.raises(OSError, match="three times"):
        on_ray(make_pictures(tmp_path/"p", 20), tmp_path/"maps", fatal)


def test_no_cluster_at_an_address(tmp_path):
    import ray
    if ray.is_initialized(): ray.shutdown()  # it would be used, whatever the address
    with pytest.raises(OSError, match="No Ray cluster answers at 127.0.0.1:1"):
        on_ray(make_pictures(tmp_path/"p", 3), tmp_path/"maps", ray_address="127.0.0.1:1")
