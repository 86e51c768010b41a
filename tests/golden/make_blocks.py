#!/usr/bin/env python3
"""Makes tests/golden/data/blocks.json with fastai and scikit-learn.

    python tests/golden/make_blocks.py [tests/golden]

Needs fastai 2.8.12 with torch, scikit-learn and pandas (scripts/setup-peers makes such an environment).

train_test: indices of fastai's TrainTestSplitter. `stratify` holds the class of each item by a formula: of item i the
letter "abcde"[(i * i + 3 * i) % k % 5] of k classes; absent where classes are not kept. Long lists are held by the
SHA-256 of their decimals, as in splits.json. raw_samples: the pictures of tests/golden/vision/images.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from fastai.data.all import *
from fastai.vision.all import (ImageDataLoaders, LabeledBBox, PILImage, PointScaler, TensorBBox, TensorMultiCategory,
                               TensorPoint, bb_pad)
from PIL import Image


def plain(indices):
    return [int(i) for i in indices]


def indices_json(indices):
    indices = plain(indices)
    if len(indices) <= 60:
        return indices
    text = ",".join(map(str, indices))
    return {"count": len(indices), "first": indices[:12], "sha256": hashlib.sha256(text.encode()).hexdigest()}


def split_json(split):
    return {"train": indices_json(split[0]), "valid": indices_json(split[1])}


def class_of(i, k):
    return "abcde"[(i * i + 3 * i) % k % 5]


def train_test():
    cases = []
    for n in (12, 50, 333, 5000):
        for state in (0, 42, 2**32 - 1):
            for settings in ({}, {"test_size": 0.25}, {"test_size": 5}, {"test_size": 0.3, "train_size": 0.5},
                             {"shuffle": False}, {"classes": 2}, {"classes": 5}, {"classes": 5, "test_size": 0.35},
                             {"classes": 4, "test_size": 0.3, "train_size": 0.4}):
                given = dict(settings)
                k = given.pop("classes", None)
                items = list(range(n))
                stratify = [class_of(i, k) for i in items] if k else None
                if stratify and min(stratify.count(c) for c in set(stratify)) < 2:
                    continue
                try:
                    split = TrainTestSplitter(random_state=state, stratify=stratify, **given)(items)
                except ValueError:
                    continue  # a side smaller than the number of classes
                cases.append({"n": n, "random_state": state, **settings, **split_json(split)})
    return cases


def random_subset():
    return [{"n": n, "train_sz": t, "valid_sz": v, "seed": s, **split_json(RandomSubsetSplitter(t, v, s)(list(range(n))))}
            for n in (10, 77, 1000) for t, v in ((0.5, 0.2), (0.33, 0.1)) for s in (0, 42)]


def categories():
    items = [["sky", "sea"], ["sea"], [], ["tree", "sky", "road"]]
    out = []
    for settings in ({}, {"add_na": True}, {"vocab": ["tree", "sky", "sea", "road", "car"]}):
        categorize = MultiCategorize(**settings)
        one_hot = OneHotEncode()
        dsets = Datasets(items, tfms=[[categorize, one_hot]])
        out.append({"settings": settings, "items": items, "vocab": list(categorize.vocab), "c": one_hot.c,
                    "indices": [plain(categorize(o)) for o in items],
                    "one_hot": [plain(dsets[i][0]) for i in range(len(items))],
                    "decoded": [list(one_hot_decoded) for one_hot_decoded in
                                (dsets.decode(dsets[i])[0] for i in range(len(items)))]})
    numbers = Categorize()
    numbers.setup(TfmdLists([10, 2, 1, 2], []))
    return {"multi": out, "numbers": {"items": [10, 2, 1, 2], "vocab": [str(v) for v in numbers.vocab]}}


def points():
    cases = []
    for width, height, pts in ((640, 480, [[0, 0], [640, 480], [17.5, 300.25], [639, 1]]), (7, 3, [[3, 1], [6.5, 2.5]])):
        scaler = PointScaler()
        image = PILImage.create(np.zeros((height, width, 3), dtype=np.uint8))
        _, scaled = scaler((image, TensorPoint.create(pts)))
        boxes = [[1, 2, 5, 3], [0, 0, width, height]]
        _, scaled_boxes = scaler((image, TensorBBox(tensor(boxes).float())))
        decoded = scaler.decode((ToTensor()(image), scaled))[1]
        cases.append({"width": width, "height": height, "points": pts, "scaled": scaled.tolist(), "boxes": boxes,
                      "scaled_boxes": scaled_boxes.view(-1, 4).tolist(), "decoded": decoded.tolist()})
    return cases


def padded_boxes():
    image = TensorImage(torch.zeros(3, 8, 8))
    samples = [([[-1.5, -0.5, 0.25, 0.75], [0.5, 0.5, 0.5, 1.0], [0.0, 0.0, 2.0, 3.0]], [1, 2, 3]),
               ([[1.25, 0.0, 1.5, 0.5]], [2]),
               ([[-0.5, -0.5, 0.5, 0.5]], [4])]
    out = bb_pad([(image, TensorBBox(torch.tensor(b)), TensorMultiCategory(torch.tensor(l))) for b, l in samples])
    return {"boxes": [b for b, _ in samples], "labels": [l for _, l in samples],
            "padded_boxes": [o[1].tolist() for o in out], "padded_labels": [plain(o[2]) for o in out]}


def from_csv():
    """Which rows train and validate, and the classes, of small tables."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "train").mkdir()
        for i in range(20):
            PILImage.create(np.full((8, 8, 3), i, dtype=np.uint8)).save(folder / "train" / f"{i:03}.png")
        multi = pd.DataFrame({"name": [f"{i:03}" for i in range(20)],
                              "tags": [" ".join(["sky", "sea", "car"][: 1 + i % 3]) for i in range(20)],
                              "kind": [["cat", "dog"][i % 2] for i in range(20)],
                              "is_valid": [i % 4 == 0 for i in range(20)]})
        multi.to_csv(folder / "labels.csv", index=False)
        shared = {"folder": "train", "suff": ".png", "bs": 2, "num_workers": 0}
        for settings in ({"label_col": "tags", "label_delim": " ", "seed": 42}, {"label_col": "kind", "seed": 7},
                         {"label_col": "tags", "label_delim": " ", "valid_col": "is_valid"},
                         {"label_col": ["tags", "kind"], "seed": 3}):
            # pandas reads the names as numbers; kindling keeps them as they are written.
            df = pd.read_csv(folder / "labels.csv", dtype={"name": str})
            dls = ImageDataLoaders.from_df(df, folder, **shared, **settings)
            names = [list(ds.items["name"]) for ds in (dls.train_ds, dls.valid_ds)]
            out.append({"settings": settings, "vocab": list(dls.vocab), "c": dls.c, "train": names[0], "valid": names[1]})
        return {"csv": (folder / "labels.csv").read_text(), "cases": out}


def raw_samples(images):
    """SHA-256 of the stored indices of pictures with a palette, and of the bits of bilevel ones, row by row."""
    out = {}
    for name in ("png_palette.png", "png_palette_1.png", "png_palette_2.png", "png_palette_4.png", "png_bilevel.png",
                 "gif_palette.gif", "bmp_palette.bmp", "bmp_4.bmp", "tiff_palette.tif"):
        image = Image.open(images / name)
        assert image.mode in ("P", "1"), (name, image.mode)
        indices = np.array(image).astype(np.uint8)
        out[name] = {"width": image.width, "height": image.height, "sha256": hashlib.sha256(indices.tobytes()).hexdigest()}
    return out


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden") / "data"
    golden = {"train_test": train_test(), "random_subset": random_subset(), "categories": categories(),
              "points": points(), "bb_pad": padded_boxes(), "from_csv": from_csv(),
              "raw_samples": raw_samples(folder.parent / "vision" / "images")}
    (folder / "blocks.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
