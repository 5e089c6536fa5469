"scripts/nbs.py on a project of two small lessons: what it makes, and what its check forbids is found."
import base64
import importlib.util
import json
import shutil
from pathlib import Path
from zlib import crc32

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("nbdev", reason="needs the development tools")
PNG = base64.b64encode(b"\x89PNG picture").decode()


def code(text, count=None, outputs=(), **kw):
    return md(text) | {"cell_type": "code", "execution_count": count, "outputs": list(outputs)} | kw

def md(text):
    return {"cell_type": "markdown", "id": f"{crc32(text.encode()):08x}", "metadata": {},
            "source": text.splitlines(keepends=True)}

def stream(text): return {"output_type": "stream", "name": "stdout", "text": [text]}


@pytest.fixture
def nbs(tmp_path):
    "The script, loaded from a copy of itself in a project of its own, whose check passes."
    for folder in ("scripts", "shipviz", "nbs/solutions"): (tmp_path/folder).mkdir(parents=True)
    for file in ("settings.ini", "pyproject.toml", "scripts/nbs.py"): shutil.copy(ROOT/file, tmp_path/file)
    (tmp_path/"shipviz"/"__init__.py").write_text((ROOT/"shipviz"/"__init__.py").read_text())
    spec = importlib.util.spec_from_file_location("nbs_under_test", tmp_path/"scripts"/"nbs.py")
    nbs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(nbs)
    figure = {"output_type": "display_data", "data": {"image/png": PNG},
              "metadata": {"image/png": {"alt": "A ship"}}}
    two = {"output_type": "execute_result", "execution_count": 3, "data": {"text/plain": ["2"]},
           "metadata": {}}
    put(nbs, "index", [md("# Title\n\n[First](00_first.ipynb)"), code("#| hide\nsecret = 1", 1),
                       code("#| echo: false\nshow()", 2, [figure]), code("1 + 1", 3, [two])])
    put(nbs, "00_first", [code("#| default_exp first", 1), code("#| export\ndef one(): return 1", 2),
                          code("one()", 3)])
    put(nbs, "01_second", [code("#| default_exp second", 1),
                           code("#| export\nfrom shipviz.first import one", 2), code("%time one()", 3)])
    put(nbs, "solutions/00_first", [code("from shipviz.first import one", 1)])
    nbs.export()
    nbs.readme()
    return nbs

def put(nbs, name, cells):
    for cell in cells:
        if cell["cell_type"] == "code": cell["metadata"] |= nbs.folds(cell)
    nb = {"cells": cells, "metadata": nbs.METADATA, "nbformat": 4, "nbformat_minor": 5}
    (nbs.NBS/f"{name}.ipynb").write_text(nbs.as_text(nb))

def edit(nbs, name, change):
    nb = json.loads((path := nbs.NBS/f"{name}.ipynb").read_text())
    change(nb)
    path.write_text(nbs.as_text(nb))

def complaints(nbs, capsys):
    with pytest.raises(SystemExit) as stopped: nbs.check(nbs.notebooks())
    found = capsys.readouterr().err.strip().splitlines()
    assert stopped.value.code.startswith(f"{len(found)} things")
    return found


def test_a_good_project_passes(nbs, capsys):
    nbs.check(nbs.notebooks())
    assert capsys.readouterr().out.startswith("4 notebooks are clean")
    assert "def one" in (nbs.LIB/"first.py").read_text()


def test_readme(nbs):
    text = (nbs.ROOT/"README.md").read_text()
    assert text == nbs.README_HEAD + (
        "# Title\n\n[First](nbs/00_first.ipynb)\n\n![A ship](.github/images/readme-1.png)\n\n"
        "```python\n1 + 1\n```\n\n```text\n2\n```\n")
    assert (nbs.IMAGES/"readme-1.png").read_bytes() == b"\x89PNG picture"


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": []}
FORM = [
    (lambda nb: nb["cells"][1].update(execution_count=7), "execution count 7"),
    (lambda nb: nb["cells"][1].update(execution_count=None), "not run from top to bottom"),
    (lambda nb: nb["cells"][1].update(id=nb["cells"][0]["id"]), "used twice"),
    (lambda nb: nb["cells"][1].pop("id"), "have no id"),
    (lambda nb: nb["cells"][1]["metadata"].update(collapsed=True), "not clean"),
    (lambda nb: nb["metadata"].pop("language_info"), "not clean"),
    (lambda nb: nb.update(nbformat_minor=4), "instead of 4.5"),
    (lambda nb: nb["cells"][1].update(outputs=[stream("saved /home/me/ship.png")]),
     "path of this machine, '/home/me/ship.png'"),
    (lambda nb: nb["cells"][1].update(outputs=[stream("/usr/lib/python3/site-packages/x.py:1: Warning")]),
     "path of this machine"),
    (lambda nb: nb["cells"][1].update(outputs=[ERROR]), "shows ValueError: bad"),
    (lambda nb: nb["cells"][2].update(source=["x = '" + "y" * 300 + "'"]), "a line of 306"),
    (lambda nb: nb["cells"][2].update(source=["def ("]), "is not Python"),
    (lambda nb: nb["cells"][2].update(source=["from shipviz.second import one"]),
     "shipviz.second, which nbs/01_second.ipynb exports"),
    (lambda nb: nb["cells"][2].update(source=["def f():\n", "    import shipviz.first"]),
     "first, which nbs/00_first.ipynb exports"),
    (lambda nb: nb["cells"][2].update(source=["from shipviz import second"]), "imports shipviz.second"),
    (lambda nb: nb["cells"][2].update(source=["from fastai.vision.all import *\n", "import shipviz"]),
     "before shipviz"),
]

@pytest.mark.parametrize("change,said", FORM)
def test_notebook_out_of_form_is_found(nbs, capsys, change, said):
    edit(nbs, "00_first", change)
    found = [c for c in complaints(nbs, capsys) if said in c]
    assert len(found) == 1 and found[0].startswith("nbs/00_first.ipynb: ")


def test_library_out_of_step_is_found(nbs, capsys):
    put(nbs, "01_second", [code("#| default_exp third", 1), code("#| export\nx = 1", 2)])
    (nbs.LIB/"first.py").write_text((nbs.LIB/"first.py").read_text() + "# edited by hand\n")
    assert [c.partition(";")[0].partition(",")[0] for c in complaints(nbs, capsys)] == [
        "shipviz/second.py: stale", "shipviz/third.py: missing",
        "shipviz/_modidx.py: not what the notebooks export",
        "shipviz/first.py: not what the notebooks export"]
    nbs.export()
    nbs.check(nbs.notebooks())
    assert not (nbs.LIB/"second.py").exists() and (nbs.LIB/"third.py").exists()


def test_two_notebooks_for_one_module(nbs, capsys):
    put(nbs, "01_second", [code("#| default_exp first", 1)])
    said = "00_first.ipynb and 01_second.ipynb all export to shipviz.first"
    assert any(said in c for c in complaints(nbs, capsys))


def test_teachers_pages_are_looked_after_and_export_nothing(nbs, capsys):
    (nbs.NBS/"teachers").mkdir()
    put(nbs, "teachers/exam", [code("from shipviz.second import one", 1)])
    assert nbs.notebooks()[-1] == nbs.NBS/"teachers"/"exam.ipynb"
    nbs.check(nbs.notebooks())
    put(nbs, "teachers/exam", [code("from shipviz.second import one", 2)])
    assert any("teachers/exam.ipynb" in c and "not run from top" in c for c in complaints(nbs, capsys))
    put(nbs, "teachers/exam", [code("#| default_exp exam", 1), code("#| export\nx = 1", 2)])
    assert any("notebooks in teachers/ may not" in c for c in complaints(nbs, capsys))


def test_workshop_notebooks_stand_before_the_lesson_of_their_number(nbs, capsys):
    (nbs.NBS/"library").mkdir()
    def module(name, body):
        "The cells of a notebook that exports `body` to the module `name`."
        return [code(f"#| default_exp {name}", 1), code(f"#| export\n{body}", 2)]
    put(nbs, "library/01a_tools", module("tools", "from shipviz.first import one"))
    put(nbs, "01_second", module("second", "from shipviz.tools import one"))
    put(nbs, "00_first", module("checks.first", "def one(): return 1"))
    put(nbs, "library/01a_tools", module("tools", "from shipviz.checks.first import one"))
    put(nbs, "solutions/00_first", [])
    nbs.export()
    assert (nbs.LIB/"tools.py").exists() and (nbs.LIB/"checks/first.py").exists()
    assert not (nbs.LIB/"first.py").exists()
    nbs.check(nbs.notebooks())
    put(nbs, "00_first", module("checks.first", "from shipviz.tools import one"))
    said = "imports shipviz.tools, which nbs/library/01a_tools.ipynb exports"
    assert any(said in c for c in complaints(nbs, capsys))


def test_checkers_stand_in_a_module_of_their_own(nbs, capsys):
    checker = "from shipviz.second import one\ndef check(x): return x == one()"
    lesson = [code("#| default_exp second", 1), code("from shipviz.checks.second import check", 2),
              code("#| export\nfrom shipviz.first import one", 3),
              code(f"#| export checks.second\n{checker}", 4)]
    put(nbs, "01_second", lesson)
    for _ in range(2): nbs.export()  # the second finds what the first wrote
    assert "removed" not in capsys.readouterr().out
    text = (nbs.LIB/"checks/second.py").read_text()
    assert text.count("def check(") == 1 and "__all__ = ['check']" in text
    assert "from ..second import one" in text
    nbs.check(nbs.notebooks())
    put(nbs, "01_second", lesson[:3] + [code("#| export\ndef check(x): return True", 4)])
    assert any(c.startswith("shipviz/checks/second.py: stale") for c in complaints(nbs, capsys))
    nbs.export()
    assert "removed shipviz/checks/second.py" in capsys.readouterr().out
    assert not (nbs.LIB/"checks/second.py").exists()


def test_lesson_without_module(nbs, capsys):
    put(nbs, "01_second", [md("Nothing")])
    assert any("01_second.ipynb: 0 modules" in c for c in complaints(nbs, capsys))


@pytest.mark.parametrize("change", [
    lambda nbs: (nbs.ROOT/"README.md").write_text("# Other"),
    lambda nbs: (nbs.IMAGES/"readme-1.png").unlink(),
    lambda nbs: (nbs.IMAGES/"readme-2.png").write_bytes(b"stale")])
def test_readme_out_of_step_is_found(nbs, capsys, change):
    change(nbs)
    assert complaints(nbs, capsys) == [
        "README.md or its pictures are not what nbs/index.ipynb gives; run `make readme`"]
    nbs.readme()
    nbs.check(nbs.notebooks())


def test_exported_code_has_a_limit_of_its_own(nbs, capsys):
    nbs.MAX_EXPORTED_LINE = 30
    long = "value = '" + "y" * 40 + "'"
    put(nbs, "00_first", [code("#| default_exp first", 1),
                          code(f"#| export\ndef one(): return 1\n{long}", 2), code(long, 3)])
    nbs.export()
    said = complaints(nbs, capsys)
    told = [c for c in said if "has a line" in c]
    assert told and told == [c for c in said if "> 30 characters" in c]


def test_what_nbdev_adds_to_a_module_has_short_lines(nbs):
    names = [f"a_function_with_a_long_name_{i}" for i in range(12)]
    body = "\n".join(f"def {name}(): pass" for name in names)
    put(nbs, "00_first", [md("# First\n\n> " + "many words "*20), code("#| default_exp first", 1),
                          code(f"#| export\n{body}", 2)])
    nbs.export()
    text = (nbs.LIB/"first.py").read_text()
    assert max(map(len, text.splitlines())) <= 110 and all(f"'{name}'" in text for name in names)
    assert " ".join(text.split('"""')[1].split()) == ("many words "*20).strip()
    compile(text, "first.py", "exec")


def test_badges_follow_the_home_of_the_project(nbs, capsys):
    def at(home):
        text = (ROOT/"settings.ini").read_text()
        (nbs.ROOT/"settings.ini").write_text(text.replace("\nhome =\n", f"\nhome = {home}\n"))
        nbs.export()  # the index has the address, too
    lesson = [md("# First\n\n[Second](01_second.ipynb)"), code("#| default_exp first", 1),
              code("#| export\ndef one(): return 1", 2)]
    put(nbs, "00_first", lesson)
    nbs.export()
    before = (nbs.NBS/"00_first.ipynb").read_text()
    nbs.check(nbs.notebooks())
    at("https://github.com/someone/ships")
    assert any("00_first.ipynb: its badge" in c for c in complaints(nbs, capsys))
    nbs.badges(nbs.notebooks())
    text = json.loads((nbs.NBS/"00_first.ipynb").read_text())["cells"][0]["source"]
    assert "github/someone/ships/blob/main/nbs/00_first.ipynb" in text[2]
    assert text[4:] == ["[Second](01_second.ipynb)"]
    nbs.check(nbs.notebooks())
    at("")
    nbs.badges(nbs.notebooks())
    assert (nbs.NBS/"00_first.ipynb").read_text() == before


def test_marks_in_the_readme(nbs, capsys):
    "What Jupyter does not show: badges, a picture and a table; the badges are what settings and setup say."
    mark = "<!-- badges -->\n\n<!-- picture: film.webp: A ship,\nmoving -->\n\n<!-- table: table.md -->"
    edit(nbs, "index", lambda nb: nb["cells"][0].update(source=["# Title\n", "\n", *nbs.lines(mark)]))
    shutil.copy(ROOT/"setup.py", nbs.ROOT/"setup.py")
    (nbs.ROOT/"table.md").write_text("| a |\n|:--|\n| 1 |\n")
    nbs.readme()
    text = (nbs.ROOT/"README.md").read_text()
    assert "![A ship, moving](.github/images/film.webp)" in text and "| 1 |" in text and "<!-- b" not in text
    assert "[![code: Apache-2.0](.github/images/readme-code.svg)](LICENSE)" in text
    assert "3.10 to 3.14" in (nbs.IMAGES/"readme-python.svg").read_text() and "actions/workflows" not in text
    assert (nbs.IMAGES/"readme-1.png").exists()
    settings = nbs.ROOT/"settings.ini"
    settings.write_text(settings.read_text().replace("home =", "home = https://github.com/someone/ships", 1))
    assert "https://github.com/someone/ships/actions/workflows/test.yml/badge.svg" in nbs.readme_parts()[0]
    (nbs.IMAGES/"readme-code.svg").write_text("<svg/>")
    assert "make readme" in " ".join(complaints(nbs, capsys))


def test_too_large_and_unreadable(nbs, capsys):
    (nbs.NBS/"film.bin").write_bytes(bytes(nbs.MAX_BYTES))
    (nbs.NBS/"00_first.ipynb").write_text("<<<<<<< HEAD")
    assert ["merge conflict" in c or "12.0 MB" in c for c in complaints(nbs, capsys)] == [True, True]


def test_clean_keeps_counts_and_outputs(nbs, capsys):
    def soil(nb): nb["cells"][2].update(metadata={"collapsed": True}, outputs=[stream("<A at 0x7f00aa>")])
    edit(nbs, "00_first", soil)
    nbs.clean(nbs.notebooks())
    cell = json.loads((nbs.NBS/"00_first.ipynb").read_text())["cells"][2]
    assert (cell["execution_count"], cell["metadata"], cell["outputs"][0]["text"]) == (3, {}, ["<A>"])
    assert capsys.readouterr().out.strip() == "cleaned nbs/00_first.ipynb"


def test_what_is_folded(nbs):
    def folded(text, **jupyter):
        return nbs.folds(code(text) | {"metadata": {"jupyter": jupyter} if jupyter else {}})

    code_hidden = {"jupyter": {"source_hidden": True}}
    for text in ("#| hide\n1", "#| default_exp a", "#| export checks.a\n1"):
        assert folded(text) == code_hidden
    assert folded("1") == folded("#| export\n1") == {}
    assert folded("1", source_hidden=True) == code_hidden and folded("1", source_hidden=False) == {}
    assert folded("1", outputs_hidden=True, other=3) == {"jupyter": {"outputs_hidden": True}}


def test_a_widget_leaves_its_still_picture(nbs):
    widget = {nbs.WIDGET: {"model_id": "a"}, "text/plain": ["Slider()"]}
    def left(**more):
        output = {"output_type": "display_data", "metadata": {}, "data": {**widget, **more}}
        cell, = nbs.cleaned({"cells": [code("1", 1, [output])], "metadata": {}})["cells"]
        return [o["data"] for o in cell["outputs"]]
    assert left() == []
    assert left(**{"image/png": PNG}) == [{"text/plain": ["Slider()"], "image/png": PNG}]


def test_run(nbs, capsys):
    put(nbs, "00_first", [code("#| default_exp first"), code("#| export\ndef one(): return 1", 9),
                          code("#| eval: false\n1/0", 5), code("one()"), code("print('a'); print('b')")])
    nbs.run([nbs.NBS/"00_first.ipynb"])
    cells = json.loads((nbs.NBS/"00_first.ipynb").read_text())["cells"]
    assert [c["execution_count"] for c in cells] == [1, 2, None, 3, 4]
    assert cells[3]["outputs"][0]["data"]["text/plain"] == ["1"]
    assert cells[4]["outputs"] == [stream("a\n") | {"text": ["a\n", "b\n"]}]
    nbs.check(nbs.notebooks())
    before = (nbs.NBS/"00_first.ipynb").read_bytes()
    nbs.run([nbs.NBS/"00_first.ipynb"])
    assert (nbs.NBS/"00_first.ipynb").read_bytes() == before
    put(nbs, "00_first", [code("1/0")])
    before = (nbs.NBS/"00_first.ipynb").read_bytes()
    with pytest.raises(SystemExit, match="not executed: nbs/00_first.ipynb"):
        nbs.run([nbs.NBS/"00_first.ipynb"])
    assert (nbs.NBS/"00_first.ipynb").read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().err
