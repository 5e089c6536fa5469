"""Bad inputs, one a row, for test_hostile.py: what is there, what is done with it, and what it says.

A row is `(name, make, do, says)`. `make` writes files into an empty folder, in which `do` is called; `says`
is the whole answer: of a command its exit code and what it says, of a function its error, or its result if it
takes the input. Where `says` is `...`, hostile.txt has it, for reading all of them in one go:
`python tests/hostile.py` writes that file anew, and `git diff` shows what has changed."""
import io
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from shipviz.heatmaps import METHODS

LIST = []  # all rows

def row(name, make, do, says): LIST.append((name, make, do, says))


# What is there

def nothing(): pass

def files(**contents):
    "Files of bytes or text by their names, in which __ stands for a dot."
    return lambda: [put(name.replace("__", "."), data) for name, data in contents.items()]

def put(name, data):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path

def picture(mode="RGB", size=(64, 48), kind="png", **options):
    "The bytes of a picture: a ramp from dark to bright."
    ramp = np.linspace(0, 255, size[0]*size[1]).reshape(size[1], size[0])
    if mode == "I;16": image = Image.fromarray((ramp*257).astype(np.uint16))
    elif mode == "F": image = Image.fromarray((ramp/255).astype(np.float32))
    else: image = Image.fromarray(ramp.astype(np.uint8)).convert("RGB").convert(mode)
    image.save(out := io.BytesIO(), kind, **options)
    return out.getvalue()

def png_header(width, height, bits=8, colours=0, rows=()):
    "A PNG that says how large it is, with the pixels `rows` compressed, or none."
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"".join(rows), 9)) + chunk(b"IEND",
                                                                                                  b"")

def bomb():
    "A true picture of 13,300 × 13,300 pixels in few bytes."
    line = b"\0" + bytes(-(-13300//8))
    return png_header(13300, 13300, bits=1, rows=[line]*13300)

def tiff(numbers):
    Image.fromarray(numbers).save(out := io.BytesIO(), "tiff")
    return out.getvalue()

def ship_data(csv=None, test=None, sample=None, pictures=10):
    "The hackathon's folder `data`, with these tables."
    def make():
        jpeg = picture(kind="jpeg", size=(30, 20))
        for i in range(pictures): put(f"data/train/images/{i}.jpg", jpeg)
        rows = "".join(f"{i}.jpg,{i % 5 + 1}\n" for i in range(pictures))
        put("data/train/train.csv", "image,category\n" + rows if csv is None else csv)
        if test is not None: put("data/test_a.csv", test)
        if sample is not None: put("data/sample_submission_a.csv", sample)
    return make

def classes(*names, pictures=3):
    "A folder `data` with a folder of pictures for each class."
    def make():
        jpeg = picture(kind="jpeg", size=(30, 20))
        for c in names:
            for i in range(pictures): put(f"data/{c}/{i}.jpg", jpeg)
    return make

def both(*makes): return lambda: [make() for make in makes]

def card(**changes):
    "The card of a small network, changed; None takes a field away."
    whole = dict(format="shipviz model 1", arch="resnet18", head="linear", options={}, seed=42,
                 classes=["a", "b"],
                 size=[64, 64], normalisation=dict(mean=[0, 0, 0], std=[1, 1, 1]), data="", metrics={},
                 history=dict(names=[], values=[]))
    whole.update(changes)
    return {k: v for k, v in whole.items() if v is not None}

def model(about=None, tensors=None, **changes):
    "A file m.safetensors with a card (or `about`) inside."
    def make():
        import torch
        from safetensors.torch import save

        from shipviz.cards import _tensor_hash
        t = {"w": torch.zeros(2)} if tensors is None else tensors
        inside = json.dumps(dict(card(**changes), tensors=_tensor_hash(t))) if about is None else about
        put("m.safetensors", save(t, {"shipviz": inside}))
    return make


# What is done with it

def command(*args):
    "A command of the command line."
    def do():
        from click.testing import CliRunner

        from shipviz import cli
        done = CliRunner().invoke(cli.main, [str(a) for a in args], prog_name="shipviz")
        odd = done.exception is not None and not isinstance(done.exception, SystemExit)
        if odd: raise AssertionError(f"a traceback: {done.exception!r}")
        said = done.output[done.output.find("Error: "):] if done.exit_code == 2 else done.output
        return f"{done.exit_code} {said.strip()}"
    return do

BEFORE = "import math, os\nimport numpy as np, torch\nimport shipviz as sv\nfrom pathlib import Path\n"

def call(code):
    "Python, as one who uses the library types it: the last line's value."
    def do():
        *lines, last = code.strip().split("\n")
        space = {}
        exec(BEFORE + "\n".join(lines), space)
        return repr(eval(last, space))
    return do

def as_nobody(make, do):
    "The same in a folder of its own, without root's right to read and write everything."
    def denied():
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        home, place = os.getcwd(), os.path.realpath(tempfile.mkdtemp())
        os.chmod(place, 0o755)
        try:
            os.chdir(place)
            make()
            if root: os.seteuid(65534)
            try: said = do()
            except Exception as e: said = f"{type(e).__name__}: {e}"
            return str(said).replace(place, "HERE")
        finally:
            if root: os.seteuid(0)
            os.chdir(home)
            for p in (place, *Path(place).rglob("*")): os.chmod(p, 0o755)
            shutil.rmtree(place)
    return denied

def answer(make, do, folder):
    "What is said: a command's exit code and output, a value, or an error's class and text."
    os.chdir(folder)
    make()
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", UserWarning)
        try: said = do()
        except Exception as e: said = f"{type(e).__name__}: {e}"
    told = [f"{n.category.__name__}: {n.message}" for n in notes if issubclass(n.category, UserWarning)]
    said = "\n".join([*told, str(said)]).replace(str(folder), "HERE")
    said = re.sub(r"\d+\.\d MB", "SIZE MB", said)
    return said.replace(", ".join(METHODS), "METHODS")

SAYS = Path(__file__).with_name("hostile.txt")

def expected():
    "{name: what it says}, of hostile.txt."
    entries = SAYS.read_text(encoding="utf-8").strip().split("\n\n")
    return {name: said.replace("\n    ", "\n") for name, _, said in (e.partition("\n    ") for e in entries)}

def write():
    "Write hostile.txt anew."
    home, environ, text = os.getcwd(), dict(os.environ), ""
    for name, make, do, says in LIST:
        with tempfile.TemporaryDirectory() as folder:
            said = answer(make, do, folder)
            os.chdir(home)
        os.environ.clear()
        os.environ.update(environ)
        if says is ...: text += f"{name}\n    " + said.replace("\n", "\n    ") + "\n\n"
    SAYS.write_text(text, encoding="utf-8")


# Pictures: each through a function and through a command

OPEN = "from shipviz.core import open_picture\n"

def bad_picture(name, make, fault, file="a.jpg"):
    row(f"{name}, function", make, call(OPEN + f"open_picture({file!r})"),
        f"PictureError: {file!r} can't be read as a picture: {fault}.")
    row(f"{name}, command", make, command("heatmap", "imagenet", file),
        f"1 Error: 1 of 1 photos can't be read:\n  {file}: {fault}")

DAMAGED = "the file is damaged, or its end is missing. Copy or download it again"
UNKNOWN = "its content is of none of the kinds that are read here, such as JPEG, PNG, WebP and TIFF"
LARGE = ("it has {} megapixels, and at most 100 are opened. Reduce it, or allow more in the environment "
         "variable SHIPVIZ_MAX_MEGAPIXELS")
HTML = "<!DOCTYPE html>\n<html><title>404 Not Found</title></html>"
SVG = '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'

bad_picture("zero bytes", files(a__jpg=b""), "the file is empty")
bad_picture("a JPEG cut off", files(a__jpg=picture(kind="jpeg")[:-200]), DAMAGED)
bad_picture("ten bytes of a JPEG", files(a__jpg=picture(kind="jpeg")[:10]), DAMAGED)
bad_picture("a PNG cut off", files(a__png=picture(size=(300, 200))[:400]), DAMAGED, "a.png")
bad_picture("a PNG with a changed byte", files(a__png=picture()[:60] + b"\0\0" + picture()[62:]), DAMAGED,
            "a.png")
bad_picture("text", files(a__jpg="Dear diary"), UNKNOWN)
bad_picture("zeros", files(a__jpg=bytes(5000)), UNKNOWN)
bad_picture("a web page", files(a__jpg=HTML), "it is a web page. Download the picture itself")
bad_picture("SVG", files(a__svg=SVG), "it is an SVG drawing, which has no pixels. Export it as PNG", "a.svg")
bad_picture("SVG called PNG", files(a__png=SVG),
            "it is an SVG drawing, which has no pixels. Export it as PNG",
            "a.png")
bad_picture("HEIC", files(a__heic=b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)),
            "it is a HEIC photo. Convert it to JPEG or PNG", "a.heic")
bad_picture("AVIF", files(a__avif=b"\0\0\0\x1cftypavif\0\0\0\0mif1avif" + bytes(99)),
            "it is an AVIF picture. Convert it to JPEG or PNG", "a.avif")
bad_picture("JPEG XL", files(a__jxl=b"\xff\x0a" + bytes(99)),
            "it is a JPEG XL picture. Convert it to JPEG or PNG", "a.jxl")
bad_picture("a film", files(a__mp4=b"\0\0\0\x20ftypisom" + bytes(99)),
            "it is a film, or of another kind that is not read here. Convert it to JPEG or PNG", "a.mp4")
bad_picture("PDF", files(a__jpg=b"%PDF-1.7\n"), "it is a PDF document. Export its page as PNG")
bad_picture("ZIP", files(a__jpg=b"PK\x03\x04" + bytes(30)), "it is a ZIP archive. Unpack it first")
bad_picture("a pointer of Git LFS",
            files(a__jpg="version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
            "it is a pointer of Git LFS. Fetch the file itself with `git lfs pull`")
row("a folder, function", lambda: Path("a.jpg").mkdir(), call(OPEN + "open_picture('a.jpg')"), ...)
row("a folder, command: its pictures are meant", lambda: Path("a.jpg").mkdir(),
    command("heatmap", "imagenet", "a.jpg"), ...)
bad_picture("30,000 × 30,000", files(a__png=png_header(30_000, 30_000)), LARGE.format(900), "a.png")
bad_picture("13,300 × 13,300 in few bytes", lambda: put("a.png", bomb()), LARGE.format(177), "a.png")
bad_picture("NaN", lambda: put("a.tif", tiff(np.full((4, 5), np.nan, np.float32))),
            "it holds values that are not finite numbers", "a.tif")
bad_picture("numbers that are no colours", lambda: put("a.tif", tiff(np.full((4, 5), 1e9, np.float32))),
            "it has values from 1e+09 to 1e+09. Colours run 0..255 (bytes), 0..65535 (16 bits) or 0..1",
            "a.tif")
bad_picture("numbers below zero", lambda: put("a.tif", tiff(np.full((4, 5), -7, np.int32))),
            "it has values from -7 to -7. Colours run 0..255 (bytes), 0..65535 (16 bits) or 0..1", "a.tif")
if hasattr(os, "mkfifo"):
    bad_picture("a pipe", lambda: os.mkfifo("a.jpg"), "it is a pipe or a device, and no file")
    bad_picture("a device", nothing, "it is a pipe or a device, and no file", "/dev/zero")

def no_picture(name, make, file, more=""):
    row(f"{name}, function", make, call(OPEN + f"open_picture({file!r})"),
        f"FileNotFoundError: There is no picture {file!r}{more}.")
    row(f"{name}, command", make, command("heatmap", "imagenet", file),
        f"1 Error: 1 of 1 photos can't be read:\n  {file}: no such file")

no_picture("no file", nothing, "a.jpg")
no_picture("a name of 300 letters", nothing, "a"*300)
no_picture("a link to nothing", lambda: os.symlink("gone.jpg", "a.jpg"), "a.jpg")
no_picture("a link to itself", lambda: os.symlink("a.jpg", "a.jpg"), "a.jpg",
           ", only a link that leads to itself")
row("a name with a NUL", nothing, call(OPEN + "open_picture('a\\0.jpg')"), ...)

def no_array(what, says): row(f"picture: {what}", nothing, call(OPEN + f"open_picture({what})"), says)

no_array("np.zeros(5)", ...)
no_array("np.zeros((2, 3, 4, 5))", ...)
no_array("np.zeros((5, 40, 50))", ...)
no_array("np.zeros((0, 5, 3))", ...)
no_array("np.full((4, 5), np.nan)", ...)
no_array("np.full((4, 5, 3), 300.)", ...)
no_array("np.full((4, 5), 1j)", ...)
no_array("np.array([['a', 'b']])", ...)
no_array("np.array([[None, 1]])", ...)
no_array("torch.full((3, 4, 5), -1.)", ...)
no_array("None", ...)
no_array("7", ...)
no_array("b''", ...)
no_array("''", ...)
for value in ("many", "0", "-1", "nan"):
    row(f"SHIPVIZ_MAX_MEGAPIXELS={value}", files(a__png=picture()),
        call(f"os.environ['SHIPVIZ_MAX_MEGAPIXELS'] = {value!r}\n" + OPEN + "open_picture('a.png')"),
        f"ValueError: SHIPVIZ_MAX_MEGAPIXELS is a number above 0, but is {value!r}.")

SEEN = OPEN + "p = open_picture({!r})\np.mode, p.size, [int(np.asarray(p)[i, 0, 0]) for i in (0, -1)]"

def fine(name, data, says, file="a.png"): row(name, lambda: put(file, data), call(SEEN.format(file)), says)

for mode, kind in [("CMYK", "jpeg"), ("L", "png"), ("P", "gif"), ("RGBA", "png"), ("LA", "png"), ("1", "png"),
                   ("I;16", "png"), ("F", "tiff"), ("YCbCr", "jpeg")]:
    fine(f"a picture in {mode}", picture(mode, kind=kind), ...)
for turn in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = turn
    fine(f"EXIF orientation {turn}", picture(kind="jpeg", exif=exif), ..., "a.jpg")
fine("1 × 1", picture(size=(1, 1)), ...)
fine("1 × 5,000", picture(size=(1, 5000)), ...)
fine("a PNG called JPEG", picture(), ..., "a.jpg")
fine("an animation", picture("P", kind="gif", save_all=True, append_images=[Image.new("P", (64, 48))]*3), ...,
     "a.gif")


# Names

def named(name, file, says):
    row(f"name: {name}", lambda: put(file, picture(size=(20, 20))), command("explorer", "--", file), says)

WROTE = "0 Wrote explorer.html, SIZE MB. Open it in a browser."
named("spaces", "sea side .png", WROTE)
named("quotes", "sea\"side'.png", WROTE)
named("newline", "sea\nside.png", WROTE)
named("bytes that are no UTF-8", os.fsdecode(b"sea\xff.png"), WROTE)
named("composed", "caf\u00e9.png", WROTE)
named("decomposed", "cafe\u0301.png", WROTE)
named("255 bytes", "a"*251 + ".png", WROTE)
named("a dash in front", "-sea.png", WROTE)
named("HTML", "<img src=x onerror=alert(1)>.png", WROTE)
row("name: a dash in front, taken for an option", lambda: put("-sea.png", picture()),
    command("explorer", "-sea.png"), ...)
row("name: the output has 300 letters", nothing, command("explorer", "-o", "k"*300 + ".html"), ...)


# Folders

def folder(name, make, says_function, says_command=None):
    row(f"folder: {name}, function", make, call("sv.load_ships('data').image.tolist()"), says_function)
    if says_command is not None:
        row(f"folder: {name}, command", make, command("train", "data", "-o", "m"), says_command)

folder("none", nothing, ..., ...)
folder("a file", files(data="x"), ..., ...)
folder("empty", lambda: os.mkdir("data"), ..., ...)
folder("one class", classes("tug"), ..., ...)
folder("pictures without classes", classes("."), ..., ...)
folder("one picture a class", classes("tug", "ferry", pictures=1), ..., ...)
folder("a class called train alone", classes("train"), ..., ...)
folder("classes called train and test", classes("train", "test"), ..., ...)
folder("training instead of train", classes("training/a", "training/b", "valid/a"), ..., ...)
folder("two folders for validation", classes("train/a", "train/b", "val/a", "valid/a"), ..., ...)
folder("a class in valid alone", classes("train/a", "train/b", "valid/c"), ..., ...)
folder("train without classes", classes("train", "valid/a"), ..., ...)
folder("a class of HEIC", both(classes("a", "b"), files(**{"data/c/1__heic": b"x"})), ..., ...)
folder("a class of files without ending", both(classes("a", "b"), lambda: put("data/c/1", picture())), ...,
       ...)
folder("hidden pictures only", both(classes("a"), lambda: put("data/.b/1.jpg", b"x")), ..., ...)
folder("a link to a class elsewhere",
       both(classes("a", "b"), lambda: put("other/1.jpg", picture()),
            lambda: os.symlink("../../other", "data/b/c")),
       ..., None)
folder("a loop", both(classes("a", "b"), lambda: os.symlink("../a", "data/a/round")), ..., None)
row("folder: 500 classes", classes(*(f"c{i:03}" for i in range(500)), pictures=1),
    call("t = sv.load_ships('data')\nlen(t), t.label.nunique(), int((t.split == 'valid').sum())"), ...)
row("folder: a broken picture, function", both(classes("a", "b"), lambda: put("data/b/x.jpg", b"")),
    call("sv.load_ships('data', verify=True)"), ...)
row("folder: a broken picture, command", both(classes("a", "b"), lambda: put("data/b/x.jpg", b"")),
    command("train", "data", "-o", "m"), ...)
row("folder: no pictures to predict", lambda: os.mkdir("data"), command("predict", "real-ships", "data"), ...)
row("folder: none to predict", nothing, command("predict", "real-ships", "data"), ...)
row("folder: a report on none", nothing, command("report", "real-ships", "data"), ...)
row("folder: a report on other classes", classes("tug", "ferry"), command("report", "real-ships", "data"),
    ...)
row("folder: no lessons to check", nothing, command("check", "data"), ...)
row("folder: nothing to check", lambda: os.mkdir("data"), command("check", "data"), ...)
row("folder: lessons into a file", files(data="x"), command("lessons", "data", "--no-open"), ...)
row("folder: ships into a file", files(data="x"), command("ships", "data", "-n", 5), ...)
row("folder: ships among other files", files(**{"data/x": "x"}), command("ships", "data", "-n", 5), ...)
row("folder: a report without its pictures", ship_data(pictures=0, csv="image,category\n0.jpg,1\n"),
    command("report", "real-ships", "data"), ...)


# Tables

def table(name, csv, says_function, says_command=None, **more):
    make = ship_data(csv, **more)
    row(f"table: {name}, function", make, call("sv.load_ships('data').category.tolist()"), says_function)
    if says_command is not None:
        row(f"table: {name}, command", make, command("train", "data", "-o", "m"), says_command)

H = "image,category\n"
table("empty", "", ..., ...)
table("blank lines", "\n\n\n", ...)
table("header alone", H, ..., ...)
table("semicolons", "image;category\n0.jpg;1\n", ..., ...)
table("tabs", "image\tcategory\n0.jpg\t1\n", ...)
table("no header", "0.jpg,1\n1.jpg,2\n", ..., ...)
table("other columns", "name,code\n0.jpg,1\n", ...)
table("one column", "image\n0.jpg\n", ...)
table("a column twice", "image,image,category\n0.jpg,0.jpg,1\n", ...)
table("too few values", H + "0.jpg\n", ..., ...)
table("too many values", H + "0.jpg,1,x\n", ...)
table("a quote that never ends", H + '0.jpg,1\n"1.jpg,2\n', ...)
table("UTF-16", H.encode("utf-16"), ...)
table("Latin-1", H.encode() + b"b\xe9b\xe9.jpg,1\n", ..., ...)
table("a picture", picture(), ...)
table("NUL", H + "\0,1\n", ...)
table("no name", H + ",1\n", ...)
table("the same twice", H + "0.jpg,1\n0.jpg,1\n", ..., ...)
table("a conflict", H + "0.jpg,1\n0.jpg,2\n", ...)
for code in ("0", "6", "x", "", "-1", "1.5", "nan", "inf", "1e9", "Cargo", "１"):
    table(f"code {code!r}", H + f"0.jpg,{code}\n", ...)
table("a million codes are wrong", H + "".join(f"{i}.jpg,9\n" for i in range(1000)), ...)
for name in ("../train.csv", "a/../../x.jpg", "/etc/passwd", "C:\\x.jpg", "..\\x.jpg", "//host/x.jpg", ".."):
    table(f"the name {name}", H + f"{name},1\n0.jpg,1\n", ...)
table("a picture that is missing", H + "0.jpg,1\ngone.jpg,2\n", ..., ...)
table("in training and test", H + "0.jpg,1\n1.jpg,2\n", ..., test="image\n0.jpg\n")
table("a name with HTML", H + "<b>.jpg,1\n", ...)
rows = "".join(f"{i}.jpg,{i % 5 + 1}\n" for i in range(5))
table("a byte order mark", "\ufeff" + H + rows, ...)
table("CR alone", (H + rows).replace("\n", "\r"), ...)
table("CRLF", (H + rows).replace("\n", "\r\n"), ...)
table("blanks", (H + rows).replace(",", " , "), ...)
table("codes as 1.0", (H + rows).replace(",1\n", ",1.0\n"), ...)
table("more columns", "id,image,category\n" + "".join(f"{i},{i}.jpg,{i % 5 + 1}\n" for i in range(5)), ...)
row("table: two of them",
    both(ship_data(test="image\n0.jpg\n"), lambda: put("data/test_b.csv", "image\n1.jpg\n")),
    call("sv.load_ships('data')"), ...)
row("table: no folder of images", both(ship_data(), lambda: os.rename("data/train/images", "data/pictures")),
    command("train", "data", "-o", "m"), ...)
row("table: no train.csv", both(ship_data(test="image\n0.jpg\n"), lambda: os.remove("data/train/train.csv")),
    command("train", "data", "-o", "m"), ...)
row("table: a link that leaves the folder",
    both(ship_data(H + "x.jpg,1\n0.jpg,2\n"), lambda: put("x.jpg", picture()),
         lambda: os.symlink("../../../x.jpg", "data/train/images/x.jpg")), call("sv.load_ships('data')"), ...)
SUBMIT = "from shipviz.datasets import write_submission\n"
row("table: a submission of other pictures", ship_data(H + rows, test="image\n5.jpg\n6.jpg\n",
                                                       sample="image,category\n5.jpg,1\n7.jpg,1\n"),
    call(SUBMIT + "write_submission('data', ['5.jpg', '6.jpg'], [1, 2])"), ...)
for preds in ("[0, 1]", "[1, 6]", "[1]", "['Tug', 1]", "np.full((2, 5), np.nan)", "np.zeros((2, 4))",
              "[True, 1]",
              "[1.5, 2]"):
    row(f"predictions {preds}", nothing,
        call(SUBMIT + f"write_submission('s.csv', ['a.jpg', 'b.jpg'], {preds})"), ...)


# Models

def loaded(name, make, says_function, says_command=None):
    row(f"model: {name}, function", make, call("sv.load_model('m')"), says_function)
    if says_command is not None:
        row(f"model: {name}, command", both(make, files(a__png=picture())),
            command("heatmap", "./m", "a.png"),
            says_command)

loaded("none", nothing, ..., ...)
loaded("zero bytes", files(m__safetensors=b""), ..., ...)
loaded("text", files(m__safetensors="weights"), ..., ...)
loaded("a pickle", files(m__safetensors=b"\x80\x04\x95\x0c"), ...)
loaded("cut off", both(model(), lambda: put("m.safetensors", Path("m.safetensors").read_bytes()[:-3])), ...,
       ...)
loaded("a header of eight exabytes", files(m__safetensors=b"\xff"*7 + b"\x7f" + b"{}"), ...)
loaded("no card", lambda: put("m.safetensors", b"\x02\0\0\0\0\0\0\0{}"), ..., ...)
loaded("a card alone", files(m__json="{}"), ...)
loaded("a card that is no JSON", model(about="{"), ..., ...)
loaded("a card that is a list", model(about="[]"), ...)
loaded("a card of a thousand brackets", model(about="["*100000), ...)
loaded("weights of another network", model(), ..., ...)
loaded("weights changed later", both(model(), lambda: put("m.safetensors",
       Path("m.safetensors").read_bytes()[:-1] + b"\x7f")), ...)
CARD = dict(
    format=[None, "shipviz model 2", 1], arch=[None, "", 7, "resnt18", "vit_b_16"], head=[None, "round"],
    options=[None, [], {"pickle": 1}, {"lin_ftrs": [10**9]}, {"ps": 2}, {"cut": 1.5}, {"bn_final": "yes"}],
    seed=[None, "42", 1.5, True, 2**70], classes=[None, [], ["a", "a"], "ab", [1, 2], ["a"*2000]],
    size=[None, [64], [0, 64], [64, 10**6], "64", [64., 64.]],
    normalisation=[None, {}, dict(mean=[0, 0], std=[1, 1, 1]), dict(mean=[0, 0, 0], std=[0, 1, 1]),
                   dict(mean=["a"]*3, std=[1]*3)],
    data=[None, 7], metrics=[None, {"f1": "good"}], history=[None, dict(names=["a"], values=[[1, 2]])],
    resize=["crop"], training=[7], versions=[[]], weights=["abc"])
for field, values in CARD.items():
    for value in values: loaded(f"card with {field} {str(value)[:40]!r}", model(**{field: value}), ...)


# Arguments

TOY = """from torch import nn
from shipviz.heatmaps import *
torch.manual_seed(0)
head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), *head).eval()
x = torch.rand(2, 3, 16, 16)
"""

def heat(arguments, says=...): row(f"heatmap({arguments})", nothing, call(TOY + f"sv.heatmap({arguments})"),
                                   says)

for arguments in ["net, x[0, 0]", "net, x[None]", "net, x[:0]", "net, (x*255).byte()",
                  "net, x.double()*float('nan')",
                  "net, x[:, :1]", "net, 'a.png'", "net, []", "net, None", "net, [x[0], x[1, :, :5]]",
                  "'resnet18', x",
                  "net, x, target=3", "net, x, target=-4", "net, x, target='tug'", "net, x, target=1.5",
                  "net, x, target=True", "net, x, target=float('nan')", "net, x, target=[0]",
                  "net, x, target=[0, 1, 2]",
                  "net, x, target=torch.tensor([.5, 1.])", "net, x, target=np.array(['a', 'b'])",
                  "net, x, target={}",
                  "net, x, target=lambda out: out", "net, x, target=lambda out: None", "net, x, layer='5'",
                  "net, x, layer='nowhere'", "net, x, layer=7", "net, x, layer=['0', '1']",
                  "net, x, layer=nn.ReLU()",
                  "net, x, method='gradcamm'", "net, x, method=['cam']", "net, x, method=None",
                  "net, x, bs=0",
                  "net, x, bs=-1", "net, x, bs=2.5", "net, x, bs='all'", "net, x, window=3",
                  "net, x, method='occlusion', window=0", "net, x, method='occlusion', stride=0",
                  "net, x, method='occlusion', stride=-4", "net, x, method='occlusion', copies=-1",
                  "net, x, method='smoothgrad', n=0", "net, x, method='smoothgrad', noise=float('nan')",
                  "net, x, method='scorecam', copies=0", "net, x, method='ablationcam', copies=0",
                  "torch.jit.script(net), x"]: heat(arguments)

K = """from shipviz.kernels import *
from shipviz.channels import *
from shipviz.filters import *
from shipviz.stride import *
from shipviz.pooling import *
from shipviz.pixels import *
from shipviz.scores import *
from shipviz.overlays import *
from PIL import Image
x, k = torch.rand(6, 8), torch.ones(3, 3)
masks, maps = torch.ones(2, 8, 8, dtype=torch.bool), torch.rand(2, 4, 4)
"""
for code in ["apply_kernel(x.byte(), k)", "apply_kernel([[1.]], k)", "apply_kernel(x[0], k)",
             "apply_kernel(x, k[0])",
             "apply_kernel(x, 'top_edge')", "apply_kernel(x, torch.ones(9, 9), padding=0)",
             "apply_kernel(x, k, stride=0)",
             "apply_kernel(x, k, stride=1.5)", "apply_kernel(x, k, padding=-1)",
             "apply_kernel(x, k, padding='reflect')",
             "apply_kernel(x, k, padding_mode='same')", "apply_kernel(x, k, padding_mode='mirror')",
             "apply_kernel(x, k, 'reflect', padding=6)", "apply_kernel(x, k, 'circular', padding=9)",
             "apply_kernel(x, k, padding='same', stride=2)", "apply_kernel(x, [[1, 2], [3]])",
             "pad_image(x, (1, 2, 3))",
             "pad_image(x, True)", "pad_image(x[0], 1)", "apply_bank(x, k)",
             "apply_bank(torch.rand(3, 6, 8), torch.rand(2, 4, 3, 3))",
             "apply_bank(torch.rand(3, 6, 8), 'top')", "expand_kernel(torch.rand(2, 3, 3))",
             "expand_kernel(k, 0)",
             "stack_kernels([])", "stack_kernels(['box', torch.ones(5, 5)])", "named_kernel('box blur 9')",
             "signed_rgb(torch.rand(3, 6, 8))", "signed_rgb(x, 0)",
             "signed_rgb(torch.full((2, 2), math.nan))",
             "output_size(5, 7)", "output_size(5, 3, 0)", "output_size(5, 3, padding=-1)",
             "output_size(5.5, 3)",
             "output_size(5, True)", "output_size(5, 4, padding='same')", "output_size(5, 3, dilation=0)",
             "output_size(0, 1)",
             "windows(5, 7)", "conv_costs([3, 4], size=0)",
             "adaptive_bins(0, 3)", "adaptive_bins(3, 1.5)", "adaptive_pool(x, 2)",
             "adaptive_pool(torch.rand(1, 1, 4, 4), 0)",
             "adaptive_pool(torch.rand(1, 1, 4, 4), 2, 'sum')", "grey(torch.rand(2, 4, 4))",
             "grey('none.png')",
             "pointing_game(maps[0], masks)", "pointing_game(maps, masks[0])",
             "pointing_game(maps, masks[:1])",
             "pointing_game(maps, masks & False)", "pointing_game(maps, masks*0.5)",
             "pointing_game(maps, masks.long()*255)",
             "pointing_game(maps, masks, tolerance=-1)", "energy_in_mask(maps*math.nan, masks).tolist()",
             "iou(maps, masks, threshold=2)", "dilate(masks, -1)", "dilate(masks, math.nan)",
             "chance_maps('lucky', 2, (4, 4))", "chance_maps('swapped', 2, (4, 4))",
             "bootstrap([])", "bootstrap([1, 2], level=95)", "bootstrap([[1, 2]])", "exact([0, 2])",
             "exact([])",
             "interval([0, 1.5])", "paired_difference([1, 2], [1])", "sv.weighted_f1([], [])",
             "sv.weighted_f1([1, 2], [1])",
             "sv.weighted_f1([[1, 2]])", "sv.weighted_f1([[.5, .5], [0, 1]])",
             "sv.weighted_f1([[-1, 0], [0, 1]])",
             "overlay(Image.new('RGB', (8, 8)), maps)",
             "overlay(Image.new('RGB', (8, 8)), maps[0], style='glow')",
             "overlay(Image.new('RGB', (8, 8)), maps[0], box=(9, 9, 20, 20))",
             "overlay(torch.rand(3, 8, 8)*2, maps[0])",
             "overlay(Image.new('RGB', (8, 8)), maps[0], alpha=7)",
             "sv.render_ship('Submarine')", "sv.render_ship('Cargo', seed=-1)",
             "sv.render_ship('Cargo', seed=1.5)",
             "sv.render_ship('Cargo', size=7)", "sv.render_ship('Cargo', difficulty='mad')",
             "sv.render_ship(9)",
             "sv.render_ship('Cargo', without=['wings'])", "sv.render_ship('Cargo', kind='liner')",
             "sv.make_ships('d', n=2)", "sv.make_ships('d', n=5.5)", "sv.make_ships('d', n=10, n_test=2)",
             "sv.make_ships('d', n=10, size=(48, 9999))", "sv.make_ships('d', n=10, difficulty='mad')",
             "sv.make_ships('d', n=10, workers=0)", "sv.make_ships('d', n=10, seed='a')",
             "sv.get_dls('none')", "sv.get_dls('d', size=0)", "sv.get_dls('d', bs=0)",
             "sv.get_dls('d', padding_mode='edge')",
             "sv.get_dls('d', num_workers=-1)", "sv.get_dls('d', valid_pct=1)",
             "sv.load_ships('d', valid_pct=0)",
             "sv.load_ships('d', verify='maybe')", "sv.train_on('d', epochs=0)",
             "sv.train_on('d', minutes=-1)",
             "sv.train_on('d', arch='resnt')", "sv.train_on('d', epochs='many')", "sv.find_model(7)",
             "sv.KernelExplorer('none.png')", "sv.KernelExplorer(torch.rand(2, 9, 9))",
             "sv.StrideExplorer(stride=9)", "sv.report(None, 'r')", "sv.layers(None, x)"]:
    row(code, nothing, call(K + code), ...)
for more, says in [("--size 7", ...), ("--size 64x", ...), ("--epochs 0", ...), ("--minutes -1", ...),
                   ("--valid 1", ...),
                   ("--seed a", ...), ("--arch resnt", ...), ]:
    row(f"train {more}", nothing, command("train", "data", "-o", "m", *more.split()), says)
for line in ["heatmap imagenet", "heatmap imagenet a.png --method nonsense",
             "heatmap imagenet a.png --class shop",
             "heatmap none a.png", "predict real-ships a.png data", "predict none,real-ships a.png",
             "predict real-ships,imagenet a.png", "predict , a.png", "report real-ships data -n 1",
             "ships d -n 2",
             "ships d --size 7", "ships d --difficulty mad", "ships d -n 5 --test 3", "nonsense",
             "check data 99", "lessons"]:
    row(f"shipviz {line}", files(a__png=picture()), command(*line.split()), ...)


# Outputs

for command_line in ["explorer", "train data", "predict real-ships a.png", "heatmap imagenet a.png",
                     "report real-ships data"]:
    for out in ["/", ".", "~", "CON"]:
        row(f"{command_line} -o {out}", files(a__png=picture()), command(*command_line.split(), "-o", out),
            ...)
for name, make, line in [
        ("a file for a folder", files(r="x", a__png=picture()), "heatmap imagenet a.png -o r"),
        ("a file for a report", files(r="x"), "report real-ships data -o r"),
        ("a file on the way", files(r="x"), "explorer -o r/k.html"),
        ("a folder for a file", lambda: put("k.html/x", "x"), "explorer -o k.html"),
        ("a folder for a file, by force", lambda: put("k.html/x", "x"), "explorer -o k.html --force"),
        ("it is there", files(k__html="mine"), "explorer -o k.html"),
        ("a report is there", files(**{"r/x": "mine"}), "report real-ships data -o r"),
        ("a model is there", files(m__safetensors="mine"), "train data -o m"),
        ("the name of a network", nothing, "train data -o imagenet"),
        ("a comma", nothing, "train data -o a,b"),
        ("a device", nothing, "explorer -o /dev/null --force"),
        *([("a place where nothing can be written", nothing, "explorer -o /proc/kernel.html")]
          if sys.platform == "linux" else []),
        ("a folder that is not there", nothing, "explorer -o none/k.html"),
        ("ships, a device of Windows", nothing, "ships aux"),
        ("lessons, a device of Windows", nothing, "lessons nul --no-open")]:
    row(f"output: {name}", make, command(*line.split()), ...)


# Rights

def denied(name, make, closed, do):
    row(f"no right: {name}", nothing, as_nobody(both(make, lambda: os.chmod(closed, 0)), do), ...)

if sys.platform != "win32":
    denied("a picture, function", files(a__png=picture()), "a.png", call(OPEN + "open_picture('a.png')"))
    denied("a picture, command", files(a__png=picture()), "a.png", command("heatmap", "imagenet", "a.png"))
    denied("a class", classes("a", "b"), "data/b", call("sv.load_ships('data')"))
    denied("a table", ship_data(), "data/train/train.csv", command("train", "data", "-o", "m"))
    denied("a model", model(), "m.safetensors", call("sv.load_model('m')"))
    denied("a model, command", both(model(), files(a__png=picture())), "m.safetensors",
           command("heatmap", "./m", "a.png"))
    denied("the output's folder", lambda: os.mkdir("r"), "r", command("explorer", "-o", "r/k.html"))
    denied("a folder for ships", lambda: os.mkdir("r"), "r",
           call("sv.make_ships('r/d', n=5, n_test=0, size=48)"))
    denied("notebooks", lambda: os.mkdir("r"), "r", command("check", "r"))


if __name__ == "__main__": write()
