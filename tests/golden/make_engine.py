#!/usr/bin/env python3
"""Makes tests/golden/train/engine_*.json with fastai, PyTorch and scikit-learn: optimizers, losses, metrics, lr_find.

    python tests/golden/make_engine.py [tests/golden/train]

Needs fastai 2.8.12 and what it needs (scripts/setup-peers makes such an environment). Numbers are written with the
fewest digits that give the same float32 back; a tensor is {"shape": [...], "values": [...]} in row-major order; NaN is null.

Files:
  engine_optimizers.json  20 steps of every optimizer from given parameters and gradients: two groups, scheduled rates,
                          parameters without decay, gradients that come late
  engine_losses.json      losses by their JSON settings: value, gradient, losses of the items, activation, decoded
  engine_metrics.json     metrics over batches of given sizes
  engine_lr_find.json     curves of fastai's lr_find with its four suggestions; one with all that is needed to repeat it
"""

import json
import math
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from fastai.basics import *
from fastai.callback.schedule import *
from fastai.losses import *
from fastai.metrics import *
from fastai.optimizer import *
from torch import nn

from make_training import f32, items_of, loaders_of, quiet, tensor_json


def plain_number(x):
    x = float(x)
    return None if math.isnan(x) else x


def any_tensor(t):
    return tensor_json(t.detach().as_subclass(torch.Tensor))


# ---- optimizers -----------------------------------------------------------------------------------------------------


def lookahead_of(opt_func, **settings):
    return lambda params, lr, **kwargs: Lookahead(opt_func(params, lr=lr, **kwargs), **settings)


def wrapped(torch_opt):
    return lambda params, lr, **kwargs: OptimWrapper(params, torch_opt, lr=lr, **kwargs)


OPTIMIZERS = {
    "SGD": SGD,
    "RMSProp": RMSProp,
    "Adam": Adam,
    "RAdam": RAdam,
    "QHAdam": QHAdam,
    "Larc": Larc,
    "Lamb": Lamb,
    "Lookahead(SGD)": lookahead_of(SGD),
    "Lookahead(Adam, k=3, alpha=0.8)": lookahead_of(Adam, k=3, alpha=0.8),
    "ranger": ranger,
    "torch AdamW": wrapped(torch.optim.AdamW),
    "torch SGD": wrapped(torch.optim.SGD),
    "torch RMSprop": wrapped(torch.optim.RMSprop),
    "torch Adagrad": wrapped(torch.optim.Adagrad),
}

# name, settings, what is special: "scheduled" moves lr and mom, "late" gives the second parameter gradients from step 7
# on only, "no_decay" takes the second parameter out of weight decay.
OPTIMIZER_RUNS = [
    ("SGD", {}, {"scheduled"}),
    ("SGD", {"mom": 0.9}, {"late"}),
    ("Adam", {}, {"late"}),
    ("RMSProp", {}, set()),
    ("RMSProp", {"mom": 0.9, "wd": 0.1}, {"no_decay"}),
    ("RMSProp", {"mom": 0.9, "wd": 0.1, "decouple_wd": False}, {"scheduled"}),
    ("RAdam", {}, set()),
    ("RAdam", {"wd": 0.1}, {"no_decay", "late"}),
    ("RAdam", {"wd": 0.1, "decouple_wd": False, "eps": 1e-8}, set()),
    ("RAdam", {"beta": 50.0}, {"scheduled"}),
    ("QHAdam", {}, set()),
    ("QHAdam", {"wd": 0.1, "nu_1": 0.5, "nu_2": 0.8, "mom": 0.9, "sqr_mom": 0.99}, {"scheduled"}),
    ("QHAdam", {"wd": 0.1, "decouple_wd": False}, {"late"}),
    ("Larc", {}, set()),
    ("Larc", {"clip": False, "trust_coeff": 0.1}, set()),
    ("Larc", {"mom": 0.0, "wd": 0.1}, {"no_decay"}),
    ("Larc", {"wd": 0.1, "decouple_wd": False}, {"scheduled"}),
    ("Lamb", {}, set()),
    ("Lamb", {"wd": 0.1}, {"scheduled", "no_decay"}),
    ("Lamb", {"wd": 0.1, "decouple_wd": False}, {"late"}),
    ("Lookahead(SGD)", {"mom": 0.9}, set()),
    ("Lookahead(Adam, k=3, alpha=0.8)", {}, {"scheduled", "late"}),
    ("ranger", {}, set()),
    ("ranger", {"wd": 0.1}, {"scheduled", "no_decay"}),
    ("torch AdamW", {"weight_decay": 0.1}, {"scheduled"}),
    ("torch SGD", {"momentum": 0.9, "weight_decay": 0.01}, {"scheduled"}),
    ("torch RMSprop", {"alpha": 0.9, "momentum": 0.5}, set()),
    ("torch Adagrad", {"weight_decay": 0.1}, set()),
]


def optimizer_run(name, settings, special, start, grads, lrs, moms):
    ps = [p.clone().requires_grad_() for p in start]
    opt = OPTIMIZERS[name]([[ps[0]], [ps[1]]], lr=0.1, **settings)
    opt.set_hyper("lr", [0.1, 0.05])
    if "no_decay" in special:
        opt.state[ps[1]]["do_wd"] = False
    after = []
    for i, step in enumerate(grads):
        if "scheduled" in special:
            opt.set_hypers(lr=[lrs[i], lrs[i] / 2], mom=moms[i])
        for p, g in zip(ps, step):
            p.grad = g.clone()
        if "late" in special and i < 7:
            ps[1].grad = None
        opt.step()
        after.append([f32(v) for p in ps for v in p.detach().flatten().tolist()])
    return {"opt": name, "settings": settings, "special": sorted(special), "after": after}


def optimizers(n_steps=20):
    rng = torch.Generator().manual_seed(21)
    draw = lambda *shape: (torch.randn(*shape, generator=rng) * 8).round() / 8
    start = [draw(3, 2), draw(4)]
    grads = [[draw(3, 2), draw(4)] for _ in range(n_steps)]
    lrs = [combined_cos(0.25, 0.004, 0.1, 1e-6)(i / n_steps) for i in range(n_steps)]
    moms = [combined_cos(0.25, 0.95, 0.85, 0.95)(i / n_steps) for i in range(n_steps)]
    return {
        "about": "two groups of one parameter, lr 0.1 and 0.05 unless scheduled; 'after' holds both, one row a step",
        "params": [tensor_json(p) for p in start],
        "grads": [[tensor_json(g) for g in step] for step in grads],
        "lr": lrs,
        "mom": moms,
        "runs": [optimizer_run(*run, start, grads, lrs, moms) for run in OPTIMIZER_RUNS],
    }


# ---- losses ---------------------------------------------------------------------------------------------------------


class CombinedLoss:
    """That of fastai's documentation: Dice and Focal combined."""

    def __init__(self, axis=1, smooth=1.0, alpha=1.0):
        self.axis, self.alpha = axis, alpha
        self.focal_loss = FocalLossFlat(axis=axis)
        self.dice_loss = DiceLoss(axis, smooth)

    def __call__(self, pred, targ):
        return self.focal_loss(pred, targ) + self.alpha * self.dice_loss(pred, targ)

    def decodes(self, x):
        return x.argmax(dim=self.axis)

    def activation(self, x):
        return F.softmax(x, dim=self.axis)


LOSSES = {
    "CrossEntropyLossFlat": CrossEntropyLossFlat,
    "FocalLossFlat": FocalLossFlat,
    "FocalLoss": FocalLoss,
    "LabelSmoothingCrossEntropyFlat": LabelSmoothingCrossEntropyFlat,
    "LabelSmoothingCrossEntropy": LabelSmoothingCrossEntropy,
    "BCEWithLogitsLossFlat": BCEWithLogitsLossFlat,
    "BCELossFlat": BCELossFlat,
    "MSELossFlat": MSELossFlat,
    "L1LossFlat": L1LossFlat,
    "DiceLoss": DiceLoss,
    "CombinedLoss": CombinedLoss,
}

WEIGHTS = [0.5, 2.0, 1.0, 0.25]
LOSS_RUNS = [
    ("logits", {"name": "CrossEntropyLossFlat"}),
    ("logits", {"name": "CrossEntropyLossFlat", "weight": WEIGHTS}),
    ("logits", {"name": "CrossEntropyLossFlat", "reduction": "sum", "label_smoothing": 0.2}),
    ("logits", {"name": "CrossEntropyLossFlat", "weight": WEIGHTS, "ignore_index": 2}),
    ("masks", {"name": "CrossEntropyLossFlat", "axis": 1}),
    ("masks", {"name": "CrossEntropyLossFlat", "axis": 1, "weight": WEIGHTS, "ignore_index": 0}),
    ("logits", {"name": "FocalLossFlat"}),
    ("masks", {"name": "FocalLossFlat", "axis": 1, "gamma": 1.5, "weight": WEIGHTS}),
    ("logits", {"name": "FocalLoss", "gamma": 3.0}),
    ("logits", {"name": "LabelSmoothingCrossEntropyFlat"}),
    ("logits", {"name": "LabelSmoothingCrossEntropyFlat", "eps": 0.3, "weight": WEIGHTS}),
    ("logits", {"name": "LabelSmoothingCrossEntropyFlat", "reduction": "sum"}),
    ("masks", {"name": "LabelSmoothingCrossEntropyFlat", "axis": 1}),
    ("logits", {"name": "LabelSmoothingCrossEntropy", "eps": 0.2}),
    ("labels", {"name": "BCEWithLogitsLossFlat"}),
    ("labels", {"name": "BCEWithLogitsLossFlat", "thresh": 0.7, "reduction": "sum"}),
    ("labels", {"name": "BCEWithLogitsLossFlat", "pos_weight": WEIGHTS}),
    ("probs", {"name": "BCELossFlat"}),
    ("numbers", {"name": "MSELossFlat"}),
    ("numbers", {"name": "MSELossFlat", "reduction": "sum"}),
    ("column", {"name": "MSELossFlat"}),
    ("numbers", {"name": "L1LossFlat"}),
    ("column", {"name": "L1LossFlat"}),
    ("masks", {"name": "DiceLoss"}),
    ("masks", {"name": "DiceLoss", "reduction": "mean", "square_in_union": True, "smooth": 1.0}),
    ("masks", {"name": "CombinedLoss"}),
    ("masks", {"name": "CombinedLoss", "alpha": 0.5, "smooth": 0.1}),
]


def loss_data():
    rng = torch.Generator().manual_seed(31)
    draw = lambda *shape: (torch.randn(*shape, generator=rng) * 16).round() / 16
    ints = lambda high, *shape: torch.randint(high, shape, generator=rng)
    masks = ints(4, 3, 3, 2).to(torch.uint8)
    return {
        "logits": (2 * draw(7, 4), ints(4, 7)),
        "masks": (draw(3, 4, 3, 2), masks),
        "labels": (2 * draw(5, 4), ints(2, 5, 4)),
        "probs": (((draw(5, 4).sigmoid() * 64).round() / 64).clamp(1 / 64, 63 / 64), ints(2, 5, 4)),
        "numbers": (draw(6, 2), draw(6, 2)),
        "column": (draw(6, 1), draw(6)),
    }


def loss_run(data, name, settings):
    kwargs = {k: tensor(v) if "weight" in k else v for k, v in settings.items() if k != "name"}
    loss_func = LOSSES[settings["name"]](**kwargs)
    pred, targ = data[name]
    pred = pred.clone().requires_grad_()
    targ = targ.long() if targ.dtype == torch.uint8 else targ
    loss = loss_func(pred, targ)
    loss.backward()
    run = {"data": name, "loss": settings, "value": f32(loss.item()), "grad": any_tensor(pred.grad)}
    if hasattr(loss_func, "reduction"):
        with NoneReduce(loss_func) as f, torch.no_grad():
            run["per_item"] = any_tensor(f(pred, targ).reshape(len(pred), -1).mean(1))
    if hasattr(loss_func, "activation"):
        activated = loss_func.activation(pred.detach())
        run["activation"] = any_tensor(activated)
        decoded = loss_func.decodes(activated)
        run["decoded"] = any_tensor(decoded if decoded.is_floating_point() else decoded.long())
    return run


def losses():
    data = loss_data()
    return {
        "data": {k: {"pred": any_tensor(p), "targ": any_tensor(t)} for k, (p, t) in data.items()},
        "runs": [loss_run(data, *run) for run in LOSS_RUNS],
    }


# ---- metrics --------------------------------------------------------------------------------------------------------


def metric_data():
    rng = torch.Generator().manual_seed(41)
    draw = lambda *shape: (torch.randn(*shape, generator=rng) * 4).round() / 4  # ties on purpose
    ints = lambda high, *shape: torch.randint(high, shape, generator=rng)
    targs = ints(4, 40)
    classes = draw(40, 4) + 1.5 * F.one_hot(targs, 4)
    classes[:, 3] -= 8  # never predicted
    two = ints(2, 30)
    binary = draw(30, 2) + F.one_hot(two, 2)
    labels = ints(2, 24, 5)
    labels[:, 4] = 0  # never there
    label_scores = draw(24, 5) + 1.5 * labels
    usual = ints(2, 24, 3)
    numbers = draw(28)
    masks = ints(4, 6, 3, 2)
    masks[masks == 3] = 0  # a class that is never a target
    halves = ints(2, 6, 3, 2)
    return {
        "classes": (classes, targs, [16, 16, 8]),
        "binary": (binary, two, [16, 14]),
        "one class": (draw(10, 2), torch.ones(10, dtype=torch.long), [5, 5]),
        "labels": (label_scores, labels, [10, 14]),
        "usual labels": (draw(24, 3) + usual, usual, [10, 14]),
        "numbers": (numbers, numbers + draw(28) / 2 + 0.3, [16, 12]),
        "positive": (draw(28).abs(), draw(28).abs(), [16, 12]),
        "constant": (draw(9), torch.full((9,), 0.5), [4, 5]),
        "masks": (draw(6, 4, 3, 2), masks, [4, 2]),
        "two masks": (draw(6, 2, 3, 2), halves, [4, 2]),
    }


def metric_makers():
    makers = {
        "accuracy": ("classes masks:axis", lambda d: partial(accuracy, axis=1) if d == "masks" else accuracy),
        "error_rate": ("classes", lambda d: error_rate),
        "top_k_accuracy(2)": ("classes", lambda d: partial(top_k_accuracy, k=2)),
        "accuracy_multi": ("labels", lambda d: accuracy_multi),
        "accuracy_multi(0.7)": ("labels", lambda d: partial(accuracy_multi, thresh=0.7)),
        "accuracy_multi(0.3, no sigmoid)": ("labels", lambda d: partial(accuracy_multi, thresh=0.3, sigmoid=False)),
        "Perplexity": ("classes", lambda d: Perplexity()),
        "BalancedAccuracy": ("classes binary", lambda d: BalancedAccuracy()),
        "BalancedAccuracy(adjusted)": ("classes", lambda d: BalancedAccuracy(adjusted=True)),
        "CohenKappa": ("classes binary", lambda d: CohenKappa()),
        "CohenKappa(linear)": ("classes", lambda d: CohenKappa(weights="linear")),
        "CohenKappa(quadratic)": ("classes", lambda d: CohenKappa(weights="quadratic")),
        "CohenKappa(labels 0, 2)": ("classes", lambda d: CohenKappa(labels=[0, 2])),
        "MatthewsCorrCoef": ("classes binary; one class", lambda d: MatthewsCorrCoef()),
        "HammingLoss": ("classes binary", lambda d: HammingLoss()),
        "BrierScore": ("binary", lambda d: BrierScore()),
        "RocAuc": ("classes", lambda d: RocAuc()),
        "RocAuc(weighted)": ("classes", lambda d: RocAuc(average="weighted")),
        "RocAuc(micro)": ("classes", lambda d: RocAuc(average="micro")),
        "RocAuc(ovo)": ("classes", lambda d: RocAuc(multi_class="ovo")),
        "RocAuc(ovo, weighted)": ("classes", lambda d: RocAuc(multi_class="ovo", average="weighted")),
        "RocAucBinary": ("binary; one class", lambda d: RocAucBinary()),
        "RocAucBinary(max_fpr=0.3)": ("binary", lambda d: RocAucBinary(max_fpr=0.3)),
        "APScoreBinary": ("binary", lambda d: APScoreBinary()),
        "HammingLossMulti": ("labels", lambda d: HammingLossMulti()),
        "HammingLossMulti(0.7)": ("labels", lambda d: HammingLossMulti(thresh=0.7)),
        "mse": ("numbers", lambda d: mse),
        "mae": ("numbers", lambda d: mae),
        "msle": ("positive", lambda d: msle),
        "rmse": ("numbers", lambda d: rmse),
        "exp_rmspe": ("numbers", lambda d: exp_rmspe),
        "R2Score": ("numbers; constant", lambda d: R2Score()),
        "ExplainedVariance": ("numbers; constant", lambda d: ExplainedVariance()),
        "PearsonCorrCoef": ("numbers; constant", lambda d: PearsonCorrCoef()),
        "SpearmanCorrCoef": ("numbers; constant", lambda d: SpearmanCorrCoef()),
        "foreground_acc": ("masks", lambda d: foreground_acc),
        "Dice": ("two masks", lambda d: Dice()),
        "JaccardCoeff": ("two masks", lambda d: JaccardCoeff()),
        "DiceMulti": ("masks", lambda d: DiceMulti()),
        "JaccardCoeffMulti": ("masks", lambda d: JaccardCoeffMulti()),
    }
    scores = {"F1Score": F1Score, "FBeta(2)": partial(FBeta, 2), "FBeta(0.5)": partial(FBeta, 0.5),
              "Precision": Precision, "Recall": Recall, "Jaccard": Jaccard}
    for name, make in scores.items():
        makers[name] = ("binary; one class", lambda d, make=make: make())
        for average in ("micro", "macro", "weighted"):
            makers[f"{name}({average})"] = ("classes binary", lambda d, make=make, a=average: make(average=a))
    makers["F1Score(macro, labels 1, 3)"] = ("classes", lambda d: F1Score(average="macro", labels=[1, 3]))
    makers["Precision(micro, labels 0, 1)"] = ("classes", lambda d: Precision(average="micro", labels=[0, 1]))
    makers["F1Score(pos_label=0)"] = ("binary", lambda d: F1Score(pos_label=0))
    multi = {"F1ScoreMulti": F1ScoreMulti, "FBetaMulti(2)": partial(FBetaMulti, 2), "PrecisionMulti": PrecisionMulti,
             "RecallMulti": RecallMulti, "JaccardMulti": JaccardMulti}
    for name, make in multi.items():
        for average in ("macro", "micro", "weighted", "samples"):
            makers[f"{name}({average})"] = ("labels", lambda d, make=make, a=average: make(average=a))
    makers["F1ScoreMulti(thresh=0.7, labels 0, 2)"] = ("labels", lambda d: F1ScoreMulti(thresh=0.7, labels=[0, 2]))
    for average in ("macro", "micro", "weighted", "samples"):
        makers[f"RocAucMulti({average})"] = ("usual labels", lambda d, a=average: RocAucMulti(average=a))
        makers[f"APScoreMulti({average})"] = ("usual labels; labels", lambda d, a=average: APScoreMulti(average=a))
    return makers


def metric_value(metric, pred, targ, sizes):
    metric = metric if isinstance(metric, Metric) else AvgMetric(metric)
    metric.reset()
    at = 0
    for n in sizes:
        y = targ[at : at + n]
        learn = SimpleNamespace(pred=pred[at : at + n], y=y, yb=(y,), to_detach=to_detach, training=False)
        if isinstance(metric, Perplexity):
            learn.loss = F.cross_entropy(learn.pred, y)
        metric.accumulate(learn)
        at += n
    value = metric.value
    return metric.name, None if value is None else plain_number(value)


def metrics():
    data = metric_data()
    runs = []
    for key, (where, make) in metric_makers().items():
        names = [n for part in where.split(";") for n in ([part.strip()] if part.strip() in data else part.split())]
        for name in names:
            name = name.split(":")[0]
            column, value = metric_value(make(name), *data[name])
            runs.append({"metric": key, "data": name, "column": column, "value": value})
    return {
        "data": {k: {"pred": any_tensor(p), "targ": any_tensor(t), "sizes": s} for k, (p, t, s) in data.items()},
        "runs": runs,
    }


# ---- lr_find --------------------------------------------------------------------------------------------------------

RULES = [valley, steep, minimum, slide]


def suggestions(lrs, losses, num_it=100):
    """As Learner.lr_find makes them of what the recorder holds."""
    lrs, losses = tensor(lrs[num_it // 10 : -5]), tensor(losses[num_it // 10 : -5])
    nans = torch.nonzero(torch.isnan(losses.view(-1)))
    if len(nans) > 0:
        lrs, losses = lrs[: min(nans)], losses[: min(nans)]
    out = {}
    for rule in RULES:
        try:
            lr, (at_lr, at_loss) = rule(lrs, losses, num_it)
            out[rule.__name__] = [float(lr), float(at_lr), float(at_loss)]
        except (IndexError, ValueError, RuntimeError):
            out[rule.__name__] = None  # the curve is too short for it
    return out


def curve(name, lrs, losses, num_it=100):
    losses = [float(l) for l in losses]
    return {
        "name": name,
        "num_it": num_it,
        "lrs": [float(l) for l in lrs],
        "losses": [None if math.isnan(l) else f32(l) for l in losses],
        "suggestions": suggestions(list(lrs), losses, num_it),
    }


def finder(name, model, x, y, bs, loss_func, opt_func, **kwargs):
    dls = loaders_of(items_of(x, y), items_of(x[:bs], y[:bs]), bs, bs)
    learn = quiet(Learner(dls, model, loss_func=loss_func, opt_func=opt_func))
    before = [p.detach().clone() for p in model.parameters()]
    learn.lr_find(show_plot=False, suggest_funcs=None, **kwargs)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    return curve(name, learn.recorder.lrs, learn.recorder.losses, kwargs.get("num_it", 100))


def lr_find_curves():
    rng = torch.Generator().manual_seed(51)
    draw = lambda *shape: (torch.randn(*shape, generator=rng) * 8).round() / 8
    torch.manual_seed(5)
    x, y = draw(64, 4), torch.randint(3, (64,), generator=rng)
    x[torch.arange(64), y] += 1
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    state = {k: tensor_json(v) for k, v in net.state_dict().items()}
    repeat = finder("classes, Adam", net, x, y, 8, CrossEntropyLossFlat(), Adam)
    big_x = draw(400, 10)
    big_y = (big_x[:, :3].sum(1, keepdim=True) + draw(400, 1) / 4).sin()
    line = nn.Linear(10, 1)
    deep = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Linear(32, 1))
    curves = [
        repeat,
        finder("a line, SGD", line, big_x, big_y, 16, MSELossFlat(), partial(SGD, mom=0.9)),
        finder("deep, Adam, to the end", deep, big_x, big_y, 32, MSELossFlat(), Adam, stop_div=False),
        finder("deep, 60 batches", deep, big_x, big_y, 32, MSELossFlat(), Adam, num_it=60, end_lr=1.0),
    ]
    # Made by hand: always falling (the valley begins before the curve), a NaN, and one too short for slide.
    lrs = [1e-7 * 10 ** (i / 5) for i in range(30)]
    falling = [3 - 0.02 * i - 0.002 * i * i for i in range(25)]
    curves.append(curve("falling", lrs[:25], falling))
    curves.append(curve("NaN", lrs, [2 - 0.05 * i + 0.02 * (i % 3) for i in range(24)] + [float("nan")] * 6, 20))
    curves.append(curve("two points", lrs[:17], [2 - 0.05 * i - 0.001 * i * i for i in range(17)]))
    return {
        "about": "curves whole, as recorded; 'repeat' holds what the first was made of: batches of 8 in order",
        "curves": curves,
        "repeat": {"x": tensor_json(x), "y": y.tolist(), "bs": 8, "state": state},
    }


def main():
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "train")
    torch.set_num_threads(1)
    files = {"optimizers": optimizers, "losses": losses, "metrics": metrics, "lr_find": lr_find_curves}
    for name, make in files.items():
        text = json.dumps(make(), separators=(",", ":"), allow_nan=False)
        (target / f"engine_{name}.json").write_text(text + "\n")
        print(f"engine_{name}.json", len(text))


if __name__ == "__main__":
    main()
