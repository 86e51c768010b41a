#!/usr/bin/env python3
"""fastai's side of the benchmarks of augmentation: the same work on the same files as augment_bench. One JSON object.

    peer_augment.py batch PHOTOS                        aug_transforms() on a batch of 64 photos at 224 px in memory
    peer_augment.py pipeline PHOTOS N [--workers 0 1 2]   decode + RandomResizedCrop(224) + aug_transforms() of N photos

2 threads unless --threads says otherwise. All times are given in order, beside their median. Of the worker counts the best is
taken: an epoch starts its workers anew, as every fastai epoch does.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

SIDE, BATCH = 224, 64
LOAD_AT_START = os.getloadavg()[0]


def some_photos(folder, n):
    """`n` photos, evenly over the sorted list; augment_bench takes the same."""
    photos = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [photos[i * len(photos) // n] for i in range(n)]


def bench_batch(folder):
    from fastai.vision.all import IntToFloatTensor, PILImage, Pipeline, Resize, TensorImage, ToTensor, aug_transforms, torch

    resize = Resize(SIDE)
    photos = [ToTensor()(resize(PILImage.create(p), split_idx=1)) for p in some_photos(folder, BATCH)]
    batch = IntToFloatTensor()(TensorImage(torch.stack(photos)))
    pipeline = Pipeline(aug_transforms(), split_idx=0)
    seconds = []
    for run in range(15):
        start = time.perf_counter()
        pipeline((batch,))
        if run >= 3:
            seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds), "all": seconds}


def bench_pipeline(folder, n, workers, repeats):
    from fastai.vision.all import (CategoryBlock, DataBlock, ImageBlock, RandomResizedCrop, RandomSplitter,
                                   aug_transforms)

    photos = some_photos(folder, n)
    for photo in photos:
        photo.read_bytes()
    block = DataBlock(blocks=(ImageBlock, CategoryBlock), get_y=lambda _: "photo", item_tfms=RandomResizedCrop(SIDE),
                      splitter=RandomSplitter(0.01, seed=42), batch_tfms=aug_transforms())
    counts = {}
    for count in workers:
        dls = block.dataloaders(photos, bs=BATCH, num_workers=count)
        rates = []
        for _ in range(repeats):
            images, start = 0, time.perf_counter()
            for x, _ in dls.train:
                images += len(x)
            rates.append(images / (time.perf_counter() - start))
        counts[str(count)] = {"images_per_second": statistics.median(rates), "all": rates}
    best = max(counts.values(), key=lambda c: c["images_per_second"])
    return {"images": n, "workers": counts, **best}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["batch", "pipeline"])
    parser.add_argument("photos")
    parser.add_argument("n", nargs="?", type=int, default=1024)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    import fastai
    import torch

    torch.set_num_threads(args.threads)
    result = (bench_batch(args.photos) if args.what == "batch"
              else bench_pipeline(args.photos, args.n, args.workers, args.repeats))
    versions = {"fastai": fastai.__version__, "torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps({"bench": args.what, "load_at_start": LOAD_AT_START, **versions, **result}))


if __name__ == "__main__":
    main()
