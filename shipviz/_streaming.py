"How `shipviz heatmap` and `shipviz predict` go through folders, lists and buckets of any size."
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

# those of shipviz.sources, which is too heavy to import for --help
LISTS = ".csv", ".tsv", ".txt", ".parquet"


def many(
    f:Callable, # a command
)->Callable: # `f`
    "Its options for data sets."
    options = [
        click.option("--top", "k", default=5, show_default=True, type=click.IntRange(1),
                     help="Of a data set: how many classes with their probabilities."),
        click.option("--workers", type=click.IntRange(1),
                     help="Processes, or workers of the cluster. Default: of a data set one a processor."),
        click.option("--engine", type=click.Choice(["processes", "ray"]), default="processes",
                     show_default=True, help="Of a data set: this machine's processes, or a Ray cluster."),
        click.option("--address", "ray_address",
                     help="Of a running Ray cluster. Default: $RAY_ADDRESS, or one on this machine."),
    ]
    for option in reversed(options): f = option(f)
    return f


def source_of(
    data:Sequence[Path], # as given
)->str|None: # None: photos, or several folders
    "One folder, one list of paths or one address such as s3://bucket/folder."
    if len(data) != 1: return None
    # `Path` makes one slash of two
    text = re.sub(r"^([a-z][a-z0-9+.-]+):/+", r"\1://", str(data[0]))
    if "://" in text: return text
    path = data[0].expanduser()
    try: return str(path) if path.is_dir() or path.suffix.lower() in LISTS and path.is_file() else None
    except OSError: return None  # such as a name that is too long: what reads photos says so


def picture_names(
    photos:Sequence[Path],
)->list[str]: # one for each
    "A name for the heatmap of each photo, none twice: a second one gets a number that makes no other's name."
    stems = [p.stem for p in photos]
    asked = {stem.casefold() for stem in stems}
    taken:set[str] = set()
    names:list[str] = []
    for stem in stems:
        name, number = stem, 1
        while name.casefold() in taken:  # some disks take A.png and a.png for one
            number += 1
            name = f"{stem}-{number}"
            if name.casefold() in asked: name = stem
        taken.add(name.casefold())
        names.append(f"{name}-heatmap.png")
    return names


def write_data_set(
    models:Sequence[str], # as for `find_model`; several for predictions alone
    source:str, # as from `source_of`
    out:Path, # folder
    **options:Any, # of `save_maps`
)->None:
    "Write a data set and the pages to look through it, or go on with one; say what is there."
    from shipviz.gallery import contact_sheet, write_pages
    from shipviz.saved_maps import save_maps
    maps = save_maps(list(models), source, out, **options)
    said = f"{len(maps):,} pictures are in {out}"
    if without := maps.counts()[None]: said += f", {without:,} of them without an answer: `problem` says why"
    click.echo(f"{said}. In Python: shipviz.load_maps({str(out)!r})")
    if options.get("method") is None: return
    contact_sheet(maps).save(out/"contact-sheet.jpg", quality=88)
    click.echo(f"Look through them: {write_pages(maps)}; some on one sheet: {out/'contact-sheet.jpg'}")


def write_table(
    models:Sequence[str], # as for `find_model`; of several the probabilities are averaged
    data:str|Sequence[Path], # as from `source_of`, or photos
    out:Path, # csv file
    **options:Any, # of `write_predictions`
)->None:
    "Write a submission, or a table of probabilities; say what is there."
    from shipviz.models import find_model
    from shipviz.predictions import write_predictions
    path, n, kind = write_predictions([find_model(m) for m in models], data, out, **options)
    what = "the submission for" if kind == "submission" else "a table of"
    click.echo(f"Wrote {path}: {what} {n} pictures.")
