"The worked solutions: each runs from top to bottom, and every checker of its lesson accepts what it gives."
import importlib.util
import json
import re
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")
NBS = Path(__file__).resolve().parents[1]/"nbs"
def module_name(path):
    "The module to which a lesson exports."
    text = path.read_text(encoding="utf-8").replace('"', "\n")
    return re.search(r"^#\| default_exp ([\w.]+)", text, re.M)[1]

LESSONS = {p.stem: module_name(p) for p in sorted(NBS.glob("[0-9]*.ipynb"))}


def code(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


def module(lesson):
    "The module that holds a lesson's checkers."
    name = f"shipviz.checks.{LESSONS[lesson].removeprefix('checks.')}"
    return importlib.import_module(name if importlib.util.find_spec(name) else f"shipviz.{LESSONS[lesson]}")


def checkers(lesson):
    return [n for n in module(lesson).__all__ if n.startswith("check_")]


@pytest.mark.parametrize("lesson", LESSONS)
def test_solutions(lesson, monkeypatch):
    if not checkers(lesson): pytest.skip(f"lesson {lesson} has no exercises")
    answers = {}

    def keeping(name, check):
        def keep(*args, **kwargs):
            answers.setdefault(name, []).append(feedback := check(*args, **kwargs))
            return feedback
        return keep
    for name in checkers(lesson):
        monkeypatch.setattr(module(lesson), name, keeping(name, getattr(module(lesson), name)))
    space = {"__name__": "__main__"}
    for i, cell in enumerate(code(NBS/"solutions"/f"{lesson}.ipynb")):
        exec(compile(cell, f"{lesson}, code cell {i + 1}", "exec"), space)
    for name in checkers(lesson):
        assert any(answers.get(name, [])), f"no solution that {name} accepts: {answers.get(name)}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_exercises_wait_for_an_answer(lesson):
    "An untouched lesson is no error: each checker is called in it, and says that the answer is missing."
    text = "\n".join(code(NBS/f"{lesson}.ipynb"))
    for name in checkers(lesson):
        called = re.search(rf"^{name}\(", text, re.M)
        assert called, f"{lesson} never calls {name} on its own line"
    for name in checkers(lesson): assert getattr(module(lesson), name)(None).kind == "unanswered"
