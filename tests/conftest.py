"What several test files use."
import pytest
from click.testing import CliRunner

from shipviz import cli


@pytest.fixture
def run(tmp_path, monkeypatch):
    "Run a command of `shipviz` in a folder of its own; it never ends in a traceback."
    monkeypatch.chdir(tmp_path)
    def run(*args):
        result = CliRunner().invoke(cli.main, [str(a) for a in args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result
    return run
