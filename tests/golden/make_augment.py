#!/usr/bin/env python3
"""Makes vision/augment_items.json, vision/augment_batch.json and vision/auto_augment.json beside this file, with fastai
and torchvision.

    python tests/golden/make_augment.py

Needs fastai 2.8.12, torchvision 0.29.1 and Pillow 13 (scripts/setup-peers makes such an environment).

Item transforms act on pictures that a formula draws (that of make_data.py). A case has the picture's kind and size, the
transform with its settings, `split` 0 (train) or 1 (valid), the `seed` of Python's random where it draws, and of the
result the size and the SHA-256 of its bytes. `points` are pixels of the picture before and after.

Batch transforms act on pictures of floats that a formula draws: of image n, channel c, row y, column x

    | (x (5 + 2 c) + y (9 - 2 c) + 37 c + 61 n) mod 510 - 255 | / 255

and masks (x / 2 + 2 (y / 2) + n) mod 5. Draws are given with p = 1. Results are in millionths.
"""

import hashlib
import json
import random
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from fastai.vision import augment
from fastai.vision.all import *
from PIL import Image
from torchvision.transforms import InterpolationMode, autoaugment

HERE = Path(__file__).parent / "vision"
torch.set_num_threads(1)


def drawn(kind, size):
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    channel = lambda c: (x * (3 + 2 * c) + y * (7 - 2 * c) + x * y // 16 + 40 * c) % 256
    if kind == "RGB":
        return PILImage(Image.fromarray(np.stack([channel(c) for c in range(3)], -1).astype(np.uint8)))
    if kind == "L":
        return PILImageBW(Image.fromarray(channel(0).astype(np.uint8)))
    return PILMask(Image.fromarray(((x // 8 + 2 * (y // 8)) % 5).astype(np.uint8)))


def sha(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def moved_points(transform, image, split, seed):
    """Points of the picture in pixels, before and after; fastai scales them to [-1, 1] first."""
    width, height = image.size
    before = [[0.0, 0.0], [width / 3, height / 4], [width - 1.0, height - 2.0]]
    scaled = TensorPoint(torch.tensor(before) * 2 / torch.tensor([width, height]) - 1, img_size=image.size)
    random.seed(seed)
    picture, points = transform((image, scaled), split_idx=split)
    after = (points + 1) / 2 * torch.tensor(picture.size)
    return {"before": before, "after": [[round(float(v), 4) for v in p] for p in after]}


def item_case(kind, size, name, settings, split, seed):
    transform = getattr(augment, name)(**settings)
    image = drawn(kind, size)
    random.seed(seed)
    out = transform(image, split_idx=split)
    case = {"transform": name, "settings": settings, "kind": kind, "size": list(size), "split": split, "seed": seed}
    for attribute, key in (("tl", "tl"), ("cp_size", "cut")):
        if name in ("RandomResizedCrop", "RandomCrop") and hasattr(transform, attribute):
            case[key] = [int(v) for v in getattr(transform, attribute)]
    case.update(result=list(out.size), sha256=sha(out))
    # On validation fastai centres the points by the size that the picture had before it was resized.
    astray = name == "RandomResizedCrop" and split == 1
    if kind == "RGB" and not astray and name not in ("FlipItem", "RatioResize"):
        case["points"] = moved_points(transform, image, split, seed)
    return case


def item_cases():
    cases = []
    sizes = [(50, 33), (33, 50), (97, 31), (20, 90), (64, 64)]
    for i, size in enumerate(sizes):
        for kind in ("RGB", "mask"):
            for seed in range(4):
                cases.append(item_case(kind, size, "RandomResizedCrop", {"size": [24, 28]}, 0, 10 * i + seed))
            cases.append(item_case(kind, size, "RandomResizedCrop", {"size": [24, 28], "min_scale": 0.5, "max_scale": 0.9,
                                                                     "ratio": [0.5, 0.8]}, 0, 100 + i))
            cases.append(item_case(kind, size, "RandomResizedCrop", {"size": [24, 28]}, 1, 0))
            cases.append(item_case(kind, size, "RandomResizedCrop", {"size": [40, 40], "val_xtra": 0.3}, 1, 0))
            for split in (0, 1):
                cases.append(item_case(kind, size, "RandomCrop", {"size": [30, 40]}, split, 200 + i))
                cases.append(item_case(kind, size, "RandomCrop", {"size": [20, 20]}, split, 300 + i))
            cases.append(item_case(kind, size, "RatioResize", {"max_sz": 32}, 0, 400 + i))
            for pad_mode in ("zeros", "border", "reflection"):
                cases.append(item_case(kind, size, "CropPad", {"size": [45, 38], "pad_mode": pad_mode}, 1, 0))
    # Scales that never fit: the widest allowed part in the middle.
    for size in [(97, 11), (11, 97)]:
        cases.append(item_case("RGB", size, "RandomResizedCrop", {"size": [24, 24], "min_scale": 1.0, "max_scale": 1.0},
                               0, 7))
    for kind in ("RGB", "L", "mask"):
        cases.append(item_case(kind, (50, 33), "FlipItem", {"p": 1.0}, 0, 0))
    for k in range(8):
        image = drawn("RGB", (50, 33))
        cases.append({"transform": "dihedral", "k": k, "kind": "RGB", "size": [50, 33], "result": list(image.dihedral(k).size),
                      "sha256": sha(image.dihedral(k))})
    return cases


def batch(n, c, h, w):
    i, k, y, x = np.meshgrid(*(np.arange(s) for s in (n, c, h, w)), indexing="ij")
    return TensorImage(torch.tensor(np.abs((x * (5 + 2 * k) + y * (9 - 2 * k) + 37 * k + 61 * i) % 510 - 255) / 255,
                                    dtype=torch.float32))


def masks(n, h, w):
    i, y, x = np.meshgrid(*(np.arange(s) for s in (n, h, w)), indexing="ij")
    return TensorMask(torch.tensor((x // 2 + 2 * (y // 2) + i) % 5))


def millionths(tensor):
    return [int(v) for v in (tensor.double() * 1e6).round().flatten().tolist()]


STEPS = {"flip": Flip, "dihedral": Dihedral, "rotate": Rotate, "zoom": Zoom, "warp": Warp}
LIGHT = {"brightness": Brightness, "contrast": Contrast, "saturation": Saturation}


def affine_of(steps, **options):
    return setup_aug_tfms([STEPS[s["step"]](p=1.0, **{k: v for k, v in s.items() if k != "step"}, **options)
                           for s in steps])[0]


def affine_case(steps, shape, size=None, with_others=False, **options):
    """`steps` with their draws, on pictures of that shape; perhaps masks, points and boxes with them."""
    n, c, h, w = shape
    transform = affine_of(steps, size=size, **options)
    x = batch(*shape)
    case = {"steps": steps, "shape": list(shape), "size": size, "options": options}
    if not with_others:
        case["images"] = millionths(transform(x, split_idx=0))
        return case
    points = torch.tensor([[[-0.5, 0.25], [0.9, -0.8], [0.0, 0.0]]]).repeat(n, 1, 1)
    boxes = torch.tensor([[[-0.5, -0.75, 0.25, 0.5], [0.1, 0.2, 0.3, 0.9]]]).repeat(n, 1, 1)
    out = transform((x, masks(n, h, w), TensorPoint(points), TensorBBox(boxes)), split_idx=0)
    case.update(images=millionths(out[0]), masks=[int(v) for v in out[1].flatten()], points=millionths(out[2]),
                boxes=millionths(out[3]))
    return case


def affine_cases():
    small = (2, 3, 11, 14)
    usual = [{"step": "flip", "draw": [0, 1]}, {"step": "warp", "draw_x": [0.15, -0.1], "draw_y": [-0.05, 0.2]},
             {"step": "rotate", "draw": [8.0, -9.5]},
             {"step": "zoom", "draw": [1.08, 1.02], "draw_x": [0.2, 0.9], "draw_y": [0.7, 0.1]}]
    cases = [affine_case(usual, small, with_others=True)]
    cases.append(affine_case([{"step": "flip", "draw": [1, 0]}], small, with_others=True))
    cases.append(affine_case([{"step": "dihedral", "draw": [3, 6]}], (2, 3, 12, 12), with_others=True))
    cases.append(affine_case([{"step": "dihedral", "draw": [0, 1, 2, 3, 4, 5, 6, 7]}], (8, 1, 6, 8), align_corners=True))
    cases.append(affine_case([{"step": "rotate", "draw": [30.0, -75.0]}], small, with_others=True))
    cases.append(affine_case([{"step": "zoom", "draw": [0.4, 2.5], "draw_x": [0.1, 0.8], "draw_y": [0.5, 0.3]}], small,
                             with_others=True))
    cases.append(affine_case([{"step": "warp", "draw_x": [0.1, 0.4], "draw_y": [-0.05, 0.3]}], small, with_others=True))
    for pad_mode in ("zeros", "border", "reflection"):
        for align_corners in (True, False):
            cases.append(affine_case([{"step": "rotate", "draw": [40.0]},
                                      {"step": "zoom", "draw": [0.3], "draw_x": [0.5], "draw_y": [0.4]}], (1, 3, 10, 9),
                                     pad_mode=pad_mode, align_corners=align_corners))
    cases.append(affine_case([{"step": "rotate", "draw": [40.0]}], (1, 3, 10, 9), mode="nearest"))
    cases.append(affine_case([{"step": "rotate", "draw": [20.0]}], (1, 2, 10, 9), mode="bicubic"))
    cases.append(affine_case([{"step": "rotate", "draw": [20.0]}], (1, 4, 10, 9)))
    cases.append(affine_case(usual, small, size=[7, 9], with_others=True))
    cases.append(affine_case(usual, small, size=[15, 20]))
    cases.append(affine_case(usual, (2, 3, 60, 50), size=[9, 12]))
    cases.append(affine_case([{"step": "zoom", "draw": [8.0], "draw_x": [0.5], "draw_y": [0.5]}], (1, 3, 60, 50),
                             size=[10, 10]))
    return cases


def valid_cases():
    cases = []
    for shape, size in (((1, 3, 11, 14), [7, 9]), ((1, 3, 60, 50), [9, 12])):
        x = batch(*shape)
        transform = Rotate(size=size)
        out = transform((x, masks(shape[0], *shape[2:])), split_idx=1)
        cases.append({"shape": list(shape), "size": size, "images": millionths(out[0]),
                      "masks": [int(v) for v in out[1].flatten()]})
    return cases


def lighting_cases():
    lists = [[("brightness", [0.42, 0.59])], [("contrast", [0.81, 1.22])], [("saturation", [0.5, 1.2])],
             [("brightness", [0.45, 0.5]), ("contrast", [1.0, 1.15])],
             [("contrast", [0.9, 1.2]), ("saturation", [1.1, 0.7]), ("brightness", [0.4, 0.6])]]
    cases = []
    for steps in lists:
        merged = setup_aug_tfms([LIGHT[name](draw=draw, p=1.0) for name, draw in steps])[0]
        cases.append({"steps": [{"step": name, "draw": draw} for name, draw in steps], "shape": [2, 3, 7, 8],
                      "images": millionths(merged(batch(2, 3, 7, 8), split_idx=0))})
    return cases


def hue_cases():
    draws = [0.0, 0.95, 1.09]
    return [{"draw": draws, "shape": [3, 3, 7, 8],
             "images": millionths(Hue(draw=draws, p=1.0)(batch(3, 3, 7, 8), split_idx=0))}]


def crop_gpu_cases():
    cases = []
    for seed, split, shape, settings in [
            (1, 0, (1, 3, 24, 30), {"size": [12, 10]}), (2, 0, (1, 3, 24, 30), {"size": [12, 10], "min_scale": 0.5}),
            (3, 0, (1, 3, 50, 60), {"size": [8, 8], "min_scale": 0.6, "ratio": [1, 1]}),
            (0, 1, (1, 3, 24, 50), {"size": [12, 10]}), (0, 1, (1, 3, 24, 30), {"size": [12, 10], "valid_scale": 0.7})]:
        transform = RandomResizedCropGPU(**settings)
        random.seed(seed)
        out = transform(batch(*shape), split_idx=split)
        mask = transform.encodes(masks(shape[0], *shape[2:]))
        cases.append({"seed": seed, "split": split, "shape": list(shape), "settings": settings,
                      "tl": [int(v) for v in transform.tl], "cut": [int(v) for v in transform.cp_size],
                      "images": millionths(out), "masks": [int(v) for v in mask.flatten()]})
    return cases


def erasing_cases():
    cases = []
    for seed in range(12):
        settings = {} if seed % 2 else {"max_count": 4, "sl": 0.1, "sh": 0.6}
        with mock.patch.object(augment, "cutout_gaussian", lambda x, areas: areas):
            random.seed(seed)
            areas = RandomErasing(p=1.0, **settings).encodes(batch(1, 3, 40, 30))
        cases.append({"seed": seed, "settings": settings, "rows_and_columns": [[int(v) for v in area] for area in areas]})
    return cases


OPS = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness",
       "Posterize", "Solarize", "AutoContrast", "Equalize"]


def applied(image, op, magnitude, fill):
    return autoaugment._apply_op(image, op, magnitude, interpolation=InterpolationMode.NEAREST, fill=fill)


def auto_augment():
    rand, wide = autoaugment.RandAugment(), autoaugment.TrivialAugmentWide()
    spaces = {"RandAugment": rand._augmentation_space(31, (33, 50)), "TrivialAugmentWide": wide._augmentation_space(31)}
    magnitudes = {name: {op: [float(v) for v in m.reshape(-1)] if m.ndim else [] for op, (m, _) in space.items()}
                  for name, space in spaces.items()}
    signed = [op for op, (_, sign) in spaces["RandAugment"].items() if sign]
    cases = []
    for kind, size in (("RGB", (50, 33)), ("L", (50, 33)), ("RGB", (40, 40))):
        image = Image.fromarray(np.asarray(drawn(kind, size)))
        for op in OPS:
            values = [0.0] if op != "Posterize" else []
            for name in spaces:
                table = magnitudes[name][op]
                values += [table[i] for i in (0, 4, 9, 17, 20, 30)] if table else []
            values = sorted(set(values) | {-v for v in values} if op in signed else set(values))
            for value in values:
                for fill in (None, [128] * len(image.getbands())) if op in OPS[1:6] else (None,):
                    cases.append([kind, *size, op, value, 128 if fill else 0, sha(applied(image, op, value, fill))[:16]])
    # Little contrast, one colour, and few values.
    for low, high in ((100, 140), (77, 77), (0, 1)):
        pixels = np.asarray(drawn("RGB", (50, 33))).astype(int) * (high - low) // 255 + low
        image = Image.fromarray(pixels.astype(np.uint8))
        for op in ("AutoContrast", "Equalize", "Contrast"):
            cases.append([f"RGB {low} {high}", 50, 33, op, 0.5, 0, sha(applied(image, op, 0.5, None))[:16]])
    return {"magnitudes": magnitudes, "signed": signed, "cases": cases}


def write(name, content):
    parts = []
    for key, value in content.items():
        lines = ",\n".join(json.dumps(v, separators=(",", ":")) for v in value) if isinstance(value, list) else None
        parts.append(f'"{key}":[\n{lines}\n]' if lines else f'"{key}":{json.dumps(value, separators=(",", ":"))}')
    text = "{" + ",\n".join(parts) + "}\n"
    (HERE / name).write_text(text)
    print(name, len(text), "bytes")


def main():
    write("augment_items.json", {"cases": item_cases()})
    write("augment_batch.json", {"affine": affine_cases(), "valid": valid_cases(), "lighting": lighting_cases(),
                                 "hue": hue_cases(), "crop_gpu": crop_gpu_cases(), "erasing": erasing_cases()})
    write("auto_augment.json", auto_augment())


if __name__ == "__main__":
    main()
