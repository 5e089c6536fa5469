"Loaders for people's own pictures, and the score."
import numpy as np
import pytest
import torch
from pictures import picture, unpacked
from PIL import Image

from shipviz._errors import in_words_of_the_command_line
from shipviz.core import open_picture
from shipviz.data import get_dls, test_dl, weighted_f1
from shipviz.datasets import load_ships
from shipviz.learners import load_model, save_model, ship_learner


@pytest.fixture
def hackathon(tmp_path): return unpacked(tmp_path/"data")


# loaders

def test_classes_of_folders(tmp_path):
    for c, n in (("tug", 6), ("ferry", 5)):
        for i in range(n): picture(tmp_path/c/f"{i}.jpg")
    assert list(get_dls(tmp_path, size=32, bs=4).vocab) == ["ferry", "tug"]

def test_without_test_pictures(hackathon):
    for name in ("test_ApKoW4T.csv", "sample_submission_ns2btKE.csv"): (hackathon/name).unlink()
    dls = get_dls(hackathon, size=32)
    with pytest.raises(FileNotFoundError, match="no test pictures"): test_dl(dls, hackathon)

def test_skip(hackathon):
    (hackathon/"train/images/2.jpg").write_bytes(b"")
    with pytest.warns(UserWarning): assert len(get_dls(hackathon, size=32, verify="skip").train_ds) == 14

def test_a_broken_picture_met_while_training_is_named(hackathon):
    for i in (2, 3, 4): (hackathon/f"train/images/{i}.jpg").write_bytes(b"<html>Not found</html>")
    dls = get_dls(hackathon, size=32)
    with pytest.raises(ValueError, match=r"\.jpg' can't be read as a picture: .*verify='skip'"):
        for _ in range(2):
            for dl in dls: list(dl)

def test_one_advice_for_a_broken_picture(hackathon, tmp_path):
    "Whether a network was trained here or loaded, and in the words of the command line too."
    dls = get_dls(hackathon, size=32)
    save_model(ship_learner(dls, pretrained=False), tmp_path/"model")
    broken = tmp_path/"broken.jpg"
    broken.write_bytes(b"<html>Not found</html>")
    said = []
    for known in (dls, load_model(tmp_path/"model").dls):
        with pytest.raises(ValueError) as e: list(test_dl(known, [broken]))
        said.append(str(e.value))
    assert said[0] == said[1] and "broken.jpg" in said[0] and "verify='skip'" in said[0]
    assert in_words_of_the_command_line(said[0], ()).endswith(" Take such files out of the folder.")

def test_shapes_are_mixed(tmp_path):
    for i in range(12): picture(tmp_path/"ab"[i % 2]/f"{i}.jpg", size=(20 + 7*i, 90 - 5*i))
    x, _ = get_dls(tmp_path, size=(24, 40), bs=4).one_batch()
    assert tuple(x.shape) == (4, 3, 24, 40)

def test_tables_and_lists_as_input(hackathon):
    dls = get_dls(load_ships(hackathon), size=32, bs=8)
    assert tuple(dls.one_batch()[0].shape) == (8, 3, 32, 32) and all(p.is_file() for p in dls.valid_ds.items)
    paths = load_ships(hackathon).path.tolist()[:3]
    images = [Image.open(p) for p in paths]
    for data in (paths, [str(p) for p in paths], images, [str(paths[0]), Image.open(paths[1]), paths[2]]):
        assert tuple(next(iter(test_dl(dls, data)))[0].shape) == (3, 3, 32, 32)
    with pytest.raises(ValueError, match="no pictures"): test_dl(dls, [])

def odd_pictures(folder):
    "Pictures that loaders take for others: turned by the camera, 16 bits, transparent"
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    for c in "ab":
        for i in range(2):
            picture(folder/c/f"turned{i}.jpg", exif=exif)
            Image.fromarray(deep).save(folder/c/f"deep{i}.png")
            glass = picture(folder/c/f"glass{i}.png", mode="RGBA")
            image = Image.open(glass)
            image.putalpha(0)
            image.save(glass)
    return sorted(folder.rglob("*.*g"))

def test_one_loader(tmp_path):
    "What a network sees is what open_picture shows, however the picture comes in."
    paths = odd_pictures(tmp_path)
    dls = get_dls(tmp_path, size=(20, 30), bs=4, augment=False)
    for ds in (dls.train_ds, dls.valid_ds):
        for path, (image, _) in zip(ds.items, ds): assert np.array_equal(image, open_picture(path)), path
    first = lambda pictures: test_dl(dls, pictures).one_batch()[0]
    want = first(paths)
    assert torch.equal(want, first([np.asarray(open_picture(p)) for p in paths]))
    assert torch.equal(want, first([Image.open(p) for p in paths]))
    white = (1 - torch.tensor([.485, .456, .406]))/torch.tensor([.229, .224, .225])
    glass = want[[p.name.startswith("glass") for p in paths][:len(want)]].cpu()
    assert len(glass) and torch.allclose(glass, white.view(3, 1, 1).expand_as(glass), atol=1e-3)

def test_arguments(hackathon):
    dls = get_dls(hackathon, size=np.int64(32), bs=np.int64(4), valid_pct=np.float32(.2), seed=np.int64(42))
    assert tuple(dls.one_batch()[0].shape) == (4, 3, 32, 32)
    assert dls.train_ds.items == get_dls(hackathon, size=(32, 32)).train_ds.items
    refused = dict(bs=(True, 2.7, 0, "8"), size=(True, 32.5, (32, 2.7), "32"), seed=(True, 2.7),
                   num_workers=(-1, True), valid_pct=(True, 0, 1, "0.2", float("nan")))
    for name, values in refused.items():
        for value in values:
            options = {"size": 32} | {name: value}
            with pytest.raises(ValueError, match=f"^{name}"): get_dls(hackathon, **options)
    with pytest.raises(ValueError, match="^bs"): test_dl(dls, hackathon, bs=True)


# the score

def test_weighted_f1_wants_counts():
    counts = np.array([[8, 2, 0], [2, 2, 0], [0, 1, 5]])
    assert weighted_f1(counts.astype(float)) == weighted_f1(counts) == weighted_f1(torch.tensor(counts))
    for shares in (counts/counts.sum(1, keepdims=True), counts/counts.sum()):
        with pytest.raises(ValueError, match="fractions.*give the counts"): weighted_f1(shares)
