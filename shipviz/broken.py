"""What is wrong with a file that is no picture, in words, and how large a picture may be.

Pillow says "cannot identify image file". Whoever saved a web page as ship.jpg, or copied a HEIC photo from a
phone, wants to know just that; so the error is put into words, with the help of the file's first bytes."""
import errno
import io
import math
import os
import re
import stat
from pathlib import Path

from PIL import Image, UnidentifiedImageError


class PictureError(ValueError):
    "A file that can't be read as a picture; `fault` says why, without its name."

    def __init__(self,
        what:str, # the file, or 'The picture'
        fault:str, # what is wrong with it, and what can be done
    )->None:
        super().__init__(f"{what} can't be read as a picture: {fault}.")
        self.what, self.fault = what, fault

    def __reduce__(self)->tuple: return type(self), (self.what, self.fault)  # for another process


def most_megapixels()->float:
    """How many megapixels a picture may have to be opened: `$SHIPVIZ_MAX_MEGAPIXELS`, or 100.

    A file of 172 kB can unfold to 13,300 × 13,300 pixels, half a gigabyte as RGB, and several times that
    while they are turned and converted. Raises ValueError if the variable is no number above 0."""
    given = os.environ.get("SHIPVIZ_MAX_MEGAPIXELS", "").strip() or "100"
    try: most = float(given)
    except ValueError: most = math.nan
    if not most > 0: raise ValueError(f"SHIPVIZ_MAX_MEGAPIXELS is a number above 0, but is {given!r}.")
    if most > 100 and Image.MAX_IMAGE_PIXELS:  # Pillow refuses more than twice its own limit
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, int(min(most, 1e9)*1e6))
    return most


def too_large(
    megapixels:float, # of the picture
    most:float, # as from `most_megapixels`
)->str:
    "The fault of a picture of more megapixels than are opened."
    return (f"it has {megapixels:,.0f} megapixels, and at most {most:g} are opened. Reduce it, or allow more "
            "in the environment variable SHIPVIZ_MAX_MEGAPIXELS")


NO_RIGHT = "you have no permission to read it"

# How other things begin that are taken for pictures, and what can be done
OTHERS = [
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg",
     "it is an SVG drawing, which has no pixels. Export it as PNG"),
    (rb"\s*<(!doctype html|html|head|body)", "it is a web page. Download the picture itself"),
    (rb"....ftyp(heic|heix|hevc|mif1|msf1|heim)", "it is a HEIC photo. Convert it to JPEG or PNG"),
    (rb"....ftypavi[fs]", "it is an AVIF picture. Convert it to JPEG or PNG"),
    (rb"....ftyp", "it is a film, or of another kind that is not read here. Convert it to JPEG or PNG"),
    (rb"\xff\x0a|....JXL ", "it is a JPEG XL picture. Convert it to JPEG or PNG"),
    (rb"%PDF", "it is a PDF document. Export its page as PNG"),
    (rb"PK\x03\x04", "it is a ZIP archive. Unpack it first"),
    (rb"version https://git-lfs", "it is a pointer of Git LFS. Fetch the file itself with `git lfs pull`"),
]


def fault_of(
    error:BaseException, # what Pillow raised
    source:Path|io.BytesIO, # the file, or its bytes
)->str: # what is wrong, and what can be done
    "Why a file could not be read as a picture: by the error, and by what the file begins with."
    if isinstance(error, PermissionError): return NO_RIGHT
    if isinstance(error, MemoryError): return "there is not enough memory for its pixels"
    if isinstance(error, Image.DecompressionBombError):
        pixels = re.search(r"\((\d+) pixels", str(error))
        return too_large(int(pixels[1])/1e6 if pixels else math.inf, min(most_megapixels(), 100))
    begin = head(source)
    if not begin: return "the file is empty"
    for pattern, fault in OTHERS:
        if re.match(pattern, begin, re.I | re.S): return fault
    if isinstance(error, UnidentifiedImageError):
        return "its content is of none of the kinds that are read here, such as JPEG, PNG, WebP and TIFF"
    return "the file is damaged, or its end is missing. Copy or download it again"


def head(
    source:Path|io.BytesIO, # a file, or its bytes
)->bytes: # at most 1024
    "What a file begins with; a question mark if it can't be read any more."
    if isinstance(source, io.BytesIO): return source.getvalue()[:1024]
    try:
        with source.open("rb") as file: return file.read(1024)
    except OSError: return b"?"


def refuse_no_file(
    path:Path,
    what:str, # its name, for the message
)->None:
    "Raise an error if nothing can be read there: also for a pipe, from which reading might never end."
    try: mode = path.stat().st_mode
    except (OSError, ValueError) as e:
        if isinstance(e, PermissionError): raise PictureError(what, NO_RIGHT) from e
        loop = ", only a link that leads to itself" if getattr(e, "errno", None) == errno.ELOOP else ""
        raise FileNotFoundError(f"There is no picture {what}{loop}.") from None
    if stat.S_ISDIR(mode): raise PictureError(what, "it is a folder. Give the pictures in it")
    if not stat.S_ISREG(mode): raise PictureError(what, "it is a pipe or a device, and no file")
