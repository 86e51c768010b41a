#!/usr/bin/env python3
"""fastai's side of bench/ratings: the same commands as ratings_bench, one JSON object each.

    python bench/ratings/peer_ratings.py epoch|course|read RATINGS.csv …
"""

import json
import resource
import statistics
import sys
import time

import torch
from fastai.callback.progress import ProgressCallback
from fastai.collab import CollabDataLoaders, collab_learner
from fastai.torch_core import set_seed


def silent(learn):
    learn.remove_cb(ProgressCallback)
    learn.logger = lambda *_: None
    return learn


def epoch(csv, runs=5):
    learn = silent(collab_learner(CollabDataLoaders.from_csv(csv, seed=42, bs=64), n_factors=50, y_range=(0.5, 5.5)))
    seconds, cpu = [], []
    learn.fit(1, 5e-3, wd=0.1)
    for _ in range(int(runs)):
        start, started = time.perf_counter(), time.process_time()
        learn.fit(1, 5e-3, wd=0.1)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - started)
    return {"epoch_seconds": statistics.median(seconds), "all": seconds, "cpu_seconds": statistics.median(cpu)}


def course(csv, seeds=5):
    figures, seconds, cpu = [], [], []
    for seed in range(int(seeds)):
        set_seed(seed)
        learn = silent(collab_learner(CollabDataLoaders.from_csv(csv, seed=seed), y_range=(0.5, 5.5)))
        start, started = time.perf_counter(), time.process_time()
        learn.fine_tune(10)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - started)
        figures.append([float(v) for v in learn.validate()])
    return {"valid_loss": figures, "seconds": seconds, "cpu_seconds": statistics.median(cpu)}


def read(csv):
    start = time.perf_counter()
    dls = CollabDataLoaders.from_csv(csv, seed=42)
    return {"seconds": time.perf_counter() - start, "ratings": len(dls.train_ds) + len(dls.valid_ds),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main():
    torch.set_num_threads(2)
    commands = {"epoch": epoch, "course": course, "read": read}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
    main()
