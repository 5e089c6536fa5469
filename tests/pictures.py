"Data sets for the tests: pictures of noise, in the layout of the hackathon."
import numpy as np
from PIL import Image


def picture(path, size=(30, 20), mode="RGB", **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **kwargs)
    return path

def unpacked(root):
    "An unpacked hackathon data set: 20 training pictures, 5 to predict."
    for i in range(25): picture(root/f"train/images/{i}.jpg")
    rows = "".join(f"{i}.jpg,{i % 5 + 1}\n" for i in range(20))
    (root/"train/train.csv").write_text("image,category\n" + rows)
    (root/"test_ApKoW4T.csv").write_text("image\n" + "".join(f"{i}.jpg\n" for i in range(20, 25)))
    sample = "".join(f"{i}.jpg,1\n" for i in range(24, 19, -1))
    (root/"sample_submission_ns2btKE.csv").write_text("image,category\n" + sample)
    return root
