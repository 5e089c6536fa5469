"""How the command line speaks of errors and warnings: in sentences, with advice in the words of commands."""
import contextlib
import errno
import os
import signal
import sys
import traceback
import warnings

import click


class People(click.Group):
    """A group whose commands end in a sentence instead of a traceback.

    SHIPVIZ_DEBUG=1 in the environment shows the traceback as well."""

    def main(self, *args, **kwargs):
        for stream in (sys.stdout, sys.stderr):
            # so that a name or sign that the terminal has no code for ends no command
            if hasattr(stream, "reconfigure"): stream.reconfigure(errors="backslashreplace")
        with ended_in_order(): return super().main(*args, **kwargs)

    def make_context(self, info_name, args, *more, **kwargs):
        self.given = list(args)  # click uses up its own list
        return super().make_context(info_name, args, *more, **kwargs)

    def invoke(self, ctx):
        with warnings.catch_warnings():
            warnings.showwarning = note
            try: return super().invoke(ctx)
            except click.NoSuchOption as e:
                files = [a for a in self.given if a.startswith("-") and os.path.exists(a)]
                if files:
                    name = files[0]
                    e.message = f"No such option {e.option_name!r}. To name the file {name}, write ./{name}."
                raise
            except (click.ClickException, click.exceptions.Exit, click.Abort): raise
            except KeyboardInterrupt:
                click.echo("\nStopped. Nothing was left half-made.", err=True)
                ctx.exit(130)
            except Exception as e:
                # `shipviz … | head` closes the pipe: click ends quietly
                if isinstance(e, OSError) and e.errno == errno.EPIPE: raise
                if os.environ.get("SHIPVIZ_DEBUG"): traceback.print_exc()
                raise click.ClickException(sentence(e, self.options(ctx))) from e

    def options(self, ctx):
        "The options of the command that was called, such as '--force'."
        command = self.commands.get(ctx.invoked_subcommand)
        return {o for p in command.params for o in p.opts} if command else set()


@contextlib.contextmanager
def ended_in_order():
    "Within it, a polite order to end (SIGTERM) ends the block as an error does: half-made files are removed."
    def end(*args): raise SystemExit(143)
    try: before = signal.signal(signal.SIGTERM, end)
    except ValueError: before = None  # only the main thread may
    try: yield
    finally:
        if before is not None: signal.signal(signal.SIGTERM, before)


def note(message, category, *args, **kwargs):
    "How warnings are shown: as notes to people; not those for programmers, or for what we refuse."
    unsaid = "DecompressionBombWarning"  # Pillow's: `open_picture` has a limit of its own
    if not issubclass(category, (DeprecationWarning, FutureWarning)) and category.__name__ != unsaid:
        click.echo(f"Note: {in_words_of_the_command_line(str(message))}", err=True)


EXPECTED = OSError, ValueError, ImportError  # what shipviz raises when the trouble is with what it was given

def sentence(e, options=()):
    "What an exception says, for people; `options` are those of the command that raised it."
    if isinstance(e, PermissionError) and e.filename:
        return f"{e.filename}: no permission to read or write here."
    if isinstance(e, OSError) and e.strerror:
        return f"{e.filename}: {e.strerror}" if e.filename else e.strerror
    if isinstance(e, UnicodeDecodeError): return f"a file is not the text that it should be ({e.reason})"
    if isinstance(e, UnicodeEncodeError):
        name = e.object[max(e.start - 40, 0):e.end + 10]
        return (f"{name!r} has characters that can't be written as {e.encoding}. "
                "If it is a file's name, rename the file.")
    if isinstance(e, ModuleNotFoundError) and e.name and not e.name.startswith("shipviz"):
        return f"{e.name} is missing from this installation: pip install shipviz brings it."
    if isinstance(e, EXPECTED) and str(e): return in_words_of_the_command_line(str(e), options)
    what = f"{type(e).__name__}: {e}".rstrip(": ").replace("\n", " ")[:300]
    return f"Something happened that shipviz did not foresee ({what}).\n{where_to_report()}"


def where_to_report():
    "Whom to tell about an error of ours: the place that the package names, if it names one."
    from importlib.metadata import PackageNotFoundError, metadata
    try: urls = metadata("shipviz").get_all("Project-URL") or []
    except PackageNotFoundError: urls = []
    issues = [u.partition(",")[2].strip() for u in urls if u.lower().startswith("issues")]
    where = f"at {issues[0]}" if issues else "to whom you have shipviz from"
    return (f"Please report it {where}, with the command and what it prints when SHIPVIZ_DEBUG=1 is set in "
            "the environment.")


# The library's advice, in the words of Python and in those of the command line:
# (Python, the option that it means, in a command with that option, in others)
ADVICE = [
    ("`load_ships(path, verify='skip')` lists such files and drops them", "--skip-broken",
     "`--skip-broken` leaves such files out", "Take such files out of the folder"),
    ("`verify='skip'` leaves them out", "--skip-broken",
     "`--skip-broken` leaves them out", "Take them out of the table"),
    ("verify='skip'", "--skip-broken", "--skip-broken", "leaving them out"),
    ("force=True", "--force", "--force", "another name"),
    ("fresh=True", "--fresh", "--fresh", "another name"),
    ("make_ships", None, "shipviz ships", "shipviz ships"),
]

def in_words_of_the_command_line(text, options=("--force", "--fresh", "--skip-broken")):
    "Advice to programmers as advice to those who type commands."
    for python, option, with_it, without in ADVICE:
        text = text.replace(python, with_it if option is None or option in options else without)
    return text


def reason(
    e:BaseException,
)->str: # at most 100 characters
    "What was wrong, in one line: of an error's cause, if it has one."
    return str(e.__cause__ or e).split("\n")[0][:100]
