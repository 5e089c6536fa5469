"Data sets as people really have them: other layouts, broken files, hostile names, interrupted runs."
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shipviz.core import atomic_write, cache_dir, open_picture
from shipviz.data import get_dls, test_dl
from shipviz.datasets import load_mask, load_ships, make_ships, ships_data, write_submission
from shipviz.ships import CLASSES

ROOT = Path(__file__).resolve().parents[1]


def picture(path, size=(30, 20), mode="RGB", **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **kwargs)
    return path

@pytest.fixture
def hackathon(tmp_path):
    "An unpacked hackathon data set: 20 training pictures, 5 to predict."
    root = tmp_path/"data"
    for i in range(25): picture(root/f"train/images/{i}.jpg")
    rows = "".join(f"{i}.jpg,{i % 5 + 1}\n" for i in range(20))
    (root/"train/train.csv").write_text("image,category\n" + rows)
    (root/"test_ApKoW4T.csv").write_text("image\n" + "".join(f"{i}.jpg\n" for i in range(20, 25)))
    (root/"sample_submission_ns2btKE.csv").write_text("image,category\n" + "".join(f"{i}.jpg,1\n" for i in range(24, 19, -1)))
    return root

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
    with pytest.raises(FileNotFoundError, match="no test pictures"): test_dl(get_dls(hackathon, size=32), hackathon)

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
    df = load_ships(tmp_path)
    assert len(df) == 11 and df.image[0] == "ferry/0.jpg"
    dls = get_dls(tmp_path, size=32, bs=4)
    assert list(dls.vocab) == ["ferry", "tug"] and sorted(df.category.unique()) == [1, 2]

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
    (lambda p: None, "no folder with pictures"), (lambda p: picture(p/"only/1.jpg"), "found only"),
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
    ("", "is empty"), ("\n\n", "is empty"), ("image,category\n", "no rows"), ("image;category\n0.jpg;1\n", "separated by ';'"),
    ("image\tcategory\n0.jpg\t1\n", "separated by"), ("name,code\n0.jpg,1\n", "image,category"), ("0.jpg,1\n1.jpg,2\n", "first line"),
    ("image,image,category\n0.jpg,0.jpg,1\n", "naming the columns"), ("image,category\n0.jpg\n", "line 2"),
    ("image,category\n0.jpg,1,extra\n", "exactly 2 values"),
    ("image,category\n0.jpg,\n", "unknown code"), ("image,category\n0.jpg,0\n", "unknown code"),
    ("image,category\n0.jpg,6\n", r"line 2 '0.jpg' '6'"), ("image,category\n0.jpg,1.5\n", "unknown code"),
    ("image,category\n0.jpg,Cargo\n", "Cargo"),
    ("image,category\n0.jpg,nan\n", "unknown code"), ("image,category\n0.jpg,inf\n", "unknown code"),
    ("image,category\n0.jpg,-1\n", "unknown code"),
    ("image,category\n0.jpg,1\n0.jpg,1\n", "more than once"), ("image,category\n,1\n", "without a name"),
    ("image,category\n20.jpg,1\n0.jpg,1\n", "in both train.csv and test_"), ("image,category\n\x000.jpg,1\n", "no text file"),
])
def test_bad_tables(hackathon, text, words):
    csv(hackathon, text)
    with pytest.raises(ValueError, match=words): load_ships(hackathon)

@pytest.mark.parametrize("data", [b"\xff\xfei\x00m\x00", b"\x89PNG\r\n\x1a\n\xff", b"image,category\nb\xe9teau.jpg,1\n"])
def test_tables_in_other_encodings(hackathon, data):
    csv(hackathon, data, "wb")
    with pytest.raises(ValueError, match="UTF-8"): load_ships(hackathon)

@pytest.mark.parametrize("change", [
    lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace(",", " , "), lambda t: t.replace("\n", "\n\n"),
    str.rstrip,
    lambda t: t.replace(",1\n", ",1.0\n"), lambda t: "\n".join(f'"{line}"'.replace(",", '","') for line in t.splitlines()),
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
    "../train.csv", "a/../../train.csv", "/etc/passwd", "..", "C:\\ships\\0.jpg", "..\\0.jpg", "//server/0.jpg", "C:0.jpg"])
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
    with pytest.raises(FileNotFoundError, match=r"2 of 25 pictures are missing: '1.jpg' \(line 3\)"): load_ships(hackathon)

def test_verify(hackathon):
    break_some(hackathon)
    with pytest.raises(ValueError, match="4 of 25 pictures can't be read") as e: load_ships(hackathon, verify=True)
    assert all(f"'{i}.jpg'" in str(e.value) for i in (1, 2, 3, 4)) and "verify='skip'" in str(e.value)

def test_skip(hackathon):
    break_some(hackathon)
    with pytest.warns(UserWarning, match="Left out 4 of 25 pictures"): df = load_ships(hackathon, verify="skip")
    assert len(df) == 21 and len(df.attrs["skipped"]) == 4
    with pytest.warns(UserWarning): assert len(get_dls(hackathon, size=32, verify="skip").train_ds) == 11
    with pytest.raises(ValueError, match="verify is"): load_ships(hackathon, verify="yes")

def test_a_broken_picture_met_while_training_is_named(hackathon):
    break_some(hackathon)
    picture(hackathon/"train/images/1.jpg")
    dls = get_dls(hackathon, size=32)
    with pytest.raises(ValueError, match=r"\.jpg' can't be read as a picture"):
        for _ in range(2):
            for dl in dls: list(dl)

@pytest.mark.parametrize("mode, suffix", [
    ("L", "jpg"), ("CMYK", "jpg"), ("P", "gif"), ("RGBA", "png"), ("1", "png"), ("LA", "webp"), ("I;16", "png")])
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

def test_shapes_are_mixed(tmp_path):
    for i in range(12): picture(tmp_path/"ab"[i % 2]/f"{i}.jpg", size=(20 + 7*i, 90 - 5*i))
    x, _ = get_dls(tmp_path, size=(24, 40), bs=4).one_batch()
    assert tuple(x.shape) == (4, 3, 24, 40)

def test_tables_and_lists_as_input(hackathon):
    dls = get_dls(load_ships(hackathon), size=32, bs=8)
    assert tuple(dls.one_batch()[0].shape) == (8, 3, 32, 32) and all(p.is_file() for p in dls.valid_ds.items)
    paths = load_ships(hackathon).path.tolist()[:3]
    for data in (paths, [str(p) for p in paths], [Image.open(p) for p in paths], [str(paths[0]), Image.open(paths[1]), paths[2]]):
        assert tuple(next(iter(test_dl(dls, data)))[0].shape) == (3, 3, 32, 32)
    with pytest.raises(ValueError, match="no pictures"): test_dl(dls, [])

def test_submission(hackathon):
    df = load_ships(hackathon)
    names = df.image[df.split == "test"].tolist()
    file = write_submission(hackathon, names, [1, 2, 3, 4, 5])
    assert file == hackathon/"submission.csv"
    table = pd.read_csv(file)
    assert table.image.tolist() == [f"{i}.jpg" for i in range(24, 19, -1)] and table.category.tolist() == [5, 4, 3, 2, 1]
    with pytest.raises(FileExistsError): write_submission(hackathon, names, [1]*5)
    with pytest.raises(ValueError, match="only one of the two"): write_submission(hackathon, [*names[:-1], "x.jpg"], [1]*5, force=True)
    assert pd.read_csv(file).equals(table)


# rendered folders

def files(path): return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file() and p.name != ".lock"}

def test_same_files_for_any_number_of_workers(tmp_path):
    one, two = (make_ships(tmp_path/str(w), n=12, n_test=5, size=48, workers=w, progress=False) for w in (1, 2))
    assert files(one) == files(two) and len(files(one)) == 17*2 + 5
    df = load_ships(one, truth=True, verify=True)
    assert len(df) == 17 and df.label.notna().all() and load_mask(df.path[0]).shape == (48, 48)
    assert not list(tmp_path.rglob("*.tmp"))

def test_interrupted_and_completed(tmp_path):
    command = "import sys; from shipviz.datasets import make_ships; make_ships(sys.argv[1], n=30, n_test=5, size=48, workers=1)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    p = subprocess.Popen([sys.executable, "-c", command, str(tmp_path/"a")], env=env, stderr=subprocess.PIPE, start_new_session=True)
    images, start = tmp_path/"a/train/images", time.time()
    while time.time() - start < 120 and p.poll() is None and (not images.exists() or len(list(images.glob("*.jpg"))) < 5): time.sleep(.01)
    os.killpg(p.pid, signal.SIGINT)
    _, err = p.communicate(timeout=60)
    assert p.returncode != 0 and b"KeyboardInterrupt" in err
    assert not list(tmp_path.rglob("*.tmp")) and not list((tmp_path/"a").rglob("*.csv"))
    done = files(tmp_path/"a/train/images")
    assert 5 <= len(done) < 35
    with pytest.raises(FileNotFoundError): load_ships(tmp_path/"a")
    make_ships(tmp_path/"a", n=30, n_test=5, size=48, workers=1, progress=False)
    assert done.items() <= files(tmp_path/"a/train/images").items() and len(load_ships(tmp_path/"a")) == 35
    assert files(tmp_path/"a") == files(make_ships(tmp_path/"b", n=30, n_test=5, size=48, workers=1, progress=False))

def test_folders_that_are_not_ours(tmp_path):
    (tmp_path/"mine").mkdir()
    (tmp_path/"mine/thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="did not make"): make_ships(tmp_path/"mine", n=5, n_test=0, size=48)
    assert [p.name for p in (tmp_path/"mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(FileExistsError, match="is a file"): make_ships(tmp_path/"mine/thesis.txt", n=5, n_test=0, size=48)
    make_ships(tmp_path/"a", n=5, n_test=0, size=48)
    with pytest.raises(FileExistsError, match="difficulty is 'normal' there, 'hard' now"):
        make_ships(tmp_path/"a", n=5, n_test=0, size=48, difficulty="hard")

def test_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path/"home"))
    path = ships_data(n=5, n_test=0, size=48)
    assert path.is_relative_to(tmp_path/"home") and ships_data(n=5, n_test=0, size=48) == path != ships_data(n=6, n_test=0, size=48)
    (tmp_path/"file").touch()
    monkeypatch.setenv("SHIPVIZ_HOME", str(tmp_path/"file"))
    with pytest.raises(OSError, match="SHIPVIZ_HOME"): cache_dir()

def test_atomic_write(tmp_path):
    (tmp_path/"a").write_text("old")
    with pytest.raises(RuntimeError), atomic_write(tmp_path/"a") as tmp:
        tmp.write_text("half")
        raise RuntimeError
    assert files(tmp_path) == {"a": b"old"}
