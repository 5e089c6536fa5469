"A report is whole or not there, whatever the pictures are called and whatever happens."
import os
import shutil
import signal
import subprocess
import sys
import weakref
from contextlib import contextmanager

import pandas as pd
import pytest
import torch
from PIL import Image

from shipviz import pages, photos
from shipviz import report as reports
from shipviz.data import get_dls
from shipviz.datasets import load_ships, make_ships
from shipviz.heatmaps import heatmap
from shipviz.interpretation import ShipInterpretation
from shipviz.learners import imagenet_learner, load_model, predict, save_model, ship_learner
from shipviz.models import real_ships
from shipviz.pages import whole_folder
from shipviz.photos import distinct, explain_photos, heatmap_pictures
from shipviz.report import demo, report

SHORT = dict(n_examples=2, n_losses=1, n_curves=4, progress=False)


@pytest.fixture
def photo(valid, tmp_path):
    return shutil.copy(valid.path[0], tmp_path/"photo.jpg")


def text(result): return result.path.read_text(encoding="utf-8")


def test_the_pictures_of_a_report(learn, tmp_path):
    page = text(report(learn, tmp_path/"report", **SHORT))
    assert page.count("<img ") == len(list((tmp_path/"report"/"images").glob("*.png"))) == 4
    assert "Weighted F1 on the validation pictures went from" in page and "2 epochs." in page
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_a_validation_is_no_epoch(learn, folder, tmp_path):
    learn = ship_learner(get_dls(folder, size=64, bs=8), head="linear", bn_final=False)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1, 1e-2)
        ShipInterpretation.from_learner(learn)
        assert "1 epoch." in text(report(learn, tmp_path/"1", **SHORT))
        learn.validate()
        assert "1 epoch." in text(report(learn, tmp_path/"2", **SHORT))
        learn.get_preds()
        known = pd.DataFrame(dict(train_loss=[1., .5], valid_loss=[1., .6], weighted_f1=[.4, .7]))
        assert "went from 0.400 to 0.700" in text(report(learn, tmp_path/"3", history=known, **SHORT))


def test_interrupted_it_leaves_nothing(learn, valid, tmp_path, monkeypatch):
    def stop(interp, *args):
        args[3].add("half", Image.new("RGB", (9, 9)), "")
        raise KeyboardInterrupt
    out = tmp_path/"report"
    with monkeypatch.context() as m:
        m.setattr(reports, "_page", stop)
        with pytest.raises(KeyboardInterrupt): report(learn, out, **SHORT)
        assert list(tmp_path.iterdir()) == []
    report(learn, out, title="The first", **SHORT)
    (out/"mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="force=True"): report(learn, out, **SHORT)
    with monkeypatch.context() as m:
        m.setattr(reports, "_page", stop)
        with pytest.raises(KeyboardInterrupt): report(learn, out, force=True, **SHORT)
    assert "The first" in (out/"report.html").read_text(encoding="utf-8")
    assert len(list((out/"images").iterdir())) == 4
    report(learn, out, title="The second", force=True, **SHORT | dict(n_examples=1))
    assert "The second" in (out/"report.html").read_text(encoding="utf-8")
    assert len(list((out/"images").iterdir())) == 3
    assert sorted(p.name for p in out.iterdir()) == ["images", "mine.txt", "report.html"]
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


HOLD = """
import sys, time
from shipviz.pages import whole_folder
with whole_folder(sys.argv[1]) as new:
    (new/"half").write_text("half")
    print("begun", flush=True)
    time.sleep(600)
"""

@contextmanager
def writing(out):
    "A process that has begun to write the folder `out`."
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def hidden(folder): return {p.name for p in folder.iterdir() if p.name.startswith(".")}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills in another way")
def test_what_a_killed_process_left_is_cleared_away(learn, tmp_path):
    out = tmp_path/"report"
    with writing(tmp_path/"report.old") as other:   # another target, whose name begins alike
        of_another = hidden(tmp_path)
        other.send_signal(signal.SIGKILL)
    with writing(out) as process:
        left = hidden(tmp_path) - of_another
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert len(left) == len(of_another) == 1 and hidden(tmp_path) == left | of_another
    (tmp_path/".report.abcdefgh.tmp").write_text("a file")
    (tmp_path/".report.mine").mkdir()
    with writing(out):
        living = hidden(tmp_path) - of_another - {".report.abcdefgh.tmp", ".report.mine"}
        assert len(living) == 1 and not living & left           # the living one cleared the dead one's away
        report(learn, out, **SHORT)
        assert living < hidden(tmp_path)                        # and is left in peace
    report(learn, out, force=True, **SHORT)
    assert hidden(tmp_path) == of_another | {".report.abcdefgh.tmp", ".report.mine"}
    with whole_folder(tmp_path/"report.old"): pass
    assert not hidden(tmp_path) & of_another


def test_what_a_killed_process_had_moved_away_comes_back(tmp_path):
    "Killed between the two moves of an exchange, it had the earlier report in its hidden folder."
    out, left = tmp_path/"report", tmp_path/".report.abcd1234.tmp"
    for name in ("new", "old"): (left/name).mkdir(parents=True)
    out.mkdir()
    (out/"mine.txt").write_text("mine")
    for name in ("mine.txt", "report.html"): (left/"old"/name).write_text("earlier")
    with pytest.raises(KeyboardInterrupt), whole_folder(out): raise KeyboardInterrupt
    assert {p.name: p.read_text() for p in out.iterdir()} == {"mine.txt": "mine", "report.html": "earlier"}
    assert hidden(tmp_path) == set()


def test_a_disk_without_locks(tmp_path, monkeypatch):
    "There nobody can tell whether a process lives, so nothing is cleared away."
    def no_locks(*args, **kwargs): raise NotImplementedError
    (tmp_path/".report.abcd1234.tmp").mkdir()
    monkeypatch.setattr(pages.FileLock, "acquire", no_locks)
    with whole_folder(tmp_path/"report") as new: (new/"page").write_text("1")
    assert hidden(tmp_path) == {".report.abcd1234.tmp"} and (tmp_path/"report"/"page").read_text() == "1"


def test_an_exchange_that_fails_is_undone(tmp_path, monkeypatch):
    new, place, old = (tmp_path/n for n in ("new", "place", "old"))
    for d in (new, place, old): d.mkdir()
    for d in (new, place):
        for name in ("a", "b"): (d/name).write_text(d.name)
    move, left = shutil.move, [3]
    def failing(*args):
        left[0] -= 1
        if left[0] == 0: raise OSError("disk full")
        return move(*args)
    monkeypatch.setattr(shutil, "move", failing)
    with pytest.raises(OSError): pages._exchange(new, place, old)
    assert {p.name: p.read_text() for p in place.iterdir()} == {"a": "place", "b": "place"}


def test_a_loaded_model_carries_no_pictures(learn, valid, tmp_path):
    save_model(learn, tmp_path/"model")
    loaded = load_model(tmp_path/"model")
    with pytest.raises(ValueError, match="carries no pictures"): report(loaded, tmp_path/"report", **SHORT)
    assert not (tmp_path/"report").exists()
    assert report(loaded, tmp_path/"report", valid, **SHORT).f1.n == len(valid)


def test_one_photo_is_open_at_a_time_and_once(learn, photo, tmp_path, monkeypatch):
    opened, most = [], []
    def watched(*args, **kwargs):
        most.append(sum(ref() is not None for ref in opened))
        image = real(*args, **kwargs)
        opened.append(weakref.ref(image))
        return image
    real = photos.open_picture
    monkeypatch.setattr(photos, "open_picture", watched)
    assert len(explain_photos([photo]*4, progress=False)) == 4
    assert len(opened) == 4 and max(most) == 0
    assert report(learn, tmp_path/"report", photos=[photo]*2, **SHORT) and len(opened) == 6


def test_nothing_large_is_kept_of_a_photo(photo, tmp_path, monkeypatch):
    "The networks are asked with a picture that is as small as what they would make of it, and say the same."
    large = tmp_path/"large.png"
    Image.open(photo).resize((1200, 900)).save(large)
    kept, answered = [], photos._explained
    def watched(small, *args):
        kept.append(small)
        return answered(small, *args)
    monkeypatch.setattr(photos, "_explained", watched)
    answer, = explain_photos(large, progress=False)
    assert max(side for image in kept[0][1:] for side in image.size) <= 480
    whole = heatmap(imagenet_learner(), large)
    assert torch.equal(answer.map, whole.maps[0])
    assert answer.answers[0][1] == float(whole.logits.softmax(1).max())
    five = predict(real_ships(), large, mirror=True)[0]
    assert [p for _, p in answer.ships] == sorted(five.tolist(), reverse=True)[:3]


def test_a_photo_that_cannot_be_read_is_found_first(learn, photo, tmp_path, monkeypatch):
    (tmp_path/"broken.jpg").write_bytes(b"no picture")
    monkeypatch.setattr(ShipInterpretation, "from_learner", None)
    with pytest.raises(ValueError, match="broken.jpg"):
        report(learn, tmp_path/"report", photos=[photo, tmp_path/"broken.jpg"], **SHORT)


def test_no_heatmap_is_written_over_another(photo, tmp_path):
    names = ["a-2.jpg", "a.jpg", "a.png"]
    for name in names: Image.open(photo).save(tmp_path/name)
    outs = [tmp_path/"out"/n for n in ("a-2-heatmap.png", "a-heatmap.png", "a-2-heatmap.png")]
    found = [path for path, _, _ in heatmap_pictures("imagenet", [tmp_path/n for n in names], outs)]
    assert len({p.name for p in found}) == 3 == len(list((tmp_path/"out").iterdir()))
    assert found[:2] == outs[:2]
    assert len({str(p).lower() for p in distinct(["A.png", "a.png", "a-2.png"])}) == 3


def test_photos_of_one_name(learn, photo, tmp_path):
    (tmp_path/"other").mkdir()
    twin = shutil.copy(photo, tmp_path/"other"/"photo.jpg")
    report(learn, tmp_path/"report", photos=[photo, twin], **SHORT)
    assert len(list((tmp_path/"report"/"images").glob("*photo-photo.png"))) == 2


def test_names_that_are_markup_stay_text(learn, photo, tmp_path):
    evil = shutil.copy(photo, tmp_path/"<img src=x onerror=alert(1)>.jpg")
    page = text(report(learn, tmp_path/"report", photos=evil, title="<b>", note="<i>", **SHORT))
    assert "<img src=x" not in page and "&lt;img src=x" in page
    assert "<b></h1>" not in page and "<i>" not in page


@pytest.mark.skipif(os.name == "nt", reason="names of files are text there")
def test_a_name_that_is_not_utf8(learn, valid, photo, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    try: shutil.copy(photo, odd)
    except OSError: pytest.skip("this disk takes only UTF-8")
    df = pd.DataFrame(dict(path=[odd, *valid.path[1:3]], label=valid.label[:3]))
    result = report(learn, tmp_path/"report", df, photos=[odd], **SHORT)
    assert "caf\ufffd.jpg" in text(result)
    str(result).encode("utf-8")
    (path, *_), = heatmap_pictures("imagenet", [odd], [odd + ".png"])
    assert path.exists()


def test_the_demo_takes_its_seed(learn, valid, tmp_path, monkeypatch):
    asked = []
    def trained(**kwargs):
        asked.append(kwargs)
        return learn
    monkeypatch.setattr(reports, "trained_learner", trained)
    monkeypatch.setattr(reports, "load_ships", lambda path, truth: valid.assign(split="test"))
    demo(tmp_path/"report", quick=True, seed=7)
    assert asked == [dict(quick=True, seed=7)]


def test_pictures_without_masks_are_scored_by_deletion(learn, valid, tmp_path):
    paths = [shutil.copy(p, tmp_path/p.name) for p in valid.path]
    result = report(learn, tmp_path/"report", valid.assign(path=paths), **SHORT)
    assert result.scores == [] and "no true masks" in text(result)
    controls = ["A random map", "Always the centre", "Another picture's map"]
    assert [r["name"] for r in result.curves][1:] == controls
    for k in ("deletion", "insertion"):
        assert all(0 <= r[k].low <= r[k].value <= r[k].high <= 1 for r in result.curves)


def test_what_cannot_be_done_is_said(learn, valid, photo, tmp_path):
    with pytest.raises(FileExistsError, match="is a file"): report(learn, photo)
    with pytest.raises(ValueError, match="'Ferry'"):
        report(learn, tmp_path/"r", valid.assign(label="Ferry"), **SHORT)
    with pytest.raises(ValueError, match="container ship"):
        next(heatmap_pictures("imagenet", [photo], [tmp_path/"x.png"], target="container shop"))
    with pytest.raises(ValueError, match="n_losses"): report(learn, tmp_path/"r", **SHORT | dict(n_losses=-1))
    assert not (tmp_path/"r").exists()
