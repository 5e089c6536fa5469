"Data sets of heatmaps: resumed to the same rows, refused for another model, read back, looked at."
import json
import os
import pickle
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from stress_stream import go, killed, make_pictures, network, prepare, rows, start

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (pip install shipviz[stream])")
pytest.importorskip("pyarrow.parquet")

from shipviz.gallery import contact_sheet, write_pages  # noqa: E402
from shipviz.heatmaps import heatmap  # noqa: E402
from shipviz.saved_maps import load_maps, overlay_file, save_maps  # noqa: E402
from shipviz.sources import picture_id  # noqa: E402
from shipviz.stream import stream  # noqa: E402
from shipviz.workers import WorkerDied  # noqa: E402

N, BAD = 200, {3, 100}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory): return make_pictures(tmp_path_factory.mktemp("pictures"), N, BAD)

@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    return go(pictures, out, 1)


# The rows

def test_a_row_for_each_picture_and_a_reason_for_each_bad_one(pictures, whole):
    table = whole.table("id", "path", "problem").to_pylist()
    paths = sorted(p.relative_to(pictures).as_posix() for p in pictures.rglob("*.jpg"))
    assert len(whole) == N and [r["path"] for r in table] == paths  # in their order
    assert all(r["id"] == picture_id(r["path"]) for r in table)
    bad = {r["path"] for r in table if "no picture" in r["problem"]}
    assert bad == {f"{i % 7}/{i:05d}.jpg" for i in BAD}
    assert whole.counts()[None] == len(BAD) and sum(whole.counts().values()) == N


def test_rows_are_what_heatmap_says(pictures, whole):
    some = [whole[i] for i in (0, 57, N - 1)]
    x = torch.stack([prepare(Image.open(pictures/r.path)) for r in some])
    heat = heatmap(network(), x)
    answers = zip(some, heat.maps.numpy(), heat.scores, heat.targets, heat.logits)
    for row, map, score, target, logits in answers:
        assert abs(row.map - map).max() <= abs(map).max()/2**11 and row.map.shape == map.shape
        assert row.score == pytest.approx(float(score), rel=1e-4) and row.explained == str(int(target))
        probs = logits.softmax(0)
        assert row.classes == [str(int(i)) for i in probs.argsort(descending=True)]
        assert row.probabilities == pytest.approx(probs.sort(descending=True).values.tolist(), rel=1e-4)


def test_the_stream_in_python_says_the_same(pictures, whole):
    said = list(stream(network(), pictures, prepare=prepare, k=2))
    assert [r.path for r in said] == [r.path for r in whole] and len(said) == N
    for a, b in zip(said, whole):
        assert (a.map is None) == (b.map is None) and bool(a.problem) == bool(b.problem)
        if a.map is not None: np.testing.assert_allclose(a.map, b.map, atol=abs(a.map).max()/1000)


@pytest.mark.parametrize("layer,n", [("0", 1), ("3", 5)])
def test_another_batch_changes_no_more_than_the_last_digits(pictures, layer, n):
    "What the rows of a source that has changed may differ by: they are computed in other batches."
    one = {r.path: r for r in stream(network(), pictures, prepare=prepare, layer=layer)}
    for r in stream(network(), pictures, prepare=prepare, layer=layer, bs=n):
        if r.map is None: continue
        assert r.probabilities == pytest.approx(one[r.path].probabilities, abs=1e-5)
        np.testing.assert_allclose(r.map, one[r.path].map, atol=1e-4*abs(r.map).max())


# Stopped and gone on with

@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_ends_with_the_same_rows(pictures, whole, tmp_path, workers):
    seen = killed(pictures, tmp_path/"maps", 3 if workers == 1 else 1, workers)
    assert all(0 < n < len(whole.parts) for n in seen[:1])
    assert rows(tmp_path/"maps").equals(rows(whole.folder)), "rows differ"
    assert [p.name for p in load_maps(tmp_path/"maps").parts] == [p.name for p in whole.parts]
    assert not list(tmp_path.rglob("*.tmp"))


def test_nothing_is_done_twice(pictures, whole, monkeypatch):
    before = {p: p.stat().st_mtime_ns for p in whole.folder.rglob("*.parquet")}
    from shipviz import parts
    def make_part(*args): raise AssertionError("done twice")
    monkeypatch.setattr(parts, "make_part", make_part)
    go(pictures, whole.folder, 1)
    assert {p: p.stat().st_mtime_ns for p in whole.folder.rglob("*.parquet")} == before


def test_new_pictures_are_added_and_a_damaged_part_is_made_again(pictures, tmp_path):
    folder = make_pictures(tmp_path/"p", 60)
    out = tmp_path/"maps"
    go(folder, out, 1)
    damaged = sorted((out/"parts").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:100])
    (out/"parts"/".part-x.parquet.abc.tmp").write_bytes(b"half")
    (folder/"0"/"new.jpg").write_bytes((folder/"0"/"00000.jpg").read_bytes())
    with pytest.warns(UserWarning, match="is damaged"): maps = go(folder, out, 1)
    assert len(maps) == 61 and len(set(maps.table("id").column("id").to_pylist())) == 61
    assert not list(out.rglob("*.tmp"))


def test_two_runs_at_once_are_refused(pictures, tmp_path):
    process = start(pictures, tmp_path/"maps", 1)
    while not list((tmp_path/"maps").glob("parts/*.parquet")) and process.poll() is None: pass
    with pytest.raises(ValueError, match="Another run"): go(pictures, tmp_path/"maps", 1)
    process.kill()
    process.wait()


# Refused

def test_other_settings_are_refused_in_words(pictures, whole, tmp_path):
    def again(model=None, source=pictures, **options):
        options = dict(prepare=prepare, progress=False) | options
        save_maps(model or network(), source, whole.folder, **options)
    def darker(image): return prepare(image)/2
    with pytest.raises(ValueError, match="of another network.*force=True"): again(network(1))
    with pytest.raises(ValueError, match="with method='gradcam' instead of 'cam'"): again(method="cam")
    with pytest.raises(ValueError, match="with k=5"): again(k=2)
    with pytest.raises(ValueError, match="prepares pictures in another way"): again(prepare=darker)
    with pytest.raises(ValueError, match="of another source"): again(source=make_pictures(tmp_path/"p", 3))
    assert len(load_maps(whole.folder)) == N


def test_force_begins_anew_and_touches_nothing_else(tmp_path):
    folder, out = make_pictures(tmp_path/"p", 40), tmp_path/"maps"
    go(folder, out, 1)
    (out/"notes.txt").write_text("mine")
    maps = save_maps(network(1), folder, out, prepare=prepare, progress=False, force=True, workers=1)
    assert len(maps) == 40 and (out/"notes.txt").read_text() == "mine"
    (tmp_path/"other").mkdir()
    (tmp_path/"other"/"mine.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(FileExistsError, match="other things"):
            save_maps(network(), folder, tmp_path/"other", prepare=prepare, force=force)


def test_what_cannot_work_is_said_before_anything_is_written(pictures, tmp_path):
    out, bad = tmp_path/"maps", network()
    bad[0].weight.data.fill_(float("nan"))
    for error, says, options in [
            (ValueError, "has 3 classes", dict(target=7)), (ValueError, "gradcam", dict(method="gradcan")),
            (ValueError, "nowhere", dict(layer="nowhere")), (TypeError, "normalised", dict(prepare=None)),
            (ValueError, "'processes' or 'ray'", dict(engine="spark")),
            (TypeError, "no option", dict(stepz=3))]:
        with pytest.raises(error, match=says):
            save_maps(network(), pictures, out, **{"prepare": prepare, "progress": False, **options})
    with pytest.raises(ValueError, match="no answer to a drawn picture"):
        save_maps(bad, pictures, out, prepare=prepare, method=None)
    with pytest.raises(ValueError, match="no pictures in"):
        save_maps(network(), tmp_path, out, prepare=prepare)
    with pytest.raises(FileNotFoundError): save_maps(network(), tmp_path/"none", out, prepare=prepare)
    with pytest.raises(FileNotFoundError, match="no maps.json"): load_maps(tmp_path)
    assert not out.exists()


def test_a_function_that_cannot_be_sent_to_other_processes_is_refused(pictures, tmp_path):
    with pytest.raises(ValueError, match="workers=1"):
        save_maps(network(), pictures, tmp_path/"maps", prepare=lambda i: prepare(i), workers=2,
                  progress=False)


def fatal(image, parent):
    "Ends any other process than the parent."
    if os.getpid() != parent: os._exit(9)
    return prepare(image)

def test_a_picture_that_kills_its_worker_ends_the_run_in_words(pictures, tmp_path):
    with pytest.warns(UserWarning, match="Going on"), pytest.raises(OSError, match="three times"):
        save_maps(network(), pictures, tmp_path/"maps", prepare=partial(fatal, parent=os.getpid()), workers=2,
                  progress=False)


# Sources

def test_lists_give_ids_and_repeated_pictures_are_done_once(pictures, tmp_path):
    paths = sorted(pictures.rglob("*.jpg"))[:50]
    table = tmp_path/"list.csv"
    lines = ["id,path", *(f"ship {i},{p}" for i, p in enumerate(paths)), f"ship 0,{paths[0]}"]
    table.write_text("\n".join(lines))
    maps = save_maps(network(), table, tmp_path/"a", prepare=prepare, progress=False, workers=1)
    assert maps.table("id").column("id").to_pylist() == [f"ship {i}" for i in range(50)]
    assert maps.where(maps[4]) == str(paths[4])
    pa.parquet.write_table(pa.table({"path": [str(p) for p in paths]}), tmp_path/"list.parquet")
    second = save_maps(network(), tmp_path/"list.parquet", tmp_path/"b", prepare=prepare, progress=False,
                       workers=1)
    columns = "path", "map", "problem"
    assert maps.table(*columns).equals(second.table(*columns))
    third = save_maps(network(), paths, tmp_path/"c", prepare=prepare, progress=False, workers=1)
    assert third.table("map").equals(maps.table("map"))


def test_results_inside_the_source_are_no_part_of_it(tmp_path):
    folder = make_pictures(tmp_path, 20)
    for _ in range(2):
        maps = save_maps(network(), folder, folder/"maps", prepare=prepare, pictures=True, progress=False,
                         workers=1)
        assert len(maps) == 20
    assert len(list((folder/"maps"/"pictures").rglob("*.jpg"))) == 20
    with Image.open(overlay_file(maps.folder, maps[3].id)) as im: assert im.size == (36*2 + 4, 24)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows such names")
def test_names_that_are_no_utf8(tmp_path):
    folder = make_pictures(tmp_path/"p", 2)
    os.rename(folder/"0"/"00000.jpg", os.fsencode(folder/"0") + b"/sea\xff<b>.jpg")
    maps = save_maps(network(), folder, tmp_path/"maps", prepare=prepare, progress=False, workers=1)
    assert not any(r.problem for r in maps) and Path(maps.where(maps[0])).exists()
    assert contact_sheet(maps).width > 0
    script = next((write_pages(maps).parent/"pages").glob("part-*.js")).read_text(encoding="utf-8")
    assert "<" not in script and "sea%FF%3Cb%3E.jpg" in script


# Reading back

def test_rows_by_position_and_as_heatmaps(whole):
    assert whole[-1].id == whole[N - 1].id != whole[0].id
    with pytest.raises(IndexError): whole[N]
    again = list(load_maps(whole.folder))
    assert [r.id for r in again] == whole.table("id").column("id").to_pylist()
    good = [i for i in range(12) if whole[i].map is not None]
    heat = whole.heatmaps(good)
    assert heat.maps.shape == (len(good), 12, 18) and heat.size == (24, 36)
    assert len(heat.pictures) == len(good)
    bad = next(r for r in again if r.map is None)
    with pytest.raises(ValueError, match="has no heatmap"): whole.heatmaps([bad])


def test_the_contact_sheet_shows_pictures_that_can_be_opened_and_those_that_cannot(whole):
    sheet = contact_sheet(whole, n=30, ncols=10, side=40)
    assert sheet.size == (10*46 + 6, 3*62 + 6)
    assert contact_sheet(whole, rows=[0, 1]).width == 2*156 + 6


def test_pages_are_written_once_for_each_part(whole):
    page = write_pages(whole)
    scripts = {p: p.stat().st_mtime_ns for p in (whole.folder/"pages").glob("part-*.js")}
    assert [p.stem for p in sorted(scripts)] == [p.stem for p in whole.parts]
    text = page.read_text(encoding="utf-8")
    told = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert sum(n for _, n in told["parts"]) == N and (page.parent/told["base"]/"0"/"00000.jpg").exists()
    script = sorted(scripts)[0].read_text(encoding="utf-8")
    rows = json.loads(re.fullmatch(r'shipvizPart\("[^"]+",(.*)\);\n', script, re.S)[1])
    h, w, digits = rows[0][5]
    assert len(rows) == 32 and (h, w) == (12, 18) and len(digits) == h*w and "f" in digits
    write_pages(whole)
    assert {p: p.stat().st_mtime_ns for p in scripts} == scripts


# The command line

def test_heatmaps_of_a_folder_on_the_command_line(run, tmp_path):
    folder = make_pictures(tmp_path/"photos", 6, bad={2})
    r = run("heatmap", "real-ships", folder, "-o", "maps", "--workers", 1, "--pictures")
    assert r.exit_code == 0 and "6 pictures are in maps, 1 of them without an answer" in r.output, r.output
    assert (tmp_path/"maps"/"index.html").exists() and (tmp_path/"maps"/"contact-sheet.jpg").exists()
    maps = load_maps(tmp_path/"maps")
    assert maps.classes[0] in ("Cargo", "Carrier") and maps[0].map.ndim == 2 and len(maps[0].classes) == 5
    heat = heatmap_of(folder/maps[0].path)
    assert maps[0].explained == heat.labels[0]
    np.testing.assert_allclose(maps[0].map, heat.maps[0], atol=2e-3*float(heat.maps[0].abs().max()))
    assert len(list((tmp_path/"maps"/"pictures").rglob("*.jpg"))) == 5
    r = run("heatmap", "imagenet", folder, "-o", "maps", "--workers", 1)
    assert r.exit_code == 1 and "of another network" in r.output and "--force" in r.output
    assert len(load_maps(tmp_path/"maps")) == 6

def heatmap_of(path):
    from shipviz.models import real_ships
    return heatmap(real_ships(), path)


def test_predictions_as_a_data_set_on_the_command_line(run, tmp_path):
    folder = make_pictures(tmp_path/"photos", 4, bad={1})
    r = run("predict", "real-ships", folder, "--parquet", "--workers", 1)
    assert r.exit_code == 0 and "4 pictures are in predictions, 1 of them" in r.output, r.output
    maps = load_maps(tmp_path/"predictions")
    from shipviz.learners import predict
    from shipviz.models import real_ships
    probs = predict(real_ships(), [folder/r.path for r in maps if not r.problem], mirror=True)
    best = probs.sort(1, descending=True).values
    said = torch.tensor([r.probabilities for r in maps if not r.problem])
    assert torch.allclose(said, best, atol=1e-4) and maps[0].map is None
    r = run("predict", "real-ships", folder/"0"/"00000.jpg", "--parquet")
    assert r.exit_code == 2 and "one folder" in r.output


def test_a_table_of_predictions_is_the_same_whoever_makes_it(run, tmp_path):
    folder = make_pictures(tmp_path/"photos", 20, bad={3})
    r = run("predict", "real-ships", folder, "-o", "a.csv")
    assert r.exit_code == 0 and "a table of 20 pictures" in r.output, r.output
    assert "1 of 20 pictures have no answer" in r.output
    r = run("predict", "real-ships", folder, "-o", "b.csv", "--workers", 2)
    assert r.exit_code == 0, r.output
    table = (tmp_path/"a.csv").read_text()
    assert table == (tmp_path/"b.csv").read_text() and table.splitlines()[0].endswith(",Tankers,problem")
    assert "\n3/00003.jpg,,,,,,,it is no picture" in table
    (tmp_path/"list.csv").write_text("path\n" + "".join(f"photos/{i}/0000{i}.jpg\n" for i in range(3)))
    assert run("predict", "real-ships", "list.csv", "-o", "c.csv").exit_code == 0
    assert len((tmp_path/"c.csv").read_text().splitlines()) == 4
    r = run("predict", "real-ships", folder, "-o", "d.csv", "--engine", "ray")
    assert r.exit_code == 2 and "--parquet" in r.output and not (tmp_path/"d.csv").exists()


def test_a_worker_that_is_killed_costs_no_row(tmp_path, monkeypatch):
    from shipviz import predictions
    from shipviz.models import real_ships
    monkeypatch.setattr(predictions, "JOB", 8)
    paths = sorted(make_pictures(tmp_path/"photos", 24).rglob("*.jpg"))
    real, killed = predictions.in_processes, []
    def dying(f, jobs, workers):
        for i, made in enumerate(real(f, jobs, workers)):
            if i == 1 and not killed:
                killed.append(i)
                raise WorkerDied("A worker process ended.")
            yield made
    monkeypatch.setattr(predictions, "in_processes", dying)
    learn = real_ships()
    with pytest.warns(UserWarning, match="Going on without it"):
        said = predictions.probabilities(learn, paths, progress=False, workers=2)
    assert killed and torch.equal(said, predictions.probabilities(learn, paths, progress=False))


def test_photos_stay_pictures(run, tmp_path):
    photo = next(make_pictures(tmp_path/"photos", 1).rglob("*.jpg"))
    assert run("heatmap", "real-ships", photo, "-o", "maps").exit_code == 0
    assert [p.name for p in (tmp_path/"maps").iterdir()] == ["00000-heatmap.png"]


def test_a_learner_is_sent_to_a_worker_with_its_preparation(folder, learn):
    from shipviz.inputs import as_batch
    from shipviz.parts import portable, unpack_model
    photo = sorted(Path(folder).rglob("*.jpg"))[0]
    there = unpack_model(pickle.loads(pickle.dumps(portable(learn))))
    assert torch.allclose(as_batch(there, photo), as_batch(learn, photo), atol=1e-5)
    assert there.dls.vocab == learn.dls.vocab
    assert portable(learn, "imagenet") == "imagenet"
    heat = heatmap(learn, photo)
    np.testing.assert_allclose(heatmap(there, photo).maps, heat.maps, atol=1e-3*float(heat.maps.abs().max()))


def test_a_learner_that_cannot_be_saved_is_refused(learn):
    from shipviz.parts import portable
    class Other: model, dls = learn.model, learn.dls
    with pytest.raises(ValueError, match="workers=1"): portable(Other())


def test_a_report_on_saved_answers_says_what_one_that_asks_says(run, folder, learn, tmp_path):
    from shipviz.learners import save_model
    save_model(learn, tmp_path/"m")
    assert run("heatmap", "m", folder, "-o", "maps", "--workers", 1).exit_code == 0
    asked = run("report", "m", folder, "-o", "asked")
    saved = run("report", "m", folder, "-o", "saved", "--maps", "maps")
    assert asked.exit_code == saved.exit_code == 0, saved.output
    def said(r): return [line for line in r.output.splitlines() if "F1" in line or "Heat" in line]
    assert said(asked) == said(saved) and said(saved)
    pictures = [len(list((tmp_path/d/"images").iterdir())) for d in ("saved", "asked")]
    assert pictures[0] == pictures[1]
    few = run("heatmap", "m", folder, "-o", "few", "--workers", 1, "--top", 2)
    r = run("report", "m", folder, "-o", "other", "--maps", "few")
    assert few.exit_code == 0 and r.exit_code == 1 and "--top 5" in r.output
