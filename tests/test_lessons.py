"The form that every lesson keeps: short, hands early, predictions, marked exercises, links on and back."
import html
import json
import re
from pathlib import Path

import pytest

NBS = Path(__file__).parents[1]/"nbs"
LESSONS = sorted(NBS.glob("[0-9][0-9]_*.ipynb"))
FEEDBACK = "application/vnd.shipviz.check+json"
PREDICT = "**Predict, then run.**"
MOST_CELLS, MOST_MINUTES = 60, 60


def cells(path): return json.loads(path.read_text(encoding="utf-8"))["cells"]
def text(cell): return "".join(cell["source"])
def folded(cell): return cell["metadata"].get("jupyter", {}).get("source_hidden", False)
def visible(path): return [c for c in cells(path) if not folded(c)]

def is_input(cell):
    "Does this cell want something of the learner: an answer that a checker looks at, or a prediction?"
    if cell["cell_type"] == "markdown": return text(cell).startswith(PREDICT)
    return any(FEEDBACK in output.get("data", {}) for output in cell["outputs"])

def neighbours(path):
    i = LESSONS.index(path)
    return [p.name for p in (LESSONS[i-1:i] if i else []) + LESSONS[i+1:i+2]]


def test_there_are_lessons_and_their_numbers_have_no_gap():
    assert [int(p.name[:2]) for p in LESSONS] == list(range(1, len(LESSONS) + 1)) and len(LESSONS) > 15


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
class TestLesson:
    def test_is_no_longer_than_an_hour(self, path):
        assert len(visible(path)) <= MOST_CELLS
        minutes = re.search(r"\*\*Time\*\*\D*(\d+) minutes", text(cells(path)[0]))
        assert minutes and int(minutes[1]) <= MOST_MINUTES

    def test_begins_with_what_it_is_for_and_leads_on(self, path):
        first = text(cells(path)[0])
        assert first.startswith("# ") and "**You will be able to**" in first and "**You need**" in first
        prose = [text(c) for c in cells(path) if c["cell_type"] == "markdown"]
        last = [t for t in prose if "glossary.ipynb" in t][-1]
        for name in neighbours(path): assert f"({name})" in first and f"({name})" in last

    def test_hands_come_within_ten_cells(self, path):
        assert any(map(is_input, visible(path)[:10]))

    def test_asks_for_predictions_and_hides_their_results(self, path):
        found = cells(path)
        asked = [i for i, c in enumerate(found)
                 if c["cell_type"] == "markdown" and text(c).startswith(PREDICT)]
        assert 3 <= len(asked) <= 5
        for i in asked:
            assert found[i+1]["metadata"].get("jupyter", {}).get("outputs_hidden"), text(found[i])

    def test_marks_its_exercises(self, path):
        joined = "\n".join(map(text, cells(path)))
        titles = re.findall(r"^\*\*(Exercise \d+|Open exercise)\*\*(.*)", joined, re.M)
        marked = [re.match(r" [●○]{3} · (essential|optional)", mark) for _, mark in titles]
        assert len(titles) >= 3 and all(marked), titles
        assert "Open exercise" in [title for title, _ in titles]

    def test_folds_what_no_learner_reads(self, path):
        for cell in cells(path):
            if cell["cell_type"] == "code" and re.match(r"#\| (hide|default_exp|export checks)", text(cell)):
                assert folded(cell), text(cell)

    def test_has_a_summary_and_a_quiz(self, path):
        joined = "\n".join(map(text, cells(path)))
        assert "\n## Summary" in joined and "\n## Quiz" in joined and joined.count("<details>") >= 4


def test_explorers_in_lessons_are_those_of_today():
    "The pages that lessons keep as outputs are made of the script and styles that there are."
    page = NBS.parent/"shipviz"/"page"
    outputs = [(path.name, "".join(o["data"].get("text/html", ""))) for path in LESSONS for c in cells(path)
               for o in c.get("outputs", []) if "data" in o]
    kept = [(name, html.unescape(shown)) for name, shown in outputs if "<iframe" in shown]
    assert {name[:2] for name, _ in kept} == {"03", "05"}
    for name, shown in kept:
        for part in ("kernel.js", "kernel.css"):
            assert (page/part).read_text(encoding="utf-8").strip() in shown, f"make nbs NB=nbs/{name}"
