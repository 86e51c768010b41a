#!/usr/bin/env python3
"""Makes tests/golden/train/callbacks.json with fastai and torch: callbacks on a small fixed problem.

    python tests/golden/make_callbacks.py [tests/golden/train]

Needs fastai 2.8.12 and torch (scripts/setup-peers makes such an environment). Tensors are written as in make_training.py.

Sections:
  mix        MixUp and CutMix of one batch: what a seed draws, the mixed inputs, the loss, mixed float targets
  scaler     torch's GradScaler: the scale after each step, for a pattern of good and infinite gradients
  trackers   epochs and learning rates of EarlyStopping, ReduceLROnPlateau, SaveModel over given values of a metric
  fits       losses and final weights of fits with GradientAccumulation, GradientClip, ShortEpoch, BnFreeze, an average
  tta        predictions of `tta` with a transform that adds the pass's number
  loop       show_training_loop() and summary() of the small net, CSVLogger's file, columns with train_metrics
"""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import torch
from fastai.basics import *
from fastai.callback.all import *
from fastai.callback.mixup import CutMix, MixUp
from make_training import quiet, state_json, tensor_json
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def problem(n_train=12, n_valid=5, seed=5):
    g = torch.Generator().manual_seed(seed)
    x, xv = torch.randn(n_train, 6, generator=g), torch.randn(n_valid, 6, generator=g)
    return x, torch.arange(n_train) % 3, xv, torch.arange(n_valid) % 3


def small_net():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU()), nn.Sequential(nn.Linear(8, 3))
    )


def loaders(bs=4):
    x, y, xv, yv = problem()
    return DataLoaders(
        DataLoader(list(zip(x, y)), bs=bs, shuffle=False, num_workers=0),
        DataLoader(list(zip(xv, yv)), bs=bs, shuffle=False, num_workers=0),
        device=torch.device("cpu"),
    )


def learner(metrics=None, cbs=None, path=None, **kwargs):
    learn = Learner(
        loaders(), small_net(), loss_func=CrossEntropyLossFlat(), opt_func=SGD, metrics=metrics, cbs=cbs, path=path,
        splitter=lambda m: [list(m[0].parameters()), list(m[1].parameters())], **kwargs,
    )
    return quiet(learn)


# ---- mixing


def mixed(cb_class, target, seed=42):
    g = torch.Generator().manual_seed(3)
    x = torch.rand(6, 2, 5, 7, generator=g)
    y = torch.arange(6) % 3 if target == "classes" else torch.rand(6, 2, generator=g)
    net = nn.Sequential(nn.Flatten(), nn.Linear(70, 3 if target == "classes" else 2))
    torch.manual_seed(9)
    for p in net.parameters():
        nn.init.uniform_(p, -0.1, 0.1)
    loss = CrossEntropyLossFlat() if target == "classes" else MSELossFlat()
    dl = DataLoader([(a, b) for a, b in zip(x, y)], bs=6, shuffle=False, num_workers=0)
    seen = {}

    class See(Callback):
        order = 90
        run_valid = False

        def before_batch(self):
            seen.update(x=tensor_json(self.xb[0]), y=tensor_json(self.yb[0]))

        def after_loss(self):
            seen.update(loss=float(self.loss))

    learn = Learner(DataLoaders(dl, dl, device=torch.device("cpu")), net, loss_func=loss, opt_func=SGD, cbs=[cb_class(), See()])
    quiet(learn)

    class Seed(Callback):
        order = -50
        run_valid = False

        def before_batch(self):
            torch.manual_seed(seed)

    learn.add_cb(Seed())
    learn.fit(1, 0.0)
    return {
        "callback": cb_class.__name__, "target": target, "seed": seed, "inputs": tensor_json(x), "targets": tensor_json(y),
        "state": state_json(net), "mixed_x": seen["x"], "mixed_y": seen["y"], "loss": seen["loss"],
    }


# ---- the scaler


def scaler_run(pattern, **kwargs):
    scaler = torch.amp.GradScaler("cpu", **kwargs)
    p = nn.Parameter(torch.ones(2))
    opt = torch.optim.SGD([p], lr=0.0)
    scales, grads = [], []
    for good in pattern:
        opt.zero_grad()
        scaler.scale((p * torch.tensor([2.0, 3.0])).sum()).backward()
        if not good:
            p.grad[0] = float("inf")
        scaler.unscale_(opt)
        grads.append([float(g) for g in p.grad] if good else None)
        scaler.step(opt)
        scaler.update()
        scales.append(scaler.get_scale())
    return {"pattern": pattern, "options": kwargs, "scales": scales, "grads": grads}


# ---- trackers


def tracked(make_cb, values, name, epochs):
    """A metric that gives `values`, one an epoch."""
    count = []

    class Sequence(Metric):
        def reset(self):
            count.append(0)

        def accumulate(self, learn):
            pass

        @property
        def value(self):
            return values[len(count) - 1]

    metric = Sequence()
    type(metric).name = property(lambda self: name)
    rates = []

    class Rates(Callback):
        order = 64

        def after_train(self):
            rates.append([h["lr"] for h in self.opt.hypers])

    with tempfile.TemporaryDirectory() as folder:
        learn = learner(metrics=[metric], cbs=[make_cb(), Rates()], path=Path(folder))
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            learn.fit(epochs, 0.1)
    return {"values": values, "column": name, "epochs": len(rates), "lrs": rates, "printed": text.getvalue().splitlines()}


def trackers():
    up = [0.1, 0.3, 0.2, 0.25, 0.31, 0.3, 0.2, 0.1]
    down = [1.0, 0.8, 0.79, 0.9, 0.7, 0.75, 0.74, 0.73]
    runs = []
    for label, make, values, name in [
        ("EarlyStopping patience 2", lambda: EarlyStoppingCallback("acc", patience=2), up, "acc"),
        ("EarlyStopping patience 3", lambda: EarlyStoppingCallback("acc", patience=3), up, "acc"),
        ("EarlyStopping min_delta 0.05", lambda: EarlyStoppingCallback("my_loss", min_delta=0.05, patience=2), down, "my_loss"),
        ("ReduceLROnPlateau", lambda: ReduceLROnPlateau("my_loss", patience=1, factor=2.0), down, "my_loss"),
        ("ReduceLROnPlateau min_lr", lambda: ReduceLROnPlateau("acc", patience=1, min_lr=0.004), up, "acc"),
        ("SaveModel", lambda: SaveModelCallback("acc"), up, "acc"),
    ]:
        runs.append({"what": label, **tracked(make, values, name, len(values))})
    return runs


# ---- fits


class RecordLoss(Callback):
    order = 65
    run_valid = False

    def __init__(self):
        self.losses = []

    def after_batch(self):
        self.losses.append(float(self.loss))


class Average(Callback):
    """torch's exponential average of the weights after each step."""

    def before_fit(self):
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(0.8))
        self.average.update_parameters(self.model)

    def after_step(self):
        self.average.update_parameters(self.model)


def fits():
    runs = []
    for label, cbs in [
        ("GradientAccumulation 8", [GradientAccumulation(8)]),
        ("GradientClip 0.05", [GradientClip(0.05)]),
        ("GradientClip 0.05 norm 1", [GradientClip(0.05, 1.0)]),
        ("ShortEpoch 0.5", [ShortEpochCallback(0.5)]),
    ]:
        record = RecordLoss()
        learn = learner(cbs=[*cbs, record])
        torch.manual_seed(21)
        learn.fit(2, 0.1)
        runs.append({"what": label, "losses": record.losses, "values": [list(map(float, v)) for v in learn.recorder.values],
                     "state": state_json(learn.model)})
    frozen = learner(cbs=[BnFreeze], train_bn=False)
    frozen.freeze()
    frozen.fit(1, 0.1)
    runs.append({"what": "BnFreeze", "losses": [], "values": [list(map(float, v)) for v in frozen.recorder.values],
                 "state": state_json(frozen.model)})
    average = Average()
    learn = learner(cbs=[average])
    learn.fit(2, 0.1)
    runs.append({"what": "average 0.8", "losses": [], "values": [],
                 "state": {k: tensor_json(v) for k, v in average.average.module.named_parameters()}})
    return {"initial": state_json(small_net()), "data": [tensor_json(t) for t in problem()], "runs": runs}


# ---- predictions


def tta():
    """Augmentation in a batch transform that doubles the inputs of training splits."""

    class Double(Transform):
        split_idx = 0

        def encodes(self, x: Tensor):
            return x * 2 if x.dtype.is_floating_point else x

    x, y, xv, yv = problem()
    xs, ys = torch.cat([x, xv]), torch.cat([y, yv])
    dsets = Datasets(
        range(len(xs)), [[lambda i: xs[i]], [lambda i: ys[i]]], splits=[list(range(12)), list(range(12, 17))]
    )
    dls = dsets.dataloaders(bs=4, shuffle=False, num_workers=0, after_batch=[Double()], device=torch.device("cpu"))
    learn = quiet(Learner(dls, small_net(), loss_func=CrossEntropyLossFlat(), opt_func=SGD))
    out = {}
    for label, kwargs in [("plain", {}), ("max", {"use_max": True}), ("beta 0.5", {"beta": 0.5, "n": 2})]:
        preds, _ = learn.tta(**kwargs)
        out[label] = tensor_json(preds)
    return out


def loop():
    with tempfile.TemporaryDirectory() as folder:
        learn = learner(metrics=[accuracy], cbs=[CSVLogger()], path=Path(folder))
        learn.fit(2, 0.1)
        csv = (Path(folder) / "history.csv").read_text()
    both = learner(metrics=[accuracy])
    both.recorder.train_metrics = True
    both.fit(2, 0.1)
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        Learner(loaders(), small_net(), loss_func=CrossEntropyLossFlat()).show_training_loop()
    return {
        "csv": csv, "train_metrics_columns": list(both.recorder.metric_names),
        "train_metrics_values": [list(map(float, v)) for v in both.recorder.values],
        "training_loop": text.getvalue(),
    }


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "train")
    result = {
        "mix": [mixed(MixUp, "classes"), mixed(MixUp, "numbers"), mixed(CutMix, "classes"), mixed(CutMix, "numbers"),
                mixed(CutMix, "classes", seed=7)],
        "scaler": [
            scaler_run([True] * 5 + [False] + [True] * 4 + [False, False] + [True] * 5, growth_interval=3),
            scaler_run([False, True, True, True], init_scale=8.0, growth_interval=2, growth_factor=3.0, backoff_factor=0.25),
            scaler_run([True, False, True]),
        ],
        "trackers": trackers(),
        "fits": fits(),
        "tta": tta(),
        "loop": loop(),
    }
    (out / "callbacks.json").write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
