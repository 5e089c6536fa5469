"The overview tells of each lesson what the lesson tells of itself."
import json
import re
from pathlib import Path

import pytest

NBS = Path(__file__).parents[1]/"nbs"
LESSONS = sorted(NBS.glob("[0-9][0-9]_*.ipynb"))
ROW = re.compile(r"^\| (\d+) \| \[([^\]]+)\]\((\w+\.ipynb)\) \| (\d+) \|", re.M)


def markdown(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]

def rows(): return ROW.findall("\n".join(markdown(NBS/"index.ipynb")))


def test_every_lesson_has_a_row_in_order():
    assert [file for _, _, file, _ in rows()] == [path.name for path in LESSONS]
    assert [int(number) for number, *_ in rows()] == [int(path.name[:2]) for path in LESSONS]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_title_and_minutes_are_those_of_the_lesson(path):
    title, minutes = next((title, minutes) for _, title, file, minutes in rows() if file == path.name)
    first = markdown(path)[0]
    assert first.startswith(f"# {title}\n")
    assert re.search(r"\*\*Time\*\*\D*(\d+) minutes", first)[1] == minutes


@pytest.mark.parametrize("path", [*LESSONS, NBS/"glossary.ipynb", *sorted((NBS/"teachers").glob("*.ipynb"))],
                         ids=lambda p: p.stem)
def test_links_between_notebooks_lead_somewhere(path):
    links = re.findall(r"\]\(((?!https?:)[^)#]+\.ipynb)", "\n".join(markdown(path)))
    assert not [link for link in links if not (path.parent/link).exists()]
