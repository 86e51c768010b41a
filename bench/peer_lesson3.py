#!/usr/bin/env python3
"""fastai's side of the benchmarks of lesson 3. One JSON object a line on stdout.

    peer_lesson3.py simple MNIST_SAMPLE [--epochs 40]    simple_net, batch 256, from memory: epochs a second of
                                                         fastai's Learner as the course writes it, of the same over
                                                         a TensorDataset, and of a bare loop over the course's
                                                         DataLoader and over slices of the tensors
    peer_lesson3.py resnet MNIST_SAMPLE [--workers 0 2]  ResNet-18, fit_one_cycle(1, 0.1) on the files: seconds an
                                                         epoch

Progress bars and logging are off, in favour of fastai. 2 threads.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
LOAD_AT_START = os.getloadavg()[0]


def emit(**fields):
    print(json.dumps(fields), flush=True)


def digits(folder):
    import torch
    from fastai.vision.all import tensor
    from PIL import Image

    xs, ys = [], []
    for name, label in (("3", 1.0), ("7", 0.0)):
        files = sorted((folder / name).iterdir())
        xs += [tensor(Image.open(f)) for f in files]
        ys += [label] * len(files)
    return torch.stack(xs).view(-1, 784).float() / 255, torch.tensor(ys).unsqueeze(1)


class Slices:
    """Batches as slices of tensors: the fastest loader that there can be for data in memory."""

    def __init__(self, x, y, bs):
        self.x, self.y, self.bs = x, y, bs

    def __len__(self):
        return (len(self.x) + self.bs - 1) // self.bs

    def __iter__(self):
        for at in range(0, len(self.x), self.bs):
            yield self.x[at : at + self.bs], self.y[at : at + self.bs]


def mnist_loss(predictions, targets):
    import torch

    predictions = predictions.sigmoid()
    return torch.where(targets == 1, 1 - predictions, predictions).mean()


def batch_accuracy(xb, yb):
    return ((xb.sigmoid() > 0.5) == yb).float().mean()


def simple_net():
    from torch import nn

    return nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 1))


def bare_loop(train, valid, epochs):
    """The book's own loop: nothing but steps, and the accuracy on the validation batches after each epoch."""
    import torch

    net = simple_net()
    params = list(net.parameters())
    for _ in range(epochs):
        for xb, yb in train:
            mnist_loss(net(xb), yb).backward()
            for p in params:
                p.data -= p.grad.data * 0.1
                p.grad = None
        with torch.no_grad():
            accuracy = torch.stack([batch_accuracy(net(xb), yb) for xb, yb in valid]).mean().item()
    return accuracy


def fastai_loop(train, valid, epochs):
    from fastai.vision.all import SGD, DataLoaders, Learner

    learn = Learner(DataLoaders(train, valid), simple_net(), opt_func=SGD, loss_func=mnist_loss, metrics=batch_accuracy)
    with learn.no_bar(), learn.no_logging():
        learn.fit(epochs, 0.1)
    return learn.recorder.values[-1][2]


def simple(args):
    import torch
    from fastai.vision.all import DataLoader

    train, valid = digits(args.data / "train"), digits(args.data / "valid")
    course = [DataLoader(list(zip(*split)), batch_size=256) for split in (train, valid)]
    slices = [Slices(*split, 256) for split in (train, valid)]
    whole = [DataLoader(torch.utils.data.TensorDataset(*split), batch_size=256) for split in (train, valid)]
    loops = {"fastai": (fastai_loop, course), "fastai_tensor_dataset": (fastai_loop, whole),
             "bare": (bare_loop, course), "bare_slices": (bare_loop, slices)}
    rates, accuracies = {name: [] for name in loops}, {}
    for run in range(args.repeats + 1):
        for name, (loop, loaders) in loops.items():
            torch.manual_seed(run)
            start = time.perf_counter()
            accuracies[name] = loop(*loaders, args.epochs)
            if run > 0:  # the first warms up
                rates[name].append(args.epochs / (time.perf_counter() - start))
    emit(bench="simple", epochs=args.epochs, load_at_start=LOAD_AT_START, accuracy=accuracies,
         epochs_per_second={name: statistics.median(r) for name, r in rates.items()}, all=rates)


def resnet(args):
    import torch
    import torch.nn.functional as F
    from fastai.vision.all import ImageDataLoaders, accuracy, resnet18, vision_learner

    seconds, accuracies = {}, {}
    for workers in args.workers:
        torch.manual_seed(42)
        dls = ImageDataLoaders.from_folder(args.data, num_workers=workers)
        learn = vision_learner(dls, resnet18, pretrained=False, loss_func=F.cross_entropy, metrics=accuracy)
        with learn.no_bar(), learn.no_logging():
            start = time.perf_counter()
            learn.fit_one_cycle(1, 0.1)
            seconds[workers] = time.perf_counter() - start
        accuracies[workers] = learn.recorder.values[-1][2]
    best = min(seconds, key=seconds.get)
    emit(bench="resnet", load_at_start=LOAD_AT_START, epoch_seconds=seconds[best], accuracy=accuracies[best],
         workers=seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["simple", "resnet"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    args = parser.parse_args()
    import torch

    torch.set_num_threads(2)
    {"simple": simple, "resnet": resnet}[args.what](args)


main()
