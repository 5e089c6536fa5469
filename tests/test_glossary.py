"The glossary: in order, each term once, and each in the lesson that its link names."
import json
import re
from pathlib import Path

import pytest

NBS = Path(__file__).parents[1]/"nbs"


def text(path):
    "What a learner reads in a notebook, on one line: its markdown, without what is for teachers."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    read = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.sub(r"\s+", " ", read.partition("\n## For teachers")[0]).lower()

def rows():
    "Term, first lesson as shown, and the notebook it links to."
    cells = json.loads((NBS/"glossary.ipynb").read_text(encoding="utf-8"))["cells"]
    row = r"\| ([^|]+) \|[^\n]*\| \[(\d\d)\]\((\w+\.ipynb)\) \|"
    return re.findall(row, "".join(cells[-1]["source"]))


# words by which a lesson may name a term
ALSO = {
    "deletion / insertion": "deletion", "kernel bank": "bank", "logits": "logit",
    "energy in the mask": "energy",
    "depthwise convolution": "depthwise", "residual connection": "residual",
    "folding": "fold",
    "randomisation check": "random", "bootstrap interval": "bootstrap", "paired difference": "paired",
    "discriminative learning rates": "learning rate", "effective receptive field": "effective",
    "probability": "probabilit", "validation set": "validation", "exact interval": "exact",
    "CAM": "class activation map"}

def test_terms_are_in_order_and_once():
    terms = [term.lower() for term, _, _ in rows()]
    assert len(terms) > 60 and terms == sorted(set(terms))


@pytest.mark.parametrize("term,number,file", rows(), ids=lambda value: str(value))
def test_the_lesson_has_the_term(term, number, file):
    path = NBS/file
    assert path.exists() and file.startswith(number)
    assert ALSO.get(term, term).lower() in text(path)
