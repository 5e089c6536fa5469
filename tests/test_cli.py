"The command line: what it makes, what it refuses, and that it says so to people."
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from shipviz import __version__, _errors, cli, notebooks

FEEDBACK = "from shipviz.exercises import *\n"
COMMANDS = "check demo doctor explorer heatmap lessons predict report ships train".split()


def shell(*args, **kwargs):
    code = "from shipviz.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)


def picture(path, size=(64, 48)):
    from PIL import Image
    Image.new("RGB", size, "navy").save(path)
    return path


def notebook(path, *cells):
    nb = new_notebook(cells=[new_code_cell(c) for c in cells])
    nbformat.write(nb, path)
    return path


def test_help_names_every_command_and_loads_nothing_heavy():
    code = ("import sys; from shipviz.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
            "assert not {'torch', 'fastai', 'numpy', 'matplotlib', 'pandas', 'nbformat'} & set(sys.modules)")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {c} " in out for c in COMMANDS)


# Errors in words

def raises(monkeypatch, error):
    "Let `shipviz explorer` end in this error."
    from shipviz import network_page
    def page(*args, **kwargs): raise error
    monkeypatch.setattr(network_page, "network_page", page)


@pytest.mark.parametrize("error,says", [
    (TypeError("'int' object is not\nsubscriptable"),
     "did not foresee (TypeError: 'int' object is not subscriptable)"),
    (RuntimeError("operator torchvision::nms does not exist"), "did not foresee (RuntimeError: operator"),
    (KeyError("x"), "did not foresee (KeyError: 'x')"),
    (AssertionError(), "did not foresee (AssertionError)"), (MemoryError(), "did not foresee (MemoryError)"),
    (ValueError("The photo is too small."), "Error: The photo is too small."),
    (ValueError(), "did not foresee (ValueError)"),
    (PermissionError(13, "Permission denied", "a.html"), "a.html: no permission"),
    (OSError(28, "No space left on device"), "No space left"),
    (ModuleNotFoundError("No module named 'ipywidgets'", name="ipywidgets"),
     "ipywidgets is missing from this installation"),
    ("\udcff.png", "rename the file"),
], ids=str)
def test_every_error_ends_as_a_sentence(tmp_path, monkeypatch, error, says):
    if isinstance(error, str):
        with pytest.raises(UnicodeEncodeError) as e: error.encode()
        error = e.value
    raises(monkeypatch, error)
    r = CliRunner().invoke(cli.main, ["explorer", "-o", str(tmp_path/"k.html")])
    assert r.exit_code == 1 and says in r.output
    assert ("SHIPVIZ_DEBUG=1" in r.output) == ("foresee" in says) == ("report it" in r.output)


def test_the_trace_is_shown_to_those_who_ask(tmp_path):
    code = ("import shipviz.cli as c\ndef copy(*a, **k): raise TypeError('odd')\n"
            "c.copy_new = copy\nc.main(['lessons', 'here'])")
    for debug in ("", "1"):
        env = {**os.environ, "SHIPVIZ_DEBUG": debug}
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True,
                              text=True)
        assert done.returncode == 1 and "did not foresee (TypeError: odd)" in done.stderr
        assert ("Traceback" in done.stderr and "in copy" in done.stderr) == bool(debug)


@pytest.mark.parametrize("command,python,says", [
    ("train", "3 pictures can't be read: a.jpg. `verify='skip'` leaves them out.",
     "`--skip-broken` leaves them out"),
    ("train", "'a.jpg' can't be read. `load_ships(path, verify='skip')` lists such files and drops them.",
     "`--skip-broken` leaves such files out"),
    ("train", "exists. Use force=True to write over it.", "Use --force to write over it"),
    ("report", "3 pictures can't be read: a.jpg. `verify='skip'` leaves them out.",
     "Take them out of the table"),
    ("ships", "'d' holds files that make_ships did not make.", "shipviz ships did not make"),
])
def test_advice_is_in_the_words_of_the_command_line(command, python, says):
    group = cli.main
    options = group.options(type("Context", (), dict(invoked_subcommand=command)))
    said = _errors.sentence(ValueError(python), options)
    python_words = ("verify=", "force=True", "load_ships", "make_ships")
    assert says in said and not any(word in said for word in python_words)


def test_broken_pictures_are_left_out_by_the_option_that_the_error_names(run, tmp_path):
    assert run("ships", "d", "-n", 5, "--test", 0, "--size", 48).exit_code == 0
    next((tmp_path/"d"/"train"/"images").iterdir()).write_bytes(b"no picture")
    r = run("train", "d", "-o", "m", "--quick")
    assert r.exit_code == 1 and "--skip-broken" in r.output and "verify" not in r.output


# Names that are no text: Linux allows file names that are not UTF-8

@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows such names")
def test_a_name_that_is_no_utf8_ends_no_command(tmp_path):
    photo = tmp_path/os.fsdecode(b"sea\xff.png")
    picture(photo)
    p = shell("explorer", photo, "-o", tmp_path/os.fsdecode(b"k\xff.html"))
    out, err = p.communicate(timeout=120)
    assert p.returncode == 0 and "Wrote" in out and "udcff" in out, err
    p = shell("heatmap", "imagenet", tmp_path/os.fsdecode(b"missing\xff.png"))
    out, err = p.communicate(timeout=120)
    assert p.returncode == 1 and "missing\\udcff.png: no such file" in err and "Traceback" not in err
    p = shell("heatmap", "imagenet", photo, "-o", tmp_path/"maps")
    out, err = p.communicate(timeout=120)
    assert p.returncode == 0 and len(list((tmp_path/"maps").iterdir())) == 1, err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows such names")
def test_predictions_of_a_name_that_is_no_utf8(run, tmp_path):
    name = os.fsdecode(b"sea\xff.png")
    picture(tmp_path/name)
    r = run("predict", "real-ships", name)
    assert r.exit_code == 0 and b"sea\xff.png" in (tmp_path/"submission.csv").read_bytes(), r.output


def test_signs_that_the_terminal_lacks_end_no_command(tmp_path):
    book = notebook(tmp_path/"01_mine.ipynb", FEEDBACK + "right('sum')", "not_yet('shape')")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    code = "from shipviz.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "check", str(book)], env=env, capture_output=True,
                          text=True, timeout=120)
    assert "1 of 2 exercises pass" in done.stdout and "Traceback" not in done.stderr, done.stderr


def test_demo_passes_its_seed_on(monkeypatch, tmp_path):
    from shipviz import report
    seen = {}
    class Enough(Exception): pass
    def trained_learner(**kwargs):
        seen.update(kwargs)
        raise Enough
    monkeypatch.setattr(report, "trained_learner", trained_learner)
    with pytest.raises(Enough): report.demo(tmp_path/"r", quick=True, seed=7)
    if seen.get("seed") != 7: pytest.xfail("report.demo must give trained_learner its seed")


def test_version_and_usage_errors(run):
    assert __version__ in run("--version").output
    assert run("nonsense").exit_code == 2
    assert run("ships", "there", "-n", "2").exit_code == 2
    for c in COMMANDS: assert run(c, "--help").exit_code == 0


@pytest.mark.parametrize("command", [("demo",), ("heatmap", "imagenet")])
def test_photos_that_cannot_be_read_are_all_named_before_any_work(run, tmp_path, command):
    good, text = picture(tmp_path/"good.png"), tmp_path/"text.jpg"
    text.write_text("I am no picture")
    r = run(*command, good, text, "missing.jpg", tmp_path)
    assert r.exit_code == 1 and "3 of 4 photos" in r.output
    assert "text.jpg: its content is of none of the kinds" in r.output
    assert "missing.jpg: no such file" in r.output
    assert ": it is a folder" in r.output
    assert not (tmp_path/"shipviz-report").exists() and not (tmp_path/"heatmaps").exists()


def test_output_is_never_overwritten_without_force(run, tmp_path):
    (tmp_path/"shipviz-report").mkdir()
    (tmp_path/"shipviz-report"/"mine.txt").write_text("mine")
    r = run("demo")
    assert r.exit_code == 1 and "--force" in r.output
    (tmp_path/"model.json").write_text("mine")
    r = run("train", tmp_path)
    assert r.exit_code == 1 and "model.json exists" in r.output
    (tmp_path/"explorer.html").write_text("mine")
    assert run("explorer").exit_code == 1
    mine = [tmp_path/"shipviz-report"/"mine.txt", tmp_path/"model.json", tmp_path/"explorer.html"]
    assert [p.read_text() for p in mine] == ["mine"]*3


def test_an_output_that_cannot_be_made_is_refused_first(run, tmp_path):
    (tmp_path/"file").write_text("")
    r = run("demo", "-o", "file/report")
    assert r.exit_code == 1 and "is a file" in r.output
    if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may write anywhere
        (tmp_path/"closed").mkdir(mode=0o555)
        r = run("demo", "-o", "closed/report")
        assert r.exit_code == 1 and "no permission" in r.output


OUTPUTS = [("demo",), ("train", "data"), ("predict", "imagenet", "sea.png"), ("report", "imagenet", "data"),
           ("heatmap", "imagenet", "sea.png"), ("explorer",)]

@pytest.mark.parametrize("command", OUTPUTS, ids=lambda c: c[0])
def test_an_output_that_is_no_place_of_its_own_is_refused_before_work(run, tmp_path, monkeypatch, command):
    picture(tmp_path/"sea.png")
    monkeypatch.setitem(sys.modules, "shipviz.models", None)  # whoever begins the work needs one of these
    monkeypatch.setitem(sys.modules, "shipviz.report", None)
    before = sorted(tmp_path.rglob("*"))
    for out, says in [("/", "holds much else"), (".", "the folder you are in"), ("..", "holds much else"),
                      (f"../{tmp_path.name}", "the folder you are in"), ("~", "holds much else"),
                      ("CON", "device on Windows"), ("sub/nul.txt", "device on Windows"),
                      ("Com1.safetensors", "device on Windows")]:
        r = run(*command, "-o", out, *(["--force"] if command[0] != "check" else []))
        assert r.exit_code == 2 and says in r.output, (out, r.output)
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_for_ships_and_lessons_are_no_devices(run):
    for command in ("ships", "lessons"):
        r = run(command, "aux")
        assert r.exit_code == 2 and "device on Windows" in r.output


def test_a_model_gets_no_name_that_means_something_else(run, tmp_path):
    for out, says in [("real-ships", "comes with shipviz"), ("ships.safetensors", "comes with shipviz"),
                      ("imagenet.json", "comes with"), ("a,b", "two models")]:
        r = run("train", tmp_path, "-o", out)
        assert r.exit_code == 2 and says in r.output, r.output


def test_a_network_that_is_none_is_refused_before_the_data_are_read(run, tmp_path):
    r = run("train", tmp_path/"nowhere", "-o", "m", "--arch", "resnt18")
    assert r.exit_code == 1 and "resnet18" in r.output and "nowhere" not in r.output


def test_training_data_that_is_not_there(run):
    r = run("train", "nowhere", "-o", "m")
    assert r.exit_code == 1 and "nowhere" in r.output


def test_heatmap_of_the_imagenet_network(run, tmp_path):
    (tmp_path/"other").mkdir()
    photos = [picture(tmp_path/"sea.png"), picture(tmp_path/"other"/"sea.png")]
    r = run("heatmap", "imagenet", *photos, "-o", "maps")
    assert r.exit_code == 0, r.output
    assert sorted(p.name for p in (tmp_path/"maps").iterdir()) == ["sea-2-heatmap.png", "sea-heatmap.png"]
    assert run("heatmap", "imagenet", photos[0], "-o", "maps").exit_code == 1
    again = ("heatmap", "imagenet", photos[0], "-o", "maps", "--force")
    assert run(*again, "--class", "container ship").exit_code == 0
    r = run("heatmap", "imagenet", photos[0], "-o", "new", "--class", "container shop")
    assert r.exit_code == 1 and "container ship" in r.output
    r = run("heatmap", "imagenet", photos[0], "--method", "nonsense")
    assert r.exit_code == 2 and "gradcam" in r.output
    said = run("heatmap", "imagenet", "--method", "help").output
    assert "Selvaraju" in said and "arXiv:1806.07421" in said and max(map(len, said.splitlines())) <= 110


def test_a_model_that_is_missing_or_corrupt(run, tmp_path):
    photo = picture(tmp_path/"sea.png")
    r = run("heatmap", "none", photo, "-o", "maps")
    assert r.exit_code == 1 and "none" in r.output
    (tmp_path/"bad.safetensors").write_bytes(b"not weights")
    (tmp_path/"bad.json").write_text("{}")
    r = run("heatmap", "bad", photo, "-o", "maps")
    assert r.exit_code == 1 and "bad" in r.output


def test_ships_that_cannot_be_rendered_leave_no_folder(run, tmp_path):
    for options, says in [(("--size", 20), "48"), (("--size", 4000), "2048"), (("--test", 3), "5"),
                          (("-n", 2), "5"), (("--difficulty", "impossible"), "hard")]:
        r = run("ships", "d", *options)
        assert r.exit_code in (1, 2) and says in r.output, r.output
        assert not (tmp_path/"d").exists(), options


def test_ships_are_rendered_once(run, tmp_path):
    r = run("ships", "d", "-n", 5, "--test", 0, "--size", 48)
    assert r.exit_code == 0 and len(list((tmp_path/"d"/"train"/"images").iterdir())) == 5
    r = run("ships", "d", "-n", 6, "--test", 0, "--size", 48)
    assert r.exit_code == 1 and "other settings" in r.output


@pytest.fixture
def source(tmp_path, monkeypatch):
    d = tmp_path/"source"
    for folder in ("solutions", "library", "teachers"): (d/folder).mkdir(parents=True)
    for name in ("index", "10_data", "solutions/10_data", "library/10_tables", "teachers/exam", "_private"):
        nb = new_notebook(cells=[new_markdown_cell(f"# {name}"), new_code_cell("print(1)")])
        nbformat.write(nb, d/f"{name}.ipynb")
    (d/"left.tmp").write_text("half a file")
    (d/"teachers"/"mark.py").write_text("print(1)")
    monkeypatch.setattr(cli, "lessons_dir", lambda: d)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path/"jupyter"))     # signatures are written there
    return d

def cells(path): return [(c.cell_type, c.source) for c in nbformat.read(path, 4).cells]

def change(path, f):
    nb = nbformat.read(path, 4)
    f(nb)
    nbformat.write(nb, path)


def test_lessons_keep_what_the_learner_changed(run, tmp_path, source):
    r = run("lessons", "mine", "--no-open")
    assert r.exit_code == 0 and "Copied 3" in r.output
    mine = tmp_path/"mine"/"10_data.ipynb"
    assert cells(mine) == cells(source/"10_data.ipynb")
    assert not (tmp_path/"mine"/"_private.ipynb").exists() and not (tmp_path/"mine"/"library").exists()
    assert "already" in run("lessons", "mine", "--no-open").output
    change(mine, lambda nb: nb.cells[1].update(source="print(42)"))
    before = mine.read_bytes()
    r = run("lessons", "mine", "--no-open")
    assert r.exit_code == 0 and "Kept 1" in r.output and mine.read_bytes() == before
    r = run("lessons", "mine", "--no-open", "--force")
    assert r.exit_code == 0 and "Copied 1" in r.output and cells(mine) == cells(source/"10_data.ipynb")
    mine.write_text("no notebook any more")
    assert "Kept 1" in run("lessons", "mine", "--no-open").output
    assert run("lessons", source, "--no-open").exit_code == 1
    (tmp_path/"file").write_text("")
    assert run("lessons", "file", "--no-open").exit_code == 1


def test_a_lesson_that_was_only_run_is_not_changed_and_not_overwritten(run, tmp_path, source):
    run("lessons", "mine", "--no-open")
    mine = tmp_path/"mine"/"10_data.ipynb"
    def ran(nb):
        nb.cells[1].outputs, nb.cells[1].execution_count = [new_output("stream", text="1\n")], 7
        nb.metadata.language_info.version = "3.99.0"
    change(mine, ran)
    before = mine.read_bytes()
    r = run("lessons", "mine", "--no-open")
    assert "already" in r.output and "Kept" not in r.output and mine.read_bytes() == before
    assert "Copied 1" in run("lessons", "mine", "--no-open", "--force").output and mine.read_bytes() != before


def test_copies_have_the_metadata_of_the_python_that_will_run_them(run, tmp_path, source):
    run("lessons", "mine", "--no-open")
    metadata = nbformat.read(tmp_path/"mine"/"10_data.ipynb", 4).metadata
    # what the kernel answers when a notebook is opened; asked elsewhere: its import takes over all widgets
    ask = "from ipykernel.ipkernel import IPythonKernel as K; import json; print(json.dumps(K.language_info))"
    answer = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout
    assert metadata.language_info == json.loads(answer)
    assert (metadata.kernelspec.name, metadata.kernelspec.language) == ("python3", "python")


def test_copies_are_trusted(run, tmp_path, source):
    from nbformat.sign import NotebookNotary
    run("lessons", "mine", "--no-open")
    for path in (tmp_path/"mine").rglob("*.ipynb"):
        assert NotebookNotary().check_signature(nbformat.read(path, 4)), path
    nb = nbformat.read(tmp_path/"mine"/"10_data.ipynb", 4)
    nb.cells[1].source = "print('of somebody else')"
    assert not NotebookNotary().check_signature(nb)


def test_lessons_that_cannot_be_signed_are_copied_all_the_same(run, tmp_path, source, monkeypatch):
    import nbformat.sign
    def no(*args): raise OSError("the disk is full")
    monkeypatch.setattr(nbformat.sign.NotebookNotary, "sign", no)
    assert notebooks.sign([source/"10_data.ipynb"]) == 0
    r = run("lessons", "mine", "--no-open")
    assert r.exit_code == 0 and "Copied 3" in r.output and "full" not in r.output


def test_teachers_pages_are_copied_when_asked_for(run, tmp_path, source):
    run("lessons", "mine", "--no-open")
    assert not (tmp_path/"mine"/"teachers").exists()
    r = run("lessons", "mine", "--no-open", "--teacher")
    assert "Copied 2" in r.output and (tmp_path/"mine"/"teachers"/"mark.py").exists()
    assert not (tmp_path/"mine"/"library").exists()
    assert "exam" not in run("check", "mine").output                   # no exercises of a learner


def test_the_lessons_of_this_clone_are_found():
    assert (cli.lessons_dir()/"10_data.ipynb").exists()


def test_check_prints_which_exercises_pass_and_changes_nothing(run, tmp_path):
    book = notebook(tmp_path/"01_mine.ipynb", FEEDBACK + "right('sum')",
                    "wrong('size', 'scaled', 'twice too large')", "not_yet('shape')", "1/0")
    before = book.read_bytes()
    r = run("check", tmp_path)
    assert r.exit_code == 1 and "1 of 3 exercises pass" in r.output
    for said in ("✓ sum", "✗ size: twice too large", "… shape", "ZeroDivisionError"): assert said in r.output
    assert book.read_bytes() == before
    notebook(tmp_path/"02_good.ipynb", FEEDBACK + "right('sum')")
    r = run("check", tmp_path, "02")
    assert r.exit_code == 0 and "01_mine" not in r.output
    assert run("check", tmp_path, "77").exit_code == 2


def test_check_of_nothing(run, tmp_path):
    assert "shipviz lessons" in run("check", "nowhere").output
    assert run("check", tmp_path).exit_code == 1
    (tmp_path/"broken.ipynb").write_text("{")
    r = run("check", tmp_path)
    assert r.exit_code == 1 and "not a notebook" in r.output


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one program there")
def test_ctrl_c_is_said_and_leaves_nothing_half_made(tmp_path):
    p = shell("ships", "d", "-n", 2000, "--size", 128, cwd=tmp_path)
    images = tmp_path/"d"/"train"/"images"
    for _ in range(600):
        if images.exists() and any(images.glob("*.jpg")): break
        time.sleep(.1)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 130, err
    assert "Stopped" in err and "Traceback" not in err
    assert not list((tmp_path/"d").rglob("*.tmp"))
    from PIL import Image
    for f in images.glob("*.jpg"): Image.open(f).load()


@pytest.mark.slow
def test_the_first_command_of_the_readme(tmp_path):
    photo = picture(tmp_path/"mine.png")
    p = shell("demo", photo, "--quick", cwd=tmp_path)
    out, err = p.communicate(timeout=600)
    assert p.returncode == 0, err
    page = next((tmp_path/"shipviz-report").glob("*.html")).read_text(encoding="utf-8")
    assert "shipviz-report" in out and "mine.png" in page and "<img" in page and "Traceback" not in err


@pytest.mark.slow
def test_train_save_and_explain(run, tmp_path):
    assert run("ships", "d", "-n", 40, "--test", 0, "--size", 64).exit_code == 0
    r = run("train", "d", "-o", "m", "--size", 64, "--quick")
    assert r.exit_code == 0, r.output
    assert "Saved m.safetensors" in r.output
    from shipviz import load_model
    assert "Cargo" in load_model(tmp_path/"m").dls.vocab
    r = run("heatmap", "m", next((tmp_path/"d"/"train"/"images").iterdir()), "-o", "maps")
    assert r.exit_code == 0 and len(list((tmp_path/"maps").iterdir())) == 1


@pytest.mark.parametrize("photos, names", [
    (["x/a.png", "y/a.png", "a-2.png"], ["a", "a-3", "a-2"]),
    (["a-2.png", "x/a.png", "y/a.jpg", "z/a.png"], ["a-2", "a", "a-3", "a-4"]),
    (["x/A.png", "y/a.png"], ["A", "a-2"]),
    (["a.png", "a.png", "a.png"], ["a", "a-2", "a-3"])])
def test_each_heatmap_has_a_name_of_its_own(photos, names):
    from shipviz.cli import picture_names
    assert picture_names([Path(p) for p in photos]) == [f"{name}-heatmap.png" for name in names]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names that are no UTF-8")
def test_names_that_are_no_utf8_go_all_the_way(run, tmp_path):
    "A folder with such names of classes and of pictures is trained on, reported on and predicted."
    import numpy as np
    from PIL import Image
    rng = np.random.default_rng(0)
    for label, low in ((b"boat", 0), (b"sh\xffip", 90)):
        folder = os.fsencode(tmp_path/"data") + b"/" + label
        os.makedirs(folder)
        for i in range(12):
            pixels = rng.integers(low, low + 120, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(os.fsdecode(folder + b"/p\xe9%d.png" % i))
    done = [run("train", "data", "-o", "m", "--quick"), run("report", "m", "data", "-o", "r"),
            run("predict", "m", "data", "-o", "p.csv"),
            run("heatmap", "m", *sorted((tmp_path/"data").glob("*/*0.png")), "-o", "h")]
    for r in done: assert r.exit_code == 0, r.output
    assert "p\ufffd0-2-heatmap.png: " in done[-1].output and len(list((tmp_path/"h").iterdir())) == 4
    page = (tmp_path/"r/report.html").read_text(encoding="utf-8")
    assert "sh\ufffdip" in page and "boat" in page
    rows = (tmp_path/"p.csv").read_bytes().splitlines()
    assert len(rows) == 25 and rows[0] == b"image,predicted,boat,sh\xffip"
    assert rows[1].startswith(b"boat/p\xe90.png,")
