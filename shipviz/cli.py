"""The command line: `shipviz demo`, `train`, `predict`, `report` and the rest that `shipviz --help` lists.

Everything heavy is imported inside the commands, so that `shipviz --help` answers at once. Exit codes:
0 it worked, 1 it did not, 2 the command was not understood, 130 stopped with Ctrl-C."""
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from . import __version__
from ._errors import People
from ._streaming import many, picture_names, source_of, write_data_set, write_table
from .notebooks import copy_new, find_notebooks, lessons_dir, run_exercises


@click.group(cls=People, context_settings=dict(help_option_names=["-h", "--help"], max_content_width=100))
@click.version_option(__version__, prog_name="shipviz")
def main()->None:
    """Ships, kernels and heatmaps: train a network on five classes of ships and see where it looks.

    Everything works offline on a CPU. What is rendered and trained is kept in $SHIPVIZ_HOME, or in the
    system's place for caches (~/.cache/shipviz on Linux). Pictures of more than 100
    megapixels are refused, or of more than $SHIPVIZ_MAX_MEGAPIXELS. With SHIPVIZ_DEBUG=1 an error shows its
    trace."""


def output(
    default:str|None, # None: it must be given
    what:str, # what it is, for --help
)->Callable: # a decorator
    "The option -o of a command."
    return click.option("-o", "--output", "out", type=click.Path(path_type=Path), default=default,
                        show_default=default is not None, required=default is None, help=what)

force = click.option("--force", is_flag=True, help="Write over what is there.")
quick = click.option("--quick", is_flag=True, help="A small run in under a minute, with poorer numbers.")
seed = click.option("--seed", default=42, show_default=True,
                    help="The same seed gives the same result on the same machine.")
photos = click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
folder = click.argument("folder", type=click.Path(path_type=Path))


def check_photos(
    paths:Sequence[Path],
)->None:
    "Open every photo before the work begins. Raises ClickException, naming all that can't be read."
    from shipviz.broken import PictureError
    from shipviz.core import open_picture
    bad = []
    for p in paths:
        try: open_picture(p)
        except FileNotFoundError: bad.append(f"  {p}: no such file")
        except PictureError as e: bad.append(f"  {p}: {e.fault}")
    if bad: raise click.ClickException("\n".join([f"{len(bad)} of {len(paths)} photos can't be read:", *bad]))

WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}

def refuse_odd(
    path:Path, # of an output
)->None:
    """Raises UsageError for an output that is no place of its own: a folder that holds everything, or a name
    that is a device on Windows."""
    here, full = Path.cwd(), Path(os.path.abspath(path.expanduser()))
    if full == Path.home() or full in (here, *here.parents) or not full.name:
        what = "the folder you are in" if full == here else "a folder that holds much else"
        raise click.UsageError(f"{path} is {what}. Give the output a name of its own with -o.")
    refuse_device(path)

def refuse_device(
    path:Path, # of an output
)->None:
    "Raises UsageError for a name that is a device on Windows."
    if path.name.partition(".")[0].strip().lower() in WINDOWS_DEVICES:
        raise click.UsageError(f"{path.name} is the name of a device on Windows. Give another name.")


def free(
    path:Path, # of an output
    force:bool, # may it be there already?
    files:Sequence[Path]=(), # what is written, if that is not `path` itself
    folder:bool=False, # is it a folder?
)->Path: # `path`, with the home folder written out
    """Refuse an output before the work begins: raises ClickException if it is there already or can't be made,
    UsageError if it is no place of its own."""
    refuse_odd(path)
    path = path.expanduser()
    for p in files or [path]:
        if not p.exists() or (p.is_dir() if folder and p == path else p.is_file()): continue
        found = "a folder" if p.is_dir() else "a file" if p.is_file() else "a pipe or a device"
        wanted = "folder" if folder else "file"
        raise click.ClickException(f"{p} is {found}. Give the name of a {wanted} with -o.")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not parent.is_dir():
        raise click.ClickException(f"{parent} is a file, so {path} can't be made. Choose another place with "
                                   "-o.")
    if not os.access(path if path.is_dir() else parent, os.W_OK):
        raise click.ClickException(f"{path}: no permission to write here. Choose another place with -o.")
    there = [p for p in files or [path] if (any(p.iterdir()) if p.is_dir() else p.exists())]
    if there and not force:
        raise click.ClickException(f"{there[0]} exists. Give another name with -o, or write over it with "
                                   "--force.")
    return path


def model_name(
    path:Path, # as given
)->Path: # without ending
    "The output of `train`. Raises UsageError for a name that means something else to the other commands."
    path = path.with_suffix("") if path.suffix in (".safetensors", ".json") else path
    if str(path) in RESERVED:
        raise click.UsageError(f"{path} is the name of a network that comes with shipviz. "
                               f"Give another name with -o, such as -o my-{path}.")
    if "," in path.name:
        raise click.UsageError(f"{path.name} has a comma, which `shipviz predict` takes for two models. "
                               "Give another name with -o.")
    return path


@main.command()
@photos
@output("shipviz-report", "Folder for the report.")
@force
@quick
@seed
def demo(photos:tuple[Path, ...], out:Path, force:bool, quick:bool, seed:int)->None:
    """Render ships, train a network on them, and write a report with scored heatmaps.

    PHOTOS, if given, are explained in it too: by the network that knows the thousand classes of ImageNet,
    and by the one that was trained on real photos of these five (`real-ships`)."""
    out = free(out, force, folder=True)
    check_photos(photos)
    from shipviz.report import demo as make
    result = make(out, photos=photos, quick=quick, seed=seed, force=force)
    click.echo(f"\n{result}")


class Size(click.ParamType):
    "A number of pixels, or HEIGHTxWIDTH."
    name = "pixels"

    def convert(self,
        value:Any, # as typed
        param:click.Parameter|None, # the option, for the message
        ctx:click.Context|None, # the command, for the message
    )->tuple[int, int]: # height, width
        "Read a size. Ends with the usual message if it is none."
        try: sides = [int(v) for v in str(value).lower().replace("×", "x").split("x")]
        except ValueError: sides = []
        if len(sides) not in (1, 2) or not all(32 <= v <= 1024 for v in sides):
            self.fail(f"{value!r} is no size. Give a number of pixels from 32 to 1024, or HEIGHTxWIDTH, "
                      "such as 192x288.", param, ctx)
        return sides[0], sides[-1]


RESERVED = ("real-ships", "ships", "imagenet")  # shipviz.models.MODELS is too heavy to import for --help
MODEL_HELP = """MODEL is what `shipviz train` saved, or one of three names: `real-ships` (trained on real
    photos of the five classes), `ships` (the network of the lessons, trained on rendered ships on the first
    call), `imagenet` (a thousand classes)."""


def model_command(
    f:Callable, # a command that takes a MODEL
)->Callable: # `f`
    "Put into its help what a MODEL is."
    f.__doc__ = (f.__doc__ or "").replace("MODEL_HELP", MODEL_HELP)
    return f


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@output("model", "Model to write, as OUTPUT.safetensors.")
@click.option("--arch", default="efficientnet_lite0", show_default=True,
              help="A torchvision or timm model, made of convolutions: the head is cut off and replaced. "
                   "All but the default download weights.")
@click.option("--size", type=Size(),
              help="Pixels to which pictures are squeezed: N or HEIGHTxWIDTH. Default: in their own shape.")
@click.option("--epochs", default=8, show_default=True, type=click.IntRange(1),
              help="Passes over the data; from the third on over its harder half.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True),
              help="Instead: as many epochs as fit into so many minutes.")
@click.option("--valid", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="Share of the pictures to hold out. Default: a fifth; of more than 1,000, a twentieth.")
@click.option("--skip-broken", is_flag=True, help="Leave out pictures that can't be read, and list them.")
@click.option("--fresh", is_flag=True, help="Begin anew, even if the same command was stopped half-way.")
@force
@quick
@seed
def train(data:Path, out:Path, arch:str, size:tuple[int, int]|None, epochs:int, minutes:float|None,
          valid:float|None, skip_broken:bool, fresh:bool, force:bool, quick:bool, seed:int)->None:
    """Train a network on the pictures in DATA.

    DATA is the hackathon's folder as unpacked (train/train.csv, train/images), or a folder for each class.
    A run that was killed goes on where it was when the same command is given again, and ends with the same
    numbers."""
    out = model_name(out)
    refuse_odd(out)
    files = [out.with_name(out.name + s) for s in (".safetensors", ".json")]
    free(out, force, files)
    from shipviz.models import train_on
    if quick:
        size = size or (128, 192)
        epochs = 1
    learn = train_on(data, arch=arch, size=size, epochs=epochs, minutes=minutes, valid_pct=valid, seed=seed,
                     verify="skip" if skip_broken else True, out=out, force=force, fresh=fresh)
    from shipviz.scores import f1_interval
    f1 = f1_interval(learn.held_out_actual, learn.held_out_said)
    taken = learn.about["processor_seconds"]/60
    click.echo(f"Trained on {learn.about['trained_on']} pictures in {taken:.1f} minutes of processor time. "
               f"Weighted F1 on the {f1.n} held out: {f1.value:.3f}, 95 % interval {f1.low:.3f} to "
               f"{f1.high:.3f}.")
    saved = " and ".join(str(f) for f in files if f.expanduser().exists())
    click.echo(f"Saved {saved}. See where it looks: shipviz heatmap {out} PHOTO…")


@main.command()
@click.argument("model")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@output("submission.csv", "File to write.")
@click.option("--no-mirror", is_flag=True,
              help="Don't average with the mirror images: twice as fast, a little worse.")
@click.option("--table", is_flag=True,
              help="A table of probabilities, even if DATA is the hackathon's folder.")
@click.option("--parquet", is_flag=True,
              help="A data set in a folder, for any number of pictures, as `heatmap` makes it.")
@many
@force
@model_command
def predict(model:str, data:tuple[Path, ...], out:Path, no_mirror:bool, table:bool, parquet:bool, force:bool,
            **how:Any)->None:
    """Write what MODEL predicts for the pictures in DATA.

    For the hackathon's folder that is the submission, image,category, in the order it wants. For any other
    folder, for photos, or for a list of paths (.csv, .txt, .parquet) or an address (s3://…), it is a table:
    image, the predicted class, and for each class its probability. It is written when it is whole; a run of
    days goes on where it was stopped with --parquet.
    MODEL_HELP
    Several, separated by commas, are averaged."""
    models = model.split(",")
    if not all(m.strip() for m in models): raise click.UsageError(f"{model!r} names no model beside a comma.")
    source = source_of(data)
    if parquet:
        if source is None: raise click.UsageError("--parquet takes one folder, list of paths or address.")
        out = free(Path("predictions") if str(out) == "submission.csv" else out, True, folder=True)
        write_data_set(models, source, out, method=None, mirror=not no_mirror, force=force, **how)
        return
    out = free(out, force)
    if how["engine"] == "ray": raise click.UsageError("--engine ray writes a data set: give --parquet too.")
    photos = [] if source else [p for p in data if not p.is_dir()]
    if len(data) > 1 and len(photos) < len(data): raise click.UsageError("Give one folder, or photos.")
    check_photos(photos)
    write_table(models, source or data, out, mirror=not no_mirror, force=force, table=table,
                workers=how["workers"])


@main.command()
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@output("shipviz-report", "Folder for the report.")
@click.option("-n", "n", default=500, show_default=True, type=click.IntRange(5),
              help="Pictures to report on, at most.")
@click.option("--maps", type=click.Path(path_type=Path),
              help="Data set that `shipviz heatmap MODEL DATA` has written: nothing is computed twice.")
@force
@model_command
def report(model:str, data:Path, out:Path, n:int, maps:Path|None, force:bool)->None:
    """Write a report on MODEL and the labelled pictures in DATA.

    DATA is a folder as for `shipviz train`. Of the data that MODEL was trained on, only the pictures held out
    are used. Rendered ships have true masks, against which heatmaps are scored; real photos have none, and
    are scored by deletion and insertion instead.
    MODEL_HELP"""
    out = free(out, force, folder=True)
    from shipviz.report import report_on
    click.echo(f"\n{report_on(model, data, out, n=n, force=force, maps=maps)}")


@main.command()
@click.argument("model")
@photos
@output("heatmaps", "Folder for the pictures, or for the data set.")
@click.option("--method", default="gradcam", show_default=True,
              help="How to make the map; `--method help` lists all.")
@click.option("--class", "target", help="Explain this class instead of the predicted one.")
@click.option("--pictures", is_flag=True, help="Of a data set: write each picture with its heatmap too.")
@many
@force
@model_command
def heatmap(model:str, photos:tuple[Path, ...], out:Path, method:str, target:str|None, force:bool,
            **how:Any)->None:
    """Write for each photo a picture of where MODEL looks.

    Instead of photos PHOTOS can be one folder, one list of paths (.csv, .txt, .parquet) or one address
    (s3://…), of any size: then OUTPUT becomes a data set in Parquet, with which the same command goes on.
    MODEL_HELP"""
    from shipviz.heatmaps import METHODS
    if method == "help":
        for name, f in METHODS.items():
            said = f"{name:21} {' '.join((f.__doc__ or '').split())}"
            click.echo(textwrap.fill(said, 110, subsequent_indent=" "*22))
        return
    if method not in METHODS:
        raise click.UsageError(f"There is no method {method!r}. There are: {', '.join(METHODS)}.")
    if not photos: raise click.UsageError("Give at least one photo.")
    out = free(out, True, folder=True)
    if source := source_of(photos):
        write_data_set([model], source, out, method=method, target=target, force=force, **how)
        return
    outs = [out/n for n in picture_names(photos)]
    free(out, force, outs)
    check_photos(photos)
    from shipviz.core import readable
    from shipviz.report import heatmap_pictures
    for path, name, prob in heatmap_pictures(model, photos, outs, method=method, target=target):
        click.echo(readable(f"{path}: {name} ({100*prob:.1f} %)"))


@main.command()
@folder
@click.option("-n", "n", default=1000, show_default=True, type=click.IntRange(5),
              help="Pictures to train on.")
@click.option("--test", "n_test", default=300, show_default=True, type=click.IntRange(0),
              help="Test pictures besides.")
@click.option("--size", type=click.IntRange(48, 2048),
              help="Pixels along a side of square pictures; by default they are 210×140.")
@click.option("--difficulty", type=click.Choice(["easy", "normal", "hard"]), default="normal",
              show_default=True, help="From side views in fine weather to far, hazy, small and dark ships.")
@seed
def ships(folder:Path, n:int, n_test:int, size:int|None, difficulty:str, seed:int)->None:
    """Render ships with their true masks into FOLDER, in the layout of the hackathon.

    An interrupted run is completed by the same command."""
    refuse_device(folder)
    from shipviz.datasets import make_ships
    path = make_ships(folder, n=n, n_test=n_test, size=size or (140, 210), difficulty=difficulty, seed=seed)
    click.echo(f"{n + n_test} ships are in {path}. Train on them: shipviz train {path}")


@main.command()
@folder
@click.option("--no-open", is_flag=True, help="Only copy; don't start JupyterLab.")
@click.option("--force", is_flag=True, help="Replace lessons that you changed.")
@click.option("--teacher", is_flag=True, help="Copy the teachers' guide, an exam and its answers too.")
def lessons(folder:Path, no_open:bool, force:bool, teacher:bool)->None:
    """Copy the lessons to FOLDER and open JupyterLab there.

    Lessons that you changed are kept."""
    folder = folder.expanduser()
    refuse_device(folder)
    if folder.exists() and not folder.is_dir():
        raise click.ClickException(f"{folder} is a file. Give a folder.")
    source = lessons_dir()
    if folder.resolve() == source.resolve():
        raise click.ClickException(f"{folder} is where the lessons come from. Give another folder.")
    copied, kept = copy_new(source, folder, force, teacher)
    if copied: click.echo(f"Copied {len(copied)} files to {folder}.")
    elif not kept: click.echo(f"The lessons are in {folder} already.")
    if kept:
        some = ", ".join(map(str, kept[:5])) + ("…" if len(kept) > 5 else "")
        click.echo(f"Kept {len(kept)} that you changed: {some}. --force replaces them.")
    if no_open:
        click.echo(f"Open them with: jupyter lab {folder}")
        return
    import importlib.util
    import subprocess
    if importlib.util.find_spec("jupyterlab") is None:
        raise click.ClickException("JupyterLab is not installed: pip install jupyterlab")
    click.echo("Starting JupyterLab; stop it with Ctrl-C.")
    server = subprocess.Popen([sys.executable, "-m", "jupyterlab", str(folder)])
    try: code = server.wait()
    except BaseException as e:  # Ctrl-C, or an order to end: it does not stay behind
        server.terminate()
        server.wait()
        if isinstance(e, KeyboardInterrupt): return
        raise
    if code: raise click.ClickException(f"JupyterLab ended with exit code {code}.")


@main.command()
@folder
@click.argument("only", nargs=-1, metavar="[LESSON]...")
@click.pass_context
def check(ctx:click.Context, folder:Path, only:tuple[str, ...])->None:
    """Run the notebooks in FOLDER and print which exercises pass.

    LESSON picks some, e.g. `02 kernels`. Your files are not changed. The exit code is 0 if all exercises
    pass."""
    books = find_notebooks(folder.expanduser(), only)
    total = passed = 0
    failed = False
    for path in books:
        results, error = run_exercises(path)
        ok = sum(f["ok"] for f in results.values())
        said = f"{ok} of {len(results)} exercises pass" if results else "no exercises"
        click.echo(f"{path.name}: {said}")
        for f in results.values():
            sign = "✓" if f["ok"] else "…" if f["kind"] == "unanswered" else "✗"
            click.echo(f"  {sign} {f['name']}: {f['message']}")
        if error: click.echo(f"  ! {error}")
        total += len(results)
        passed += ok
        failed = failed or error is not None
    click.echo(f"{passed} of {total} exercises pass.")
    if passed < total or failed: ctx.exit(1)


@main.command()
@click.argument("photo", required=False, type=click.Path(path_type=Path))
@output("explorer.html", "HTML file to write.")
@click.option("--kernel", is_flag=True, help="Only the kernel explorer, without a network: a small file.")
@force
def explorer(photo:Path|None, out:Path, kernel:bool, force:bool)->None:
    """Write one HTML file with a whole network in it: it says what PHOTO shows, and where it looks.

    In the page are live heatmaps of any class, for your photos and the camera; every map and kernel on the
    way; rendered ships that score the heat; a kernel to learn, and one to drag. It needs no Python and no
    network, and sends nothing anywhere."""
    out = free(out, force)
    if photo: check_photos([photo])
    if kernel:
        from shipviz.widgets import explorer_page
        explorer_page(out, photo, force=force)
    else:
        from shipviz.network_page import network_page
        network_page(out, photo, force=force)
    size = out.stat().st_size/1e6 if out.is_file() else 0
    click.echo(f"Wrote {out}, {size:.1f} MB. Open it in a browser.")


@main.command()
@click.pass_context
def doctor(ctx:click.Context)->None:
    """Look for what is missing here or does not fit, and say what to do.

    Checked are versions, weights, the cache and its disk, Jupyter's kernel, and a heatmap from beginning to
    end. The exit code is 0 if nothing has to be put right."""
    from shipviz.doctor import examine
    bad = 0
    for finding in examine():
        sign = {True: "✓", None: "!", False: "✗"}[finding.good]
        click.echo(f"{sign} {finding.what}.".replace("..", "."))
        if finding.do: click.echo(f"    {finding.do}")
        bad += finding.good is False
    click.echo(f"\n{bad} thing(s) to put right." if bad else "\nNothing has to be put right.")
    if bad: ctx.exit(1)
