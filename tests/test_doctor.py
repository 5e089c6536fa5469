"`shipviz doctor`, and the oldest versions that settings.ini allows."
import json
import os
import re
import shutil
import sys
from collections import namedtuple
from configparser import ConfigParser
from pathlib import Path

import pytest
from jupyter_client import kernelspec

from shipviz import doctor

ROOT = Path(__file__).parents[1]


def found(check): return [(f.good, f.what, f.do) for f in check()]


def test_nothing_has_to_be_put_right_here(run):
    r = run("doctor")
    assert r.exit_code == 0 and "Nothing has to be put right." in r.output and "✗" not in r.output, r.output
    assert "heatmap made in" in r.output


def test_a_missing_and_an_old_package_are_named_with_the_command_that_brings_them(monkeypatch):
    wanted = ["numpy>=1.24", "no-such-package>=2", "click>=99", 'windows-only>=1; sys_platform == "none"']
    monkeypatch.setattr(doctor, "requires", lambda name: wanted)
    (missing, old) = found(doctor.packages)
    assert missing == (False, "no-such-package is missing: shipviz needs no-such-package>=2",
                       'pip install "no-such-package>=2"')
    assert old[0] is False and old[1].endswith("is too old, or too new: shipviz needs click>=99")


def test_a_torchvision_of_another_torch(monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: ["numpy", "torch==1.0.0"])
    (good, what, do), = found(doctor.torchvision_fits)
    assert good is False and "was built for torch==1.0.0" in what
    assert 'pip install --upgrade "torch==1.0.0"' in do


def test_other_versions_than_the_tested_are_no_fault(monkeypatch):
    assert {"torch", "torchvision", "fastai"} <= set(doctor.tested())
    monkeypatch.setattr(doctor, "tested", lambda: {"torch": "0.1", "fastai": "0.1", "ruff": "1"})
    assert [good for good, _, _ in found(doctor.versions)] == [None, None]


def test_a_cache_that_cannot_be_made_or_has_no_room(tmp_path, monkeypatch):
    (tmp_path/"file").touch()
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path/"file"/"cache"))
    (good, what, do), = found(doctor.cache)
    assert good is False and "Can't make the folder" in what and "Set SHIPVIZ_HOME" in do
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path/"cache"))
    for kind in ("training", "rescued"): (tmp_path/"cache"/kind).mkdir(parents=True)
    for kind in ("training", "rescued"): (tmp_path/"cache"/kind/"m.safetensors").touch()
    for free, want in ((1e8, False), (5e8, None), (5e9, True)):
        usage = namedtuple("usage", "free")(free)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, usage=usage: usage)
        (can, room, stopped, rescued) = found(doctor.cache)
        assert (can[0], room[0], stopped[0], rescued[0]) == (True, want, None, None)
        assert bool(room[2]) == (want is not True) and "stopped half-way" in stopped[1]
    assert not [p for p in (tmp_path/"cache").iterdir() if p.name.startswith(".")]  # nothing of ours is left


def test_a_kernel_of_another_python(tmp_path, monkeypatch):
    other = tmp_path/"kernels"/"python3"
    other.mkdir(parents=True)
    spec = dict(argv=["/opt/other/bin/python", "-m", "ipykernel"], display_name="x", language="python")
    (other/"kernel.json").write_text(json.dumps(spec))
    class Manager(kernelspec.KernelSpecManager):
        kernel_dirs = [str(tmp_path/"kernels")]
        ensure_native_kernel = False
    monkeypatch.setattr(kernelspec, "KernelSpecManager", Manager)
    good, what, do = found(doctor.kernels)[0]
    assert good is False and what.endswith("/opt/other/bin/python") and "-m ipykernel install" in do
    def none(self, name): raise kernelspec.NoSuchKernel(name)
    monkeypatch.setattr(Manager, "get_kernel_spec", none)
    assert found(doctor.kernels)[0][:2] == (False, "Jupyter has no kernel `python3`")


def test_a_check_that_fails_is_a_finding_and_ends_nothing(run, monkeypatch):
    def broken():
        "The moon."
        raise RuntimeError("no moon")
        yield
    monkeypatch.setattr(doctor, "CHECKS", (broken, doctor.chromium))
    r = run("doctor")
    assert r.exit_code == 1 and "✗ The moon. This could not be checked: RuntimeError: no moon." in r.output
    assert "Chromium" in r.output and "1 thing(s) to put right." in r.output


def test_damaged_weights_are_named(monkeypatch):
    from shipviz import models
    def damaged(): raise ValueError("real-ships.safetensors is damaged.")
    monkeypatch.setattr(models, "real_ships", damaged)
    good, ships = found(doctor.weights)
    assert good[0] and ships[0] is False and "damaged" in ships[1] and "force-reinstall" in ships[2]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)
    assert found(doctor.this_folder)[0][0] is None


def test_every_package_has_an_oldest_version():
    "That versions.yml can install it."
    config = ConfigParser(delimiters=["="])
    config.read(ROOT/"settings.ini", encoding="utf-8")
    wanted = config["DEFAULT"]["requirements"].split()
    assert len(wanted) > 20
    assert not [r for r in wanted if not re.fullmatch(r"[\w.-]+(>=|==)[\d.]+(,<[\w.]+)?", r)]
