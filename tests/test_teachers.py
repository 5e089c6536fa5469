"The teachers' pages: the exam can be marked, gives nothing away, and the numbers that are quoted agree."
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
TEACHERS = ROOT/"nbs"/"teachers"


def text(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells)

@pytest.fixture(scope="module")
def marker():
    spec = importlib.util.spec_from_file_location("mark_exam", TEACHERS/"mark_exam.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_exam_of_sixty_points(marker):
    asked = {f"q{n}" for n in range(1, 13)}
    assert set(marker.POINTS) == asked and sum(marker.POINTS.values()) == 60
    exam = text(TEACHERS/"exam.ipynb")
    for question, points in marker.POINTS.items():
        assert f"## Question {question[1:]} · {points} points" in exam


def test_the_exam_holds_no_answers():
    exam = text(TEACHERS/"exam.ipynb")
    assert "mark_exam" not in exam and "answers" not in exam.lower() and exam.count("= None") == 7


def test_an_untouched_exam_gets_nothing_and_an_answer_its_points(marker, tmp_path, capsys):
    shutil.copy(TEACHERS/"exam.ipynb", tmp_path/"empty.ipynb")
    nb = json.loads((tmp_path/"empty.ipynb").read_text(encoding="utf-8"))
    cell = next(c for c in nb["cells"] if "".join(c["source"]).startswith("q1 = None"))
    cell["source"] = ["q1 = 1\n", "1/0\n"]      # one right number, and a cell that fails
    (tmp_path/"one.ipynb").write_text(json.dumps(nb), encoding="utf-8")
    (tmp_path/"broken.ipynb").write_text("{", encoding="utf-8")
    marker.main([tmp_path/name for name in ("broken.ipynb", "empty.ipynb", "one.ipynb")])
    broken, empty, one = capsys.readouterr().out.splitlines()
    assert "by hand" in broken and ": 0 of 55" in empty and ": 4 of 55" in one


def test_answers_in_numpy_get_the_same_points(marker):
    def conv(x, kernel, stride):
        k, (h, w) = len(kernel), x.shape
        return np.array([[np.sum(x[i:i+k, j:j+k]*kernel) for j in range(0, w - k + 1, stride)]
                         for i in range(0, h - k + 1, stride)])

    def step(w, b, x, y, rate):
        error = w*x + b - y
        return w - rate*2*np.mean(error*x), b - rate*2*np.mean(error)

    points = marker.mark(dict(conv=conv, step=step))
    assert (points["q4"], points["q7"]) == (marker.POINTS["q4"], marker.POINTS["q7"])
    flipped = marker.mark(dict(conv=lambda x, kernel, stride: conv(x, kernel[::-1, ::-1], stride)))
    assert flipped["q4"] == 0


@pytest.mark.parametrize("number", ["0.82 [0.80, 0.83]", "7.6 minutes"])
def test_what_lesson_19_quotes_is_what_contributing_says(number):
    squeezed = " ".join(text(ROOT/"nbs"/"19_photos.ipynb").split())
    contributing = " ".join((ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8").split())
    assert number in squeezed and number in contributing


def test_the_licences_are_said():
    assert "Attribution 4.0 International" in (ROOT/"LICENSE-text").read_text(encoding="utf-8")
    for path in (ROOT/"README.md", ROOT/"CITATION.cff", ROOT/"setup.py"):
        said = path.read_text(encoding="utf-8")
        assert "Apache-2.0" in said and ("CC-BY-4.0" in said or "CC BY 4.0" in said), path
    assert "CC BY 4.0" in text(TEACHERS/"guide.ipynb")
