"The lessons as files: where they are, copies that JupyterLab trusts, which exercises of a copy pass."
import contextlib
import functools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ._errors import reason


def lessons_dir()->Path:
    """The folder of the notebooks: beside the package in a clone, inside it in an installed wheel. Raises
    FileNotFoundError if there is none."""
    here = Path(__file__).resolve().parent
    for d in (here.parent/"nbs", here/"lessons"):
        if (d/"21_ships.ipynb").exists() or (d/"index.ipynb").exists(): return d
    raise FileNotFoundError("The lessons are missing from this installation. Install shipviz again: "
                            "pip install --force-reinstall shipviz")


ASIDE = {"library", "teachers"}  # folders that are no lessons: for authors, and for teachers


def copy_new(
    source:Path, # a folder
    to:Path, # the folder to copy to; made if needed
    force:bool, # write over files that are there and differ?
    teacher:bool=False, # the teachers' pages as well?
)->tuple[list[Path], list[Path]]: # names of the files copied, and of those kept
    """Copy the lessons in a folder. Raises ValueError if a folder is in the way of a file.

    A notebook is changed if its cells are: one that was only run, or opened with another Python, is not."""
    from shipviz.core import atomic_write
    copied, kept = [], []
    for p in sorted(source.rglob("*")):
        name = p.relative_to(source)
        hidden = any(part.startswith((".", "_")) for part in name.parts)
        if p.is_dir() or hidden or p.suffix == ".tmp": continue
        if name.parts[0] in ASIDE and not (teacher and name.parts[0] == "teachers"): continue
        dst = to/name
        if dst.is_dir():
            raise ValueError(f"{dst} is a folder, but a lesson's file has that name. Choose another folder.")
        data = fitted(p)
        if dst.exists():
            there = dst.read_bytes()
            if there == data or not force and same_cells(there, data): continue
            if not force:
                kept.append(name)
                continue
        dst.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(dst) as tmp: tmp.write_bytes(data)
        copied.append(name)
    sign([to/name for name in copied if name.suffix == ".ipynb"])
    return copied, kept


def cells_of(data:bytes)->list[tuple[str, str]]|None:
    "Type and source of every cell of a notebook; None if these bytes are no notebook."
    try: return [(c["cell_type"], "".join(c["source"])) for c in json.loads(data)["cells"]]
    except (ValueError, KeyError, TypeError): return None

def same_cells(one:bytes, other:bytes)->bool:
    "Do two notebooks differ in nothing but outputs and metadata?"
    cells = cells_of(one)
    return cells is not None and cells == cells_of(other)


def fitted(path:Path)->bytes:
    """A lesson's bytes; a notebook with the metadata of the Python that runs here.

    JupyterLab writes the kernel's metadata into each notebook it opens. Where it is there already, a
    notebook that was only opened does not count as changed."""
    data = path.read_bytes()
    if path.suffix != ".ipynb" or cells_of(data) is None: return data
    nb = json.loads(data)
    nb.setdefault("metadata", {}).update(this_python())
    return (json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

@functools.cache
def this_python()->dict[str, Any]:
    "What JupyterLab writes into a notebook that it opens with this Python."
    display = "Python 3 (ipykernel)"
    with contextlib.suppress(Exception):
        from jupyter_client.kernelspec import KernelSpecManager
        display = KernelSpecManager().get_kernel_spec("python3").display_name
    kernel = {"display_name": display, "language": "python", "name": "python3"}
    language = {"codemirror_mode": {"name": "ipython", "version": 3}, "file_extension": ".py",
                "mimetype": "text/x-python", "name": "python", "nbconvert_exporter": "python",
                "pygments_lexer": "ipython3", "version": sys.version.split()[0]}
    return {"kernelspec": kernel, "language_info": language}

def sign(paths:Sequence[Path])->int:
    """Have JupyterLab trust these notebooks, so that it shows their outputs whole; how many it will.

    Without a signature they open all the same, so whatever stops this is no error."""
    import logging
    signed = 0
    with contextlib.suppress(Exception):
        import nbformat
        from nbformat.sign import NotebookNotary
        quiet = logging.getLogger("shipviz.sign")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        notary = NotebookNotary(log=quiet)
        for path in paths:
            notary.sign(nbformat.read(path, as_version=4))
            signed += 1
        notary.store.close()
    return signed


def find_notebooks(
    folder:Path, # or one notebook
    only:Sequence[str]=(), # parts of the names of those wanted; none: all
)->list[Path]: # in reading order
    "Notebooks of a folder. Raises ClickException if it holds none, UsageError for a part of no name."
    if folder.is_file() and folder.suffix == ".ipynb": return [folder]
    if not folder.is_dir():
        raise click.ClickException(f"There is no folder {folder}. `shipviz lessons {folder}` makes one.")
    books = sorted(p for p in folder.iterdir() if p.suffix == ".ipynb")  # `glob` says nothing of a closed folder
    if not books:
        raise click.ClickException(f"{folder} holds no notebooks. `shipviz lessons {folder}` copies them "
                                   "there.")
    if not only: return books
    none = [o for o in only if not any(o in p.stem for p in books)]
    if none: raise click.UsageError(f"No lesson is called {', '.join(none)}.")
    return [p for p in books if any(o in p.stem for o in only)]


def run_exercises(
    path:Path, # a notebook
)->tuple[dict[str, dict], str|None]: # `{exercise: its Feedback as a dict}`, and what went wrong or None
    "Run a notebook without changing it."
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from tqdm import tqdm

    from shipviz.exercises import MIME
    try: nb = nbformat.read(path, 4)
    except Exception as e: return {}, f"this is not a notebook that can be read ({reason(e)})"
    paths = str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    for cell in nb.cells: cell.outputs = [] if cell.cell_type == "code" else None
    cells = sum(c.cell_type == "code" for c in nb.cells)
    bar = tqdm(total=cells, desc=path.stem, unit="cell", delay=1, leave=False)
    quiet = ["--log-level=ERROR"]  # no words about encryption between two programs of one computer
    client = NotebookClient(nb, timeout=600, kernel_name="python3", allow_errors=True, extra_arguments=quiet,
                            resources={"metadata": {"path": str(path.parent)}},
                            on_cell_complete=lambda cell, cell_index: bar.update(cell.cell_type == "code"))
    error = None
    try: client.execute(env=env)
    except CellTimeoutError: error = "stopped: a cell ran for more than ten minutes"
    except DeadKernelError: error = "stopped: Python died while it ran (out of memory?)"
    finally: bar.close()
    results = {}
    for cell in nb.cells:
        for o in cell.get("outputs") or []:
            feedback = o.get("data", {}).get(MIME)
            if feedback: results[feedback["name"]] = feedback
            if o.output_type == "error" and error is None:
                error = f"a cell stopped with {o.ename}: {o.evalue}".split("\n")[0][:200]
    return results, error
