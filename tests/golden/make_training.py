#!/usr/bin/env python3
"""Makes tests/golden/train/*.json with fastai: schedules, optimizers, whole fits, events, recorder, metrics.

    python tests/golden/make_training.py [tests/golden/train]

Needs fastai 2.8.12 and torch (scripts/setup-peers makes such an environment). Numbers are written with the fewest
digits that give the same float32 (tensors) or float64 (schedules, hyper-parameters) back. A tensor is
{"shape": [...], "values": [...]} in row-major order.

Files:
  schedules.json   functions over positions; hyper-parameters of each step of fit, fit_one_cycle, fine_tune, ... with
                   three parameter groups
  optimizers.json  20 steps of Adam and SGD from given parameters and gradients
  trajectory.json  fits of a small convolutional net: losses of each step, rows of the table, weights at the end
  recorder.json    the smoothed loss, size-weighted averages, the table's cells
  metrics.json     accuracy, error_rate, top_k_accuracy, cross-entropy
  events.json      names of the events in order, also with each kind of cancel
"""

import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from fastai.basics import *
from fastai.callback.schedule import *
from fastai.metrics import accuracy, error_rate, top_k_accuracy
from fastprogress.fastprogress import format_time
from torch import nn


def f32(x):
    """The double with the fewest digits that rounds to this float32."""
    x = np.float32(x)
    short = float(str(x))
    assert np.float32(short) == x or np.isnan(x), x
    return short


def tensor_json(t):
    if t.dtype == torch.float32:
        return {"shape": list(t.shape), "values": [f32(v) for v in t.detach().flatten().tolist()]}
    return {"shape": list(t.shape), "values": t.flatten().tolist()}


def state_json(model):
    return {k: tensor_json(v) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


def plain(x):
    """numpy numbers as Python's."""
    return x.item() if hasattr(x, "item") else x


def hypers_of(opt):
    """{"lr": [one a group], "mom": [...], ...}"""
    return {k: [plain(h[k]) for h in opt.hypers] for k in opt.hypers[0]}


# ---- schedules ------------------------------------------------------------------------------------------------------


def schedule_functions():
    positions = [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.99, 1.0]
    functions = {
        "lin(0, 2)": SchedLin(0, 2),
        "cos(0, 2)": SchedCos(0, 2),
        "no(1.5, 2)": SchedNo(1.5, 2),
        "exp(1e-7, 10)": SchedExp(1e-7, 10),
        "poly(0, 2, 2)": SchedPoly(0, 2, 2),
        "poly(1, 0, 0.5)": SchedPoly(1, 0, 0.5),
        "combined_cos(0.25, 0.5, 1, 0)": combined_cos(0.25, 0.5, 1, 0),
        "combined_cos(0.3, 4e-5, 1e-3, 1e-8)": combined_cos(0.3, 4e-5, 1e-3, 1e-8),
        "combined_cos(0.99, 0.95, 0.85, 0.95)": combined_cos(0.99, 0.95, 0.85, 0.95),
        "combine([0.3, 0.2, 0.5], [lin(0, 1), no(1, 1), cos(1, 0)])": combine_scheds(
            [0.3, 0.2, 0.5], [SchedLin(0, 1), SchedNo(1, 1), SchedCos(1, 0)]
        ),
    }
    boundary = [0.3, 0.15, 0.4, 0.999]
    return {
        "positions": positions + boundary,
        "functions": {name: [float(f(p)) for p in positions + boundary] for name, f in functions.items()},
    }


class RecordHypers(Callback):
    order = 90  # after the scheduler

    def __init__(self):
        self.steps = []

    def before_step(self):
        self.steps.append(hypers_of(self.opt))


def items_of(xs, ys):
    return list(zip(xs, ys))


def loaders_of(train, valid, bs, valid_bs):
    """Plain loaders in order, the last batch kept."""
    return DataLoaders(
        DataLoader(train, bs=bs, shuffle=False, num_workers=0),
        DataLoader(valid, bs=valid_bs, shuffle=False, num_workers=0),
        device=torch.device("cpu"),
    )


def quiet(learn):
    learn.remove_cbs(learn.cbs.filter(lambda cb: "Progress" in type(cb).__name__))
    learn.logger = noop
    return learn


def three_group_learner(n_batches, **kwargs):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1))
    xs, ys = torch.randn(n_batches * 2, 2), torch.randn(n_batches * 2, 1)
    dls = loaders_of(items_of(xs, ys), items_of(xs[:2], ys[:2]), 2, 2)
    splitter = lambda m: [params(layer) for layer in m]
    return quiet(Learner(dls, model, loss_func=nn.MSELoss(), splitter=splitter, **kwargs))


def schedule_runs():
    runs = [
        ("fit(2, lr)", 5, {}, lambda l, cb: l.fit(2, 3e-3, cbs=cb)),
        ("fit(1, slice(1e-4, 1e-2), wd=0.1)", 3, {}, lambda l, cb: l.fit(1, slice(1e-4, 1e-2), wd=0.1, cbs=cb)),
        ("fit(1) with Learner(lr=5e-3, wd=0.2)", 2, {"lr": 5e-3, "wd": 0.2}, lambda l, cb: l.fit(1, cbs=cb)),
        ("fit_one_cycle(1, 1e-2)", 20, {}, lambda l, cb: l.fit_one_cycle(1, 1e-2, cbs=cb)),
        ("fit_one_cycle(2, slice(1e-4, 1e-2))", 5, {}, lambda l, cb: l.fit_one_cycle(2, slice(1e-4, 1e-2), cbs=cb)),
        ("fit_one_cycle(3, slice(1e-2))", 7, {}, lambda l, cb: l.fit_one_cycle(3, slice(1e-2), cbs=cb)),
        (
            "fit_one_cycle(1, 3e-3, div=10, div_final=1e3, pct_start=0.4, moms=(0.9, 0.8, 0.9))",
            6,
            {},
            lambda l, cb: l.fit_one_cycle(1, 3e-3, div=10, div_final=1e3, pct_start=0.4, moms=(0.9, 0.8, 0.9), cbs=cb),
        ),
        ("fit_one_cycle(1) with Learner(lr=1e-3)", 4, {}, lambda l, cb: l.fit_one_cycle(1, cbs=cb)),
        ("fit_flat_cos(2, 1e-2)", 6, {}, lambda l, cb: l.fit_flat_cos(2, 1e-2, cbs=cb)),
        ("fit_sgdr(2, 1, 1e-2)", 4, {}, lambda l, cb: l.fit_sgdr(2, 1, 1e-2, cbs=cb)),
        ("fine_tune(2)", 5, {}, lambda l, cb: l.fine_tune(2, cbs=cb)),
        (
            "fine_tune(3, 1e-3, freeze_epochs=2)",
            4,
            {},
            lambda l, cb: l.fine_tune(3, 1e-3, freeze_epochs=2, cbs=cb),
        ),
    ]
    out = []
    for call, batches, settings, run in runs:
        record = RecordHypers()
        learn = three_group_learner(batches, **settings)
        run(learn, record)
        steps = {k: [s[k] for s in record.steps] for k in ("lr", "mom")}
        out.append({"call": call, "batches": batches, "wd": record.steps[-1]["wd"], **steps})
    return out


# ---- optimizers -----------------------------------------------------------------------------------------------------


def optimizer_runs(n_steps=20):
    rng = torch.Generator().manual_seed(7)
    draw = lambda *shape: (torch.randn(*shape, generator=rng) * 8).round() / 8
    start = [draw(3, 2), draw(4)]
    grads = [[draw(3, 2), draw(4)] for _ in range(n_steps)]
    lrs = [combined_cos(0.25, 0.004, 0.1, 1e-6)(i / n_steps) for i in range(n_steps)]
    moms = [combined_cos(0.25, 0.95, 0.85, 0.95)(i / n_steps) for i in range(n_steps)]
    adam, sgd = Adam, SGD
    cases = [
        ("adam", adam, {}, False),
        ("adam", adam, {"wd": 0.0}, False),
        ("adam", adam, {"wd": 0.1, "decouple_wd": False}, False),
        ("adam", adam, {"mom": 0.8, "sqr_mom": 0.999, "eps": 1e-8, "wd": 0.3}, False),
        ("adam", adam, {}, True),
        ("sgd", sgd, {}, False),
        ("sgd", sgd, {"wd": 0.1}, False),
        ("sgd", sgd, {"wd": 0.1, "decouple_wd": False}, False),
        ("sgd", sgd, {"mom": 0.9}, False),
        ("sgd", sgd, {"mom": 0.9, "wd": 0.1}, False),
        ("sgd", sgd, {"mom": 0.9, "wd": 0.1, "decouple_wd": False}, False),
        ("sgd", sgd, {"mom": 0.9, "wd": 0.1}, True),
    ]
    out = []
    for name, opt_func, settings, scheduled in cases:
        for no_decay in (False, True) if settings.get("wd") == 0.1 else (False,):
            ps = [p.clone().requires_grad_() for p in start]
            opt = opt_func([[ps[0]], [ps[1]]], lr=[0.1, 0.05], **settings)
            if no_decay:
                opt.state[ps[1]]["do_wd"] = False
            after = []
            for i in range(n_steps):
                if scheduled:
                    opt.set_hypers(lr=[lrs[i], lrs[i] / 2], mom=moms[i])
                for p, g in zip(ps, grads[i]):
                    p.grad = g.clone()
                opt.step()
                after.append([f32(v) for p in ps for v in p.detach().flatten().tolist()])
            out.append(
                {
                    "opt": name,
                    "settings": settings,
                    "second_group_decays": not no_decay,
                    "lr": [[a, a / 2] for a in lrs] if scheduled else [[0.1, 0.05]] * n_steps,
                    "mom": moms if scheduled else None,
                    "after": after,
                }
            )
    return {
        "params": [tensor_json(p) for p in start],
        "grads": [[tensor_json(g) for g in step] for step in grads],
        "about": "two groups of one parameter each; 'after' holds the values of both, one row a step",
        "runs": out,
    }


# ---- whole fits -----------------------------------------------------------------------------------------------------


def small_net():
    """No bias before a batch norm: its gradient is rounding noise, which Adam would blow up to whole steps."""
    torch.manual_seed(3)
    body = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
    )
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(8), nn.Linear(8, 3))
    return nn.Sequential(body, head)


def synthetic(n, generator):
    """Pictures of 8 x 8 pixels in eighths: stripes whose direction is the class, in noise."""
    ys = torch.arange(n) % 3
    rows, cols = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    stripes = torch.stack([(rows % 2) * 2.0 - 1, (cols % 2) * 2.0 - 1, ((rows + cols) // 2 % 2) * 2.0 - 1])
    xs = stripes[ys] + 0.75 * torch.randn(n, 8, 8, generator=generator)
    return ((xs * 8).round() / 8).unsqueeze(1), ys


class RecordFit(Callback):
    """Keeps what each step and each fit left behind."""

    order = 90

    def __init__(self):
        self.fits = []

    def before_fit(self):
        trainable = [name for name, p in self.model.named_parameters() if p.requires_grad]
        self.fits.append({"trainable": trainable, "loss": [], "smooth_loss": [], "lr": [], "mom": []})

    def before_step(self):
        hypers = hypers_of(self.opt)
        self.fits[-1]["lr"].append(hypers["lr"])
        self.fits[-1]["mom"].append(hypers["mom"])

    def after_batch(self):
        if self.training:
            self.fits[-1]["loss"].append(f32(self.loss.item()))
            self.fits[-1]["smooth_loss"].append(f32(self.smooth_loss.item()))

    def after_fit(self):
        self.fits[-1]["rows"] = [[f32(v) for v in row] for row in self.recorder.values]
        self.fits[-1]["state"] = state_json(self.model)


TRAJECTORIES = [
    ("fit(1, 0.05)", {"opt_func": partial(SGD, mom=0.9)}, lambda l, cb: l.fit(1, 0.05, cbs=cb)),
    ("fit(1, 0.05, wd=0.1)", {"opt_func": SGD}, lambda l, cb: l.fit(1, 0.05, wd=0.1, cbs=cb)),
    ("fit(1, 0.01)", {}, lambda l, cb: l.fit(1, 0.01, cbs=cb)),
    ("fit_one_cycle(1, 0.01)", {}, lambda l, cb: l.fit_one_cycle(1, 0.01, cbs=cb)),
    ("fit_one_cycle(2, slice(0.001, 0.01))", {}, lambda l, cb: l.fit_one_cycle(2, slice(0.001, 0.01), cbs=cb)),
    ("fine_tune(1, 0.02)", {}, lambda l, cb: l.fine_tune(1, 0.02, cbs=cb)),
    ("fine_tune(1, 0.02)", {"train_bn": False}, lambda l, cb: l.fine_tune(1, 0.02, cbs=cb)),
    ("fit_one_cycle(1, 0.01)", {"wd_bn_bias": True, "wd": 0.5}, lambda l, cb: l.fit_one_cycle(1, 0.01, cbs=cb)),
]


def trajectories():
    generator = torch.Generator().manual_seed(11)
    (train_x, train_y), (valid_x, valid_y) = synthetic(40, generator), synthetic(11, generator)
    dls = loaders_of(items_of(train_x, train_y), items_of(valid_x, valid_y), 4, 4)
    runs = []
    for call, settings, run in TRAJECTORIES:
        model = small_net()
        splitter = lambda m: [params(m[0]), params(m[1])]
        record = RecordFit()
        learn = quiet(
            Learner(
                dls, model, loss_func=CrossEntropyLossFlat(), metrics=[accuracy, error_rate], splitter=splitter, **settings
            )
        )
        run(learn, record)
        opt = settings.get("opt_func", Adam)
        runs.append(
            {
                "call": call,
                "opt": "adam" if opt is Adam else "sgd",
                "opt_settings": getattr(opt, "keywords", {}),
                "learner": {k: v for k, v in settings.items() if k != "opt_func"},
                "fits": record.fits,
            }
        )
    return {
        "about": "net: small_net() of make_training.py; groups: 0.* and 1.*; batches of 4 in order, 10 a train epoch",
        "bs": 4,
        "train_x": tensor_json(train_x),
        "train_y": train_y.tolist(),
        "valid_x": tensor_json(valid_x),
        "valid_y": valid_y.tolist(),
        "initial": state_json(small_net()),
        "row": ["train_loss", "valid_loss", "accuracy", "error_rate"],
        "runs": runs,
    }


# ---- recorder and metrics -------------------------------------------------------------------------------------------


def recorder_values():
    generator = torch.Generator().manual_seed(5)
    losses = [f32(v) for v in (2 * torch.rand(60, generator=generator) + torch.linspace(2, 0, 60)).tolist()]
    smoothed = {}
    for beta in (0.98, 0.9):
        smooth = AvgSmoothLoss(beta=beta)
        smooth.reset()
        smoothed[str(beta)] = []
        for loss in losses:
            smooth.accumulate(SimpleNamespace(loss=torch.tensor(loss)))
            smoothed[str(beta)].append(f32(smooth.value.item()))
    sizes = [5, 5, 5, 2]
    average = AvgLoss()
    average.reset()
    for loss, size in zip(losses, sizes):
        average.accumulate(
            SimpleNamespace(loss=torch.tensor(loss), yb=(torch.zeros(size),), to_detach=lambda t: t.detach())
        )
    seconds = [0, 0.4, 1, 59.99, 60, 754, 3599, 3600, 3661.5, 36000, 360000]
    return {
        "losses": losses,
        "smooth": smoothed,
        "average": {"losses": losses[: len(sizes)], "sizes": sizes, "value": f32(average.value.item())},
        "time": [[s, format_time(s)] for s in seconds],
    }


def metric_values():
    generator = torch.Generator().manual_seed(9)
    logits = (torch.randn(23, 7, generator=generator) * 1000).round() / 1000
    targets = torch.randint(0, 7, (23,), generator=generator)
    sizes = [9, 9, 5]
    metrics = {"accuracy": accuracy, "error_rate": error_rate}
    metrics.update({f"top_{k}": partial(top_k_accuracy, k=k) for k in (1, 2, 3, 5, 7)})
    loss = CrossEntropyLossFlat()
    weighted = {}
    for name, metric in {**metrics, "cross_entropy": loss}.items():
        values = [metric(x, y).item() * len(y) for x, y in zip(logits.split(sizes), targets.split(sizes))]
        weighted[name] = f32(sum(values) / sum(sizes))
    return {
        "logits": tensor_json(logits),
        "targets": targets.tolist(),
        "values": {k: f32(m(logits, targets).item()) for k, m in {**metrics, "cross_entropy": loss}.items()},
        "sizes": sizes,
        "weighted": weighted,
        "softmax": tensor_json(loss.activation(logits)),
        "decoded": loss.decodes(logits).tolist(),
    }


# ---- events ---------------------------------------------------------------------------------------------------------

CANCELS = {
    "fit": CancelFitException,
    "epoch": CancelEpochException,
    "train": CancelTrainException,
    "validate": CancelValidException,
    "batch": CancelBatchException,
    "backward": CancelBackwardException,
    "step": CancelStepException,
}


class Events(Callback):
    """Notes every event; raises `cancel` the `nth` time that `at` happens."""

    order = 100

    def __init__(self, cancel=None, at=None, nth=0):
        self.cancel, self.at, self.nth, self.names = cancel, at, nth, []

    def __call__(self, event_name):
        if event_name == "after_create":
            return
        self.names.append(event_name)
        if event_name == self.at:
            self.nth -= 1
            if self.nth == -1:
                raise CANCELS[self.cancel]()


# (what is cancelled, during which event, its how-manieth occurrence from 0)
CANCEL_CASES = [
    ("fit", "before_fit", 0),
    ("fit", "before_epoch", 1),
    ("fit", "before_train", 0),
    ("fit", "after_loss", 1),
    ("fit", "after_batch", 0),
    ("fit", "before_validate", 0),
    ("fit", "after_validate", 0),
    ("fit", "after_epoch", 0),
    ("epoch", "before_epoch", 0),
    ("epoch", "before_batch", 1),
    ("epoch", "after_train", 0),
    ("epoch", "before_validate", 0),
    ("train", "before_train", 1),
    ("train", "after_batch", 0),
    ("train", "before_step", 0),
    ("validate", "before_validate", 0),
    ("validate", "after_pred", 2),
    ("batch", "before_batch", 0),
    ("batch", "after_pred", 0),
    ("batch", "after_loss", 1),
    ("batch", "before_backward", 0),
    ("batch", "after_backward", 0),
    ("batch", "after_step", 0),
    ("batch", "after_pred", 2),
    ("backward", "before_backward", 0),
    ("step", "before_step", 0),
]


def event_runs():
    runs = []
    for cancel, at, nth in [(None, None, 0)] + CANCEL_CASES:
        events = Events(cancel, at, nth)
        learn = three_group_learner(2)
        learn.fit(2, 1e-3, cbs=events)
        runs.append({"cancel": cancel, "at": at, "occurrence": nth, "events": events.names})
    return {"about": "fit of 2 epochs with 2 train batches and 1 valid batch", "runs": runs}


def main():
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "train")
    target.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    files = {
        "schedules": {**schedule_functions(), "runs": schedule_runs()},
        "optimizers": optimizer_runs(),
        "trajectory": trajectories(),
        "recorder": recorder_values(),
        "metrics": metric_values(),
        "events": event_runs(),
    }
    for name, content in files.items():
        text = json.dumps(content, separators=(",", ":"))
        (target / f"{name}.json").write_text(text + "\n")
        print(f"{name}.json", len(text))


if __name__ == "__main__":
    main()
