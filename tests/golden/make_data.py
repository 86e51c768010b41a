#!/usr/bin/env python3
"""Makes tests/golden/data/splits.json and tests/golden/vision/resize_transform.json with fastai.

    python tests/golden/make_data.py [tests/golden]

Needs fastai 2.8.12 with Pillow and torch (scripts/setup-peers makes such an environment).

splits.json: train and valid indices of the splitters. Of long lists the first twelve and the SHA-256 of all, written
as decimals with commas between them ("3,1,2").

resize_transform.json: what fastai's Resize makes of pictures that a formula draws. The formula, for the pixel in
column x and row y, channel c, all integers:

    RGB:   (x * (3 + 2c) + y * (7 - 2c) + (x * y) / 16 + 40 * c) mod 256        (the division rounds down)
    L:     the same with c = 0
    mask:  (x / 8 + 2 * (y / 8)) mod 5

`crop` and `tl` are the size and the top left corner (x, y) of the rectangle that is cut or padded, in the picture's
pixels; absent for squish. `draws` are the two values of random.random() on the training set, x first; null on the
validation set. `sha256` is that of the result's bytes, row by row, channels interleaved.
"""

import hashlib
import json
import random
import sys
from pathlib import Path
from unittest import mock

import numpy as np
from fastai.data.all import *
from fastai.vision.all import PILImage, PILImageBW, PILMask, Resize
from PIL import Image


def plain_list(indices):
    return [int(i) for i in indices]


def indices_json(indices):
    indices = plain_list(indices)
    if len(indices) <= 60:
        return indices
    text = ",".join(map(str, indices))
    return {"count": len(indices), "first": indices[:12], "sha256": hashlib.sha256(text.encode()).hexdigest()}


def split_json(split):
    train, valid = split
    return {"train": indices_json(train), "valid": indices_json(valid)}


def splits():
    cases = []

    def add(splitter, settings, items, split):
        cases.append({"splitter": splitter, **settings, **items, **split_json(split)})

    for n in (1, 2, 5, 10, 20, 47, 462, 7390):
        for seed in (0, 42, 123456789):
            for pct in (0.2, 0.33) if seed == 42 else (0.2,):
                add("random", {"valid_pct": pct, "seed": seed}, {"n": n}, RandomSplitter(pct, seed)(range(n)))
    # int(pct * n) in floating point: 0.29 * 100 is 28.999999999999996.
    add("random", {"valid_pct": 0.29, "seed": 1}, {"n": 100}, RandomSplitter(0.29, 1)(range(100)))
    add("random", {"valid_pct": 0.0, "seed": 1}, {"n": 4}, RandomSplitter(0.0, 1)(range(4)))
    add("random", {"valid_pct": 1.0, "seed": 1}, {"n": 4}, RandomSplitter(1.0, 1)(range(4)))
    for n in (1, 3, 10, 11):
        for pct in (0.2, 0.5):
            for last in (True, False):
                settings = {"valid_pct": pct, "valid_last": last}
                add("end", settings, {"n": n}, EndSplitter(pct, last)(list(range(n))))
    for valid in ([3, 7, 9], [9, 3, 7], [], [0]):
        add("index", {"valid_idx": valid}, {"n": 10}, IndexSplitter(valid)(list(range(10))))

    folders = ["train", "valid", "test", "train", "valid", "other", "train", "test"]
    paths = [Path("data") / folder / label / f"{i}.png" for i, (folder, label) in enumerate(zip(folders, "37" * 4))]
    items = {"items": [p.as_posix() for p in paths]}
    for train, valid in (("train", "valid"), (("train", "valid"), "test"), (("valid", "train"), ("other", "test"))):
        settings = {"train_name": list(L(train)), "valid_name": list(L(valid))}
        add("grandparent", settings, items, GrandparentSplitter(train, valid)(paths))
    add("func", {"func": "parent folder is 7"}, items, FuncSplitter(lambda p: p.parent.name == "7")(paths))
    names = ["5.png", "1.png", "missing.png", ""]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "valid.txt").write_text("\n".join(names))
        add("file", {"names": names}, items, FileSplitter(Path(folder) / "valid.txt")(paths))
    return {"cases": cases}


def drawn(kind, size):
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    channel = lambda c: (x * (3 + 2 * c) + y * (7 - 2 * c) + x * y // 16 + 40 * c) % 256
    if kind == "RGB":
        return PILImage(Image.fromarray(np.stack([channel(c) for c in range(3)], -1).astype(np.uint8)))
    if kind == "L":
        return PILImageBW(Image.fromarray(channel(0).astype(np.uint8)))
    return PILMask(Image.fromarray(((x // 8 + 2 * (y // 8)) % 5).astype(np.uint8)))


def resized(kind, size, target, method, pad_mode, draws):
    image = drawn(kind, size)
    geometry = {}
    crop_pad = Image.Image.crop_pad

    def watched(x, sz, tl=None, **kwargs):
        geometry.update(crop=plain_list(sz), tl=plain_list(tl))
        return crop_pad(x, sz, tl, **kwargs)

    transform = Resize(tuple(target), method=method, pad_mode=pad_mode)
    with mock.patch.object(Image.Image, "crop_pad", watched):
        with mock.patch.object(random, "random", mock.Mock(side_effect=draws or [])):
            out = transform(image, split_idx=0 if draws else 1)
    assert out.size == (target[1], target[0])
    case = {"kind": kind, "width": size[0], "height": size[1], "target": {"height": target[0], "width": target[1]}}
    case.update(method=method, pad_mode=pad_mode, draws=draws)
    if method != "squish":
        case.update(geometry)
    case["sha256"] = hashlib.sha256(out.tobytes()).hexdigest()
    case["first_row"] = list(out.tobytes()[: 4 * len(out.getbands())])
    return case


def resizes():
    sizes = [(50, 33), (33, 50), (64, 64), (20, 9), (97, 31), (500, 333), (333, 500)]
    targets = [(24, 24), (32, 20), (17, 45)]
    cases = []
    for size in sizes:
        for target in targets if size[0] < 300 else [(224, 224), (256, 192)]:
            cases.append(resized("RGB", size, target, "squish", "reflection", None))
            cases.append(resized("RGB", size, target, "crop", "reflection", None))
            for pad_mode in ("reflection", "zeros", "border"):
                cases.append(resized("RGB", size, target, "pad", pad_mode, None))
    for size in [(50, 33), (33, 50), (97, 31)]:
        for draws in ([0.0, 0.0], [0.9999, 0.9999], [0.37, 0.81], [0.5, 0.25]):
            for target in targets[:2]:
                for method, pad_mode in (("crop", "reflection"), ("pad", "reflection"), ("pad", "zeros")):
                    cases.append(resized("RGB", size, target, method, pad_mode, draws))
    # Pads wider than the picture reflect more than once.
    for pad_mode in ("reflection", "zeros", "border"):
        cases.append(resized("RGB", (40, 5), (24, 24), "pad", pad_mode, None))
        cases.append(resized("RGB", (3, 50), (10, 30), "pad", pad_mode, [0.2, 0.9]))
        cases.append(resized("RGB", (40, 1), (24, 24), "pad", pad_mode, None))
    for kind in ("L", "mask"):
        for size in [(50, 33), (28, 28)]:
            for method in ("squish", "crop", "pad"):
                cases.append(resized(kind, size, (24, 32), method, "reflection", None))
    return {"cases": cases}


def main():
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for name, content in (("data/splits.json", splits()), ("vision/resize_transform.json", resizes())):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        text = '{"cases":[\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in content["cases"]) + "\n]}\n"
        (target / name).write_text(text)
        print(name, len(content["cases"]), "cases,", len(text), "bytes")


if __name__ == "__main__":
    main()
