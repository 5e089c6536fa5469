"What shipviz says to bad input: the rows of hostile.py, by functions and by commands."
import hostile
import pytest

from shipviz import archs

SAYS = hostile.expected()


@pytest.mark.parametrize("name, make, do, says", hostile.LIST, ids=[row[0] for row in hostile.LIST])
def test_bad_input_is_answered_in_words(tmp_path, monkeypatch, name, make, do, says):
    monkeypatch.chdir(tmp_path)
    for variable in ("SHIPVIZ_MAX_MEGAPIXELS", "SHIPVIZ_DEBUG"):
        monkeypatch.setenv(variable, "")  # a row may set it
    monkeypatch.setattr(archs, "_timm_names", list)  # the same guesses, whether timm is here or not
    said = hostile.answer(make, do, tmp_path)
    assert said == (SAYS[name] if says is ... else says)


def test_every_row_has_a_name_of_its_own_and_every_answer_a_row():
    names = [row[0] for row in hostile.LIST]
    assert len(names) == len(set(names)) >= 150
    assert set(SAYS) == {name for name, _, _, says in hostile.LIST if says is ...}
