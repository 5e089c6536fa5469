"Rendered data sets: interrupted, damaged, shared, and by processes that are killed."
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shipviz import rendered
from shipviz.core import cache_dir
from shipviz.datasets import load_mask, load_ships, make_ships, ships_data

ROOT = Path(__file__).resolve().parents[1]
SMALL = dict(n=9, n_test=5, size=48, progress=False)


def files(path):
    "{name: content} of all files in a folder but its lock."
    found = [p for p in path.rglob("*") if p.is_file() and p.name != ".lock"]
    return {str(p.relative_to(path)): p.read_bytes() for p in found}

def started(path, stderr=subprocess.DEVNULL, **options):
    "A process that renders ships into `path`, once it has rendered five of them; a group of its own."
    code = "import sys; from shipviz.datasets import make_ships; make_ships(sys.argv[1], **eval(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(path), repr(options)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=stderr)
    images, start = path/"train/images", time.time()
    while time.time() - start < 120 and process.poll() is None:
        if images.exists() and len(list(images.glob("*.jpg"))) >= 5: break
        time.sleep(.01)
    return process

def test_same_files_for_any_number_of_workers(tmp_path):
    one, two = (make_ships(tmp_path/str(w), n=12, n_test=5, size=48, workers=w, progress=False)
                for w in (1, 2))
    assert files(one) == files(two) and len(files(one)) == 17*2 + 5
    df = load_ships(one, truth=True, verify=True)
    assert len(df) == 17 and df.label.notna().all() and load_mask(df.path[0]).shape == (48, 48)
    assert not list(tmp_path.rglob("*.tmp"))

def test_interrupted_and_completed(tmp_path):
    p = started(tmp_path/"a", subprocess.PIPE, n=30, n_test=5, size=48, workers=1)
    os.killpg(p.pid, signal.SIGINT)
    _, err = p.communicate(timeout=60)
    assert p.returncode != 0 and b"KeyboardInterrupt" in err
    assert not list(tmp_path.rglob("*.tmp")) and not list((tmp_path/"a").rglob("*.csv"))
    done = files(tmp_path/"a/train/images")
    assert 5 <= len(done) < 35
    with pytest.raises(FileNotFoundError): load_ships(tmp_path/"a")
    make_ships(tmp_path/"a", n=30, n_test=5, size=48, workers=1, progress=False)
    assert done.items() <= files(tmp_path/"a/train/images").items() and len(load_ships(tmp_path/"a")) == 35
    whole = make_ships(tmp_path/"b", n=30, n_test=5, size=48, workers=1, progress=False)
    assert files(tmp_path/"a") == files(whole)

def test_folders_that_are_not_ours(tmp_path):
    (tmp_path/"mine").mkdir()
    (tmp_path/"mine/thesis.txt").write_text("years of work")
    few = dict(n=5, n_test=0, size=48)
    with pytest.raises(FileExistsError, match="did not make"): make_ships(tmp_path/"mine", **few)
    assert [p.name for p in (tmp_path/"mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(FileExistsError, match="is a file"): make_ships(tmp_path/"mine/thesis.txt", **few)
    make_ships(tmp_path/"a", n=5, n_test=0, size=48)
    with pytest.raises(FileExistsError, match="difficulty is 'normal' there, 'hard' now"):
        make_ships(tmp_path/"a", n=5, n_test=0, size=48, difficulty="hard")

def test_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path/"home"))
    path = ships_data(n=5, n_test=0, size=48)
    assert path.is_relative_to(tmp_path/"home") and ships_data(n=5, n_test=0, size=48) == path
    assert ships_data(n=6, n_test=0, size=48) != path
    (tmp_path/"file").touch()
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path/"file"))
    with pytest.raises(OSError, match="SHIPVIZ_HOME"): cache_dir()


# damage

@pytest.fixture(scope="module")
def original(tmp_path_factory): return make_ships(tmp_path_factory.mktemp("ships")/"a", **SMALL)

@pytest.fixture
def copy(original, tmp_path):
    no_lock = shutil.ignore_patterns(".lock")
    return Path(shutil.copytree(original, tmp_path/"copy", ignore=no_lock))

def damage(path, how):
    data = path.read_bytes()
    if how == "missing": path.unlink()
    elif how == "empty": path.write_bytes(b"")
    elif how == "truncated": path.write_bytes(data[:len(data)//2])
    elif how == "zeros": path.write_bytes(data[:100] + bytes(len(data) - 120) + data[-20:])
    elif how == "other": Image.new("RGB", (9, 9)).save(path, "jpeg" if path.suffix == ".jpg" else "png")
    else: path.write_bytes(b"<html>Not found</html>")

@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "zeros", "other", "html"])
@pytest.mark.parametrize("file", ["train/images/0000003.jpg", "masks/0000003.png"])
def test_damaged_pictures_are_rendered_again(original, copy, file, how):
    damage(copy/file, how)
    before = {p: p.stat().st_mtime_ns for p in copy.rglob("*.*g") if p.stem != "0000003"}
    assert make_ships(copy, **SMALL) == copy and files(copy) == files(original)
    assert before == {p: p.stat().st_mtime_ns for p in before}  # nothing else was

@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "html"])
@pytest.mark.parametrize("file", [
    "train/train.csv", "test_ships.csv", "sample_submission_ships.csv", "metadata.csv"])
def test_damaged_tables_are_written_again(original, copy, file, how):
    damage(copy/file, how)
    make_ships(copy, **SMALL)
    assert files(copy) == files(original)

@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"n": 9}', "\x00"*40])
def test_a_lost_record(original, copy, text):
    (copy/"ships.json").write_text(text)
    (copy/"train/images/.0000001.jpg.abc.tmp").write_text("half")
    make_ships(copy, **SMALL)
    assert files(copy) == files(original)
    (copy/"ships.json").write_text(text)
    # whose pictures are these?
    for other in (dict(seed=1), dict(difficulty="hard"), dict(size=64), dict(n=8)):
        with pytest.raises(FileExistsError, match="lost its record"): make_ships(copy, **(SMALL | other))
    assert (copy/"ships.json").read_text() == text and files(copy/"train") == files(original/"train")

def test_a_record_of_somebody_else(tmp_path):
    (tmp_path/"ships.json").write_text('{"fleet": ["Elmina"]}')
    with pytest.raises(FileExistsError, match="lost its record"): make_ships(tmp_path, **SMALL)
    (tmp_path/"ships.json").write_text("")
    (tmp_path/"thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="lost its record"): make_ships(tmp_path, **SMALL)
    (tmp_path/"thesis.txt").unlink()
    # an empty record, and nothing else: a call that was killed
    assert len(load_ships(make_ships(tmp_path, **SMALL))) == 14

def test_an_old_file_that_was_cut_off(original, copy):
    "Copied by a program that keeps times, onto a disk that ran full"
    for file in ("train/images/0000002.jpg", "masks/0000004.png"):
        damage(copy/file, "truncated")
        os.utime(copy/file, (1, 1))
    make_ships(copy, **SMALL)
    assert files(copy) == files(original)

def test_leftovers_are_removed(original, copy):
    for name in (".ships.json.abc.tmp", "masks/.0000001.png.abc.tmp"): (copy/name).write_text("half")
    make_ships(copy, **SMALL)
    assert files(copy) == files(original)

def test_the_cache_heals(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path))
    path = ships_data(**SMALL)
    before = files(path)
    damage(path/"masks/0000001.png", "zeros")
    with pytest.raises(ValueError, match="renders what is damaged"):
        load_mask(path/"train/images/0000001.jpg")
    (path/"ships.json").write_bytes(b"")
    (path/"metadata.csv").unlink()
    assert ships_data(**SMALL) == path and files(path) == before


# a folder that many share

def test_a_complete_folder_is_only_read(copy, monkeypatch):
    before = {p: p.stat().st_mtime_ns for p in [copy, *copy.rglob("*")]}
    def forbidden(*args, **kwargs): raise PermissionError("read-only")
    for name in ("FileLock", "atomic_write"): monkeypatch.setattr(rendered, name, forbidden)
    monkeypatch.setattr(Path, "mkdir", forbidden)
    make_ships(copy, **SMALL)
    assert len(load_ships(copy, truth=True)) == 14
    assert before == {p: p.stat().st_mtime_ns for p in [copy, *copy.rglob("*")]}
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (copy/".ships.json.x.tmp").write_text("")  # a leftover that can't be removed is no reason to fail
    make_ships(copy, **SMALL)
    damage(copy/"train/images/0000001.jpg", "empty")
    with pytest.raises(PermissionError, match="not complete, and files can't be written in"):
        make_ships(copy, **SMALL)
    with pytest.raises(PermissionError, match="new' does not exist yet.*another folder"):
        make_ships(copy.parent/"new", **SMALL)

def test_arguments(original):
    numbers = dict(n=np.int64(9), n_test=np.int32(5), size=(np.int64(48), 48), seed=np.int64(42),
                   workers=np.int64(1))
    assert make_ships(original, **(SMALL | numbers)) == original
    refused = dict(n=(True, 9.0, "9"), n_test=(False, 5.5, -1), size=(True, 48.5, (48, True)),
                   seed=(True, 2.7, "x"), workers=(0, True, 1.5))
    for name, values in refused.items():
        for value in values:
            with pytest.raises(ValueError, match=f"^{name}"): make_ships(original, **(SMALL | {name: value}))


# processes

def processes(parent):
    "The numbers of a process's children, grandchildren and so on (Linux)"
    found = []
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children: found += [int(child), *processes(child)]
    return found

def alive(pid):
    try: return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError: return False

@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_owner(tmp_path, end):
    images, start = tmp_path/"a/train/images", time.time()
    owner = started(tmp_path/"a", n=3000, n_test=0, size=48, workers=2)
    workers = processes(owner.pid)
    assert len(workers) == 2 and all(map(alive, workers))
    owner.send_signal(end)
    assert owner.wait(timeout=60) != 0
    while any(map(alive, workers)) and time.time() - start < 150: time.sleep(.05)
    assert not any(map(alive, workers)) and len(list(images.glob("*.jpg"))) < 3000
