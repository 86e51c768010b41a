#!/usr/bin/env python3
"""fastai's side of bench/tables: the same commands as tables_bench, one JSON object each.

    python bench/tables/peer_tables.py epoch|read|predict|accuracy CSV …
"""

import json
import resource
import statistics
import sys
import time

import torch
from fastai.tabular.all import (Categorify, FillMissing, Normalize, RandomSplitter, TabularDataLoaders, accuracy, range_of,
                                set_seed, tabular_learner)
import pandas as pd

CATS = ["workclass", "education", "marital-status", "occupation", "relationship", "race"]
CONTS = ["age", "fnlwgt", "education-num"]


def loaders(csv, seed=42, bs=64):
    df = pd.read_csv(csv, skipinitialspace=True)
    valid = RandomSplitter(seed=seed)(range_of(df))[1]
    return TabularDataLoaders.from_df(df, procs=[Categorify, FillMissing, Normalize], cat_names=CATS, cont_names=CONTS,
                                      y_names="salary", valid_idx=list(valid), bs=bs)


def silent(learn):
    from fastai.callback.progress import ProgressCallback
    learn.remove_cb(ProgressCallback)
    learn.logger = lambda *_: None
    return learn


def epoch(csv, runs=5):
    learn = silent(tabular_learner(loaders(csv), metrics=accuracy))
    seconds = []
    learn.fit(1)
    for _ in range(int(runs)):
        start = time.perf_counter()
        learn.fit(1)
        seconds.append(time.perf_counter() - start)
    return {"epoch_seconds": statistics.median(seconds), "all": seconds}


def read(csv):
    start = time.perf_counter()
    dls = loaders(csv)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows": len(dls.train_ds) + len(dls.valid_ds),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def predict(adult, csv):
    learn = silent(tabular_learner(loaders(adult)))
    seconds, row_seconds = [], []
    for r in range(4):
        start = time.perf_counter()
        df = pd.read_csv(csv, skipinitialspace=True)
        # The batch that serves it best.
        with learn.no_bar(), learn.no_logging():
            learn.get_preds(dl=learn.dls.test_dl(df, bs=4096))
        if r > 0:
            seconds.append(time.perf_counter() - start)
    df = pd.read_csv(adult, skipinitialspace=True)
    for i in range(60):
        row = df.iloc[i]
        start = time.perf_counter()
        with learn.no_bar(), learn.no_logging():
            learn.predict(row)
        if i >= 10:
            row_seconds.append(time.perf_counter() - start)
    return {"predict_seconds": statistics.median(seconds), "row_seconds": statistics.median(row_seconds)}


def accuracies(csv, seeds):
    figures, seconds = [], []
    for seed in range(int(seeds)):
        set_seed(seed)
        start = time.perf_counter()
        learn = silent(tabular_learner(loaders(csv, seed), metrics=accuracy))
        with learn.no_bar(), learn.no_logging():
            learn.fit_one_cycle(2)
        seconds.append(time.perf_counter() - start)
        figures.append([float(v) for v in learn.validate()])
    return {"valid_loss_and_accuracy": figures, "seconds": seconds}


def main():
    torch.set_num_threads(2)
    commands = {"epoch": epoch, "read": read, "predict": predict, "accuracy": accuracies}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
    main()
