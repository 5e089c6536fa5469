"Data sets as people really have them: other layouts, broken files, hostile names, folders half unreadable."
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pictures import picture, unpacked
from PIL import Image

from shipviz.core import open_picture
from shipviz.datasets import find_pictures, load_ships, write_submission
from shipviz.ships import CLASSES
from shipviz.tables import check_names, read_codes, read_table

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def hackathon(tmp_path): return unpacked(tmp_path/"data")


def csv(root, text, mode="w", **kwargs):
    with open(root/"train/train.csv", mode, **kwargs) as f: f.write(text)


# layouts

def test_as_unpacked(hackathon):
    df = load_ships(hackathon)
    assert df.split.value_counts().to_dict() == {"train": 15, "valid": 5, "test": 5}
    assert sorted(df.label[df.split == "valid"]) == sorted(CLASSES)
    assert df.label[0] == "Cargo" and df.category[4] == 5 and df.path.map(Path.is_file).all()
    assert df.equals(load_ships(hackathon)) and not df.equals(load_ships(hackathon, seed=1))

def test_train_folder_is_given(hackathon):
    assert load_ships(hackathon/"train").image.tolist() == load_ships(hackathon).image.tolist()

def test_csv_at_top(hackathon):
    before = load_ships(hackathon).image.tolist()
    (hackathon/"train/train.csv").rename(hackathon/"train.csv")
    assert load_ships(hackathon).image.tolist() == before
    (hackathon/"train/images").rename(hackathon/"images")
    assert load_ships(hackathon).image.tolist() == before

def test_folder_twice(hackathon):  # unpacked into a folder of the same name
    (hackathon/"train").rename(hackathon/"inner")
    (hackathon/"train").mkdir()
    (hackathon/"inner").rename(hackathon/"train/train")
    assert len(load_ships(hackathon)) == 25

def test_relative_path(hackathon, monkeypatch):
    monkeypatch.chdir(hackathon/"train")
    assert len(load_ships(".")) == 25

def test_split_does_not_depend_on_row_order(hackathon):
    before = load_ships(hackathon).set_index("image").split
    header, *rows = (hackathon/"train/train.csv").read_text().splitlines()
    csv(hackathon, "\n".join([header, *rows[::-1]]))
    assert load_ships(hackathon).set_index("image").split.sort_index().equals(before.sort_index())

def test_without_test_pictures(hackathon):
    for name in ("test_ApKoW4T.csv", "sample_submission_ns2btKE.csv"): (hackathon/name).unlink()
    assert len(load_ships(hackathon)) == 20

def test_two_test_files(hackathon):
    (hackathon/"test_ApKoW4T (1).csv").write_text("image\n20.jpg\n")
    with pytest.raises(ValueError, match="several files test"): load_ships(hackathon)

def test_folder_per_class(tmp_path):
    for c, n in (("tug", 6), ("ferry", 5), ("empty", 0)):
        (tmp_path/c).mkdir()
        for i in range(n): picture(tmp_path/c/f"{i}.jpg")
    picture(tmp_path/"tug/.ipynb_checkpoints/0.jpg")
    picture(tmp_path/"loose.jpg")
    (tmp_path/"tug/notes.txt").write_text("no picture")
    told = "'empty' holds no pictures.*1 picture.s. lie outside of the class folders: loose.jpg"
    with pytest.warns(UserWarning, match=told):
        df = load_ships(tmp_path)
    assert len(df) == 11 and df.image[0] == "ferry/0.jpg"
    assert df.label.unique().tolist() == ["ferry", "tug"] and sorted(df.category.unique()) == [1, 2]

def test_train_and_valid_folders(tmp_path):
    for split, n in (("train", 4), ("val", 2)):
        for c in ("Tankers", "Cargo"):
            for i in range(n): picture(tmp_path/split/c/f"{split}{i}.png")
    picture(tmp_path/"test/unknown.png")
    df = load_ships(tmp_path)
    assert df.split.value_counts().to_dict() == {"train": 8, "valid": 4, "test": 1}
    assert df.label[0] == "Cargo" and set(df.image[df.split == "valid"].str[:4]) == {"val/"}
    picture(tmp_path/"val/Cruise/x.png")
    with pytest.raises(ValueError, match="Cruise"): load_ships(tmp_path)

@pytest.mark.parametrize("make, words", [
    (lambda p: None, "no folder with pictures"),
    (lambda p: picture(p/"only/1.jpg"), "found the class 'only' alone"),
    (lambda p: picture(p/"1.jpg"), "no data set")])
def test_no_data_set(tmp_path, make, words):
    make(tmp_path)
    with pytest.raises(FileNotFoundError, match=words): load_ships(tmp_path)

def test_parts_missing(hackathon, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"): load_ships(tmp_path/"nowhere")
    with pytest.raises(FileNotFoundError, match="no folder"): load_ships(hackathon/"train/train.csv")
    (hackathon/"train/images").rename(hackathon/"pictures")
    with pytest.raises(FileNotFoundError, match="no folder images"): load_ships(hackathon)
    (hackathon/"pictures").rename(hackathon/"train/images")
    (hackathon/"train/train.csv").unlink()
    with pytest.raises(FileNotFoundError, match="no train.csv"): load_ships(hackathon)


# tables

@pytest.mark.parametrize("text, words", [
    ("", "is empty"), ("\n\n", "is empty"), ("image,category\n", "no rows"),
    ("image;category\n0.jpg;1\n", "separated by ';'"), ("image\tcategory\n0.jpg\t1\n", "separated by"),
    ("name,code\n0.jpg,1\n", "image,category"), ("0.jpg,1\n1.jpg,2\n", "first line"),
    ("image,image,category\n0.jpg,0.jpg,1\n", "naming the columns"), ("image,category\n0.jpg\n", "line 2"),
    ("image,category\n0.jpg,1,extra\n", "exactly 2 values"),
    ("image,category\n0.jpg,\n", "unknown code"), ("image,category\n0.jpg,0\n", "unknown code"),
    ("image,category\n0.jpg,6\n", r"line 2 '0.jpg' '6'"), ("image,category\n0.jpg,1.5\n", "unknown code"),
    ("image,category\n0.jpg,Cargo\n", "Cargo"),
    ("image,category\n0.jpg,nan\n", "unknown code"), ("image,category\n0.jpg,inf\n", "unknown code"),
    ("image,category\n0.jpg,-1\n", "unknown code"),
    ("image,category\n0.jpg,1\n0.jpg,1\n", "more than once"), ("image,category\n,1\n", "without a name"),
    ("image,category\n20.jpg,1\n0.jpg,1\n", "in both train.csv and test_"),
    ("image,category\n\x000.jpg,1\n", "no text file"),
])
def test_bad_tables(hackathon, text, words):
    csv(hackathon, text)
    with pytest.raises(ValueError, match=words): load_ships(hackathon)

@pytest.mark.parametrize("data", [
    b"\xff\xfei\x00m\x00", b"\x89PNG\r\n\x1a\n\xff", b"image,category\nb\xe9teau.jpg,1\n"])
def test_tables_in_other_encodings(hackathon, data):
    csv(hackathon, data, "wb")
    with pytest.raises(ValueError, match="UTF-8"): load_ships(hackathon)

@pytest.mark.parametrize("change", [
    lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace(",", " , "),
    lambda t: t.replace("\n", "\n\n"),
    str.rstrip,
    lambda t: t.replace(",1\n", ",1.0\n"),
    lambda t: "\n".join(f'"{line}"'.replace(",", '","') for line in t.splitlines()),
    lambda t: "\n".join(f"{i},{line}" if i else "id," + line for i, line in enumerate(t.splitlines()))],
    ids=["bom", "crlf", "blanks", "empty lines", "no end of line", "floats", "quotes", "more columns"])
def test_tables_as_programs_write_them(hackathon, change):
    before = load_ships(hackathon)
    csv(hackathon, change((hackathon/"train/train.csv").read_text()), newline="")
    assert load_ships(hackathon).equals(before)

def test_errors_name_the_first_rows_and_count_them(hackathon):
    csv(hackathon, "image,category\n" + "".join(f"{i}.jpg,9\n" for i in range(20)))
    with pytest.raises(ValueError) as e: load_ships(hackathon)
    assert "20 row(s)" in str(e.value) and "line 2 '0.jpg'" in str(e.value) and len(str(e.value)) < 400


# names that lead out of the folder

@pytest.mark.parametrize("name", [
    "../train.csv", "a/../../train.csv", "/etc/passwd", "..", "C:\\ships\\0.jpg", "..\\0.jpg",
    "//server/0.jpg", "C:0.jpg"])
def test_names_that_leave(hackathon, name):
    csv(hackathon, f"image,category\n{name},1\n0.jpg,1\n")
    with pytest.raises(ValueError, match="leads out of") as e: load_ships(hackathon, verify="skip")
    assert "line 2" in str(e.value)

def test_links_that_leave(hackathon, tmp_path):
    picture(tmp_path/"private.jpg")
    (hackathon/"train/images/link.jpg").symlink_to(tmp_path/"private.jpg")
    (hackathon/"train/images/up").symlink_to(tmp_path)
    for name in ("link.jpg", "up/private.jpg"):
        csv(hackathon, f"image,category\n{name},1\n0.jpg,1\n")
        with pytest.raises(ValueError, match="leads out of"): load_ships(hackathon)

def test_the_image_folder_may_be_a_link(hackathon, tmp_path):
    (hackathon/"train/images").rename(tmp_path/"elsewhere")
    (hackathon/"train/images").symlink_to(tmp_path/"elsewhere")
    assert len(load_ships(hackathon)) == 25


# pictures

def break_some(root):
    images = root/"train/images"
    (images/"1.jpg").unlink()
    (images/"2.jpg").write_bytes((images/"2.jpg").read_bytes()[:300])
    (images/"3.jpg").write_bytes(b"")
    (images/"4.jpg").write_text("<html>Not found</html>")

def test_missing_pictures_are_always_noticed(hackathon):
    (hackathon/"train/images/1.jpg").unlink()
    (hackathon/"train/images/22.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"2 of 25 pictures are missing: '1.jpg' \(line 3\)"):
        load_ships(hackathon)

def test_verify(hackathon):
    break_some(hackathon)
    with pytest.raises(ValueError, match="4 of 25 pictures can't be read") as e:
        load_ships(hackathon, verify=True)
    assert all(f"'{i}.jpg'" in str(e.value) for i in (1, 2, 3, 4)) and "verify='skip'" in str(e.value)

def test_verify_opens_pictures_as_training_does(tmp_path):
    for c in "ab": picture(tmp_path/c/"1.jpg")
    Image.fromarray(np.full((20, 30), np.nan, dtype=np.float32)).save(tmp_path/"a/2.tif")
    with pytest.raises(ValueError, match="1 of 3 pictures can't be read: 'a/2.tif'.*not finite"):
        load_ships(tmp_path, verify=True)

def test_skip(hackathon):
    break_some(hackathon)
    with pytest.warns(UserWarning, match="Left out 4 of 25 pictures"):
        df = load_ships(hackathon, verify="skip")
    assert len(df) == 21 and len(df.attrs["skipped"]) == 4
    with pytest.raises(ValueError, match="verify is"): load_ships(hackathon, verify="yes")

@pytest.mark.parametrize("mode, suffix", [
    ("L", "jpg"), ("CMYK", "jpg"), ("P", "gif"), ("RGBA", "png"), ("1", "png"), ("LA", "webp"),
    ("I;16", "png")])
def test_all_kinds_of_pictures(tmp_path, mode, suffix):
    path = tmp_path/f"a.{suffix}"
    if mode == "I;16": Image.fromarray(np.full((20, 30), 300, dtype=np.uint16)).save(path)
    else: picture(path, mode="RGBA" if mode == "LA" else mode)
    im = open_picture(path)
    assert im.mode == "RGB" and im.size == (30, 20)

def test_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    assert open_picture(picture(tmp_path/"a.jpg", exif=exif)).size == (20, 30)

def test_bomb(tmp_path, monkeypatch):
    path = picture(tmp_path/"a.png", size=(300, 300))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="can't be read as a picture"): open_picture(path)

def test_submission(hackathon):
    df = load_ships(hackathon)
    names = df.image[df.split == "test"].tolist()
    file = write_submission(hackathon, names, [1, 2, 3, 4, 5])
    assert file == hackathon/"submission.csv"
    table = pd.read_csv(file)
    assert table.image.tolist() == [f"{i}.jpg" for i in range(24, 19, -1)]
    assert table.category.tolist() == [5, 4, 3, 2, 1]
    with pytest.raises(FileExistsError): write_submission(hackathon, names, [1]*5)
    with pytest.raises(ValueError, match="only one of the two"):
        write_submission(hackathon, [*names[:-1], "x.jpg"], [1]*5, force=True)
    assert pd.read_csv(file).equals(table)


# what is left out of class folders

def class_folders(root, *names):
    for c in names:
        for i in range(3): picture(root/c/f"{i}.jpg")

@pytest.fixture
def no_heic(monkeypatch):
    "A Pillow that can't read .heic, whatever is installed here"
    Image.init()
    monkeypatch.delitem(Image.EXTENSION, ".heic", raising=False)

def test_classes_that_nobody_can_read(tmp_path, no_heic):
    class_folders(tmp_path, "tug", "ferry")
    (tmp_path/"yacht").mkdir()
    (tmp_path/"yacht/1.heic").write_bytes(b"heic")
    (tmp_path/"yacht/2.HEIC").write_bytes(b"heic")
    words = "yacht' holds 2 picture.*1.heic, 2.HEIC.*convert them to JPEG or PNG"
    with pytest.raises(ValueError, match=words):
        load_ships(tmp_path)
    picture(tmp_path/"yacht/3.jpg")
    with pytest.warns(UserWarning, match=r"2 picture\(s\).*left out \(yacht/1.heic, yacht/2.HEIC\): convert"):
        df = load_ships(tmp_path)
    assert df.label.value_counts().to_dict() == {"tug": 3, "ferry": 3, "yacht": 1}
    with pytest.warns(UserWarning, match="2 picture"): assert len(find_pictures(tmp_path)) == 7

def test_rare_kinds_that_pillow_reads_are_pictures(tmp_path):
    class_folders(tmp_path, "tug", "ferry")
    picture(tmp_path/"tug/a.jfif", format="JPEG")
    picture(tmp_path/"tug/a.ppm")
    assert len(load_ships(tmp_path, verify=True)) == 8 and len(find_pictures(tmp_path)) == 8

def test_unreadable_folders(tmp_path, monkeypatch):
    class_folders(tmp_path, "tug", "ferry", "tug/more")
    scandir = os.scandir
    def refusing(path):
        if Path(path).name == "more": raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)
    monkeypatch.setattr(os, "scandir", refusing)
    for read in (load_ships, find_pictures):
        with pytest.raises(OSError, match="more' can't be read .*the right to read it"): read(tmp_path)

def test_an_unreadable_data_set(tmp_path, monkeypatch):
    class_folders(tmp_path, "train/a", "train/b")
    def refusing(path): raise PermissionError(13, "Permission denied", str(path))
    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(OSError, match="train' can't be read .*the right to read it"): load_ships(tmp_path)

def left_out(root, read):
    "The one warning with which `read` tells what it left out of a folder."
    with pytest.warns(UserWarning) as told: found = read(root)
    assert len(told) == 1
    return len(found), str(told[0].message)

def test_pictures_without_an_ending_are_told(tmp_path):
    class_folders(tmp_path, "tug", "ferry")
    picture(tmp_path/"tug/3.jpg").rename(tmp_path/"tug/third")
    picture(tmp_path/"tug/4.png").rename(tmp_path/"tug/fourth.2026-11-26")
    (tmp_path/"tug/README").write_text("BMP and other words, but no picture")
    if hasattr(os, "mkfifo"): os.mkfifo(tmp_path/"tug/pipe")  # whoever reads from it waits for ever
    for read in (load_ships, find_pictures):
        n, said = left_out(tmp_path, read)
        assert n == 6 and "2 picture(s) without the ending of a picture are left out" in said
        assert "(tug/fourth.2026-11-26, tug/third)" in said and "README" not in said and "pipe" not in said

def test_a_class_of_pictures_without_an_ending_is_refused(tmp_path):
    class_folders(tmp_path, "tug", "ferry", "yacht")
    for p in (tmp_path/"yacht").iterdir(): p.rename(p.with_suffix(""))
    with pytest.raises(ValueError, match="yacht' holds 3 .*none with the ending of a picture.*0, 1, 2"):
        load_ships(tmp_path)

def test_linked_folders_inside_a_class_are_told(tmp_path):
    class_folders(tmp_path/"ships", "tug", "ferry")
    class_folders(tmp_path, "elsewhere")
    (tmp_path/"ships/tug/more").symlink_to(tmp_path/"elsewhere")
    (tmp_path/"ships/ferry/round").symlink_to(tmp_path/"ships/ferry")
    for read in (load_ships, find_pictures):
        n, said = left_out(tmp_path/"ships", read)
        assert n == 6 and "2 linked folder(s) are left out (ferry/round, tug/more)" in said

def test_hidden_pictures_inside_a_class_are_told(tmp_path):
    class_folders(tmp_path/"train", "tug", "ferry")
    picture(tmp_path/"train/tug/.secret.jpg")
    picture(tmp_path/"train/tug/.old/deep/1.png")
    (tmp_path/"train/tug/.DS_Store").write_bytes(b"no picture")
    (tmp_path/"train/tug/._0.jpg").write_bytes(b"macOS's companion of 0.jpg")
    picture(tmp_path/"test/.hidden/2.png")
    n, said = left_out(tmp_path, load_ships)
    assert n == 6 and "2 hidden picture(s) are left out (tug/.old/deep/1.png, tug/.secret.jpg)" in said
    assert "1 hidden picture(s) are left out (test/.hidden/2.png)" in said
    n, said = left_out(tmp_path, find_pictures)
    assert n == 6 and "3 hidden picture(s) are left out" in said and "._0" not in said and ".DS" not in said

def test_names_that_are_no_utf8_are_told_readably(tmp_path):
    class_folders(tmp_path, "tug", "ferry")
    picture(tmp_path/"x.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/tug/b\xe9"))
    n, said = left_out(tmp_path, load_ships)
    assert n == 6 and "(tug/b\ufffd)" in said

@pytest.mark.parametrize("valid", ["valid", "val", "validation"])
def test_names_of_the_validation_folder(tmp_path, valid):
    class_folders(tmp_path, "train/a", "train/b", f"{valid}/a", f"{valid}/b")
    assert load_ships(tmp_path).split.value_counts().to_dict() == {"train": 6, "valid": 6}
    (tmp_path/"train").rename(tmp_path/"training")
    with pytest.raises(ValueError, match="no folder train/"): load_ships(tmp_path)

def test_two_validation_folders(tmp_path):
    class_folders(tmp_path, "train/a", "train/b", "val/a", "valid/a")
    with pytest.raises(ValueError, match="several folders for validation: valid, val. Leave only one"):
        load_ships(tmp_path)

def test_what_lies_elsewhere_is_told(tmp_path):
    class_folders(tmp_path, "train/a", "train/b", "train/c", "val/a", "extra/a")
    for p in (tmp_path/"train/c").iterdir(): p.unlink()
    picture(tmp_path/"val/loose.jpg")
    with pytest.warns(UserWarning) as told: load_ships(tmp_path)
    assert len(told) == 1 and all(words in str(told[0].message) for words in (
        "'c' holds no pictures", "'extra' beside train/ is not read (3 pictures)", "loose.jpg"))
    assert told[0].filename == __file__


# size and speed

def test_a_million_rows(tmp_path):
    file, start = tmp_path/"train.csv", time.process_time()
    file.write_text("image,category\n" + "".join(f"{i}.jpg,{i % 5 + 1}\n" for i in range(10**6)))
    table = read_table(file, ["image", "category"])
    check_names(table, file, tmp_path)
    codes = read_codes(table, file)
    assert len(codes) == 10**6 and table.line.iloc[-1] == 10**6 + 1 and codes.iloc[-1] == 5
    assert time.process_time() - start < 20

def test_lines_are_counted_in_the_file(hackathon):
    csv(hackathon, 'image,note,category\n0.jpg,"two\nlines",1\n\n1.jpg,x,9\n')
    with pytest.raises(ValueError, match="line 5 '1.jpg' '9'"): load_ships(hackathon)
    # a quote that is never closed swallows the rest
    csv(hackathon, 'image,category\n0.jpg,1\n"1.jpg,2\n2.jpg,3\n')
    with pytest.raises(ValueError, match="line 4"): load_ships(hackathon)

@pytest.mark.parametrize("module", ["core", "workers", "tables", "rendered", "datasets"])
def test_importing_it_is_cheap(module):
    heavy = {"fastai", "torch", "matplotlib.pyplot", "IPython", "ipywidgets", "jupyterlab"}
    code = f"import sys, shipviz.{module}; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert not done.stderr and done.returncode == 0
