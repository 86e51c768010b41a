"""Makes tests/golden/nn/weights_*: small files in every format that kindling reads, and what Python reads from them.

    python tests/golden/make_weights.py [SHARED_DATA]

Needs torch (2.14 made the files in the repository), safetensors and, for the file of `learn.save`, fastai. The pre-zip
format names storages by address, so those files differ from run to run in these names alone.
"""

import hashlib
import json
import os
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

here = Path(__file__).resolve().parent / "nn"
here.mkdir(exist_ok=True)


def describe(tensors):
    """[[name, dtype, shape, sha256 of the values in row-major little-endian order], ...] in file order."""
    rows = []
    for name, t in tensors.items():
        t = t.detach().cpu().contiguous()
        raw = t.reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""
        rows.append([name, str(t.dtype).removeprefix("torch."), list(t.shape), hashlib.sha256(raw).hexdigest()])
    return rows


def every_kind():
    g = torch.Generator().manual_seed(1)
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    shared = torch.randn(32, generator=g)
    return OrderedDict(
        [
            ("f32", torch.randn(3, 5, generator=g)),
            ("f64", torch.randn(2, 2, generator=g).double()),
            ("f16", torch.randn(7, generator=g).half()),
            ("bf16", torch.randn(2, 3, generator=g).bfloat16()),
            ("i64", torch.tensor(123456789012345)),
            ("i32", torch.tensor([-5, 7], dtype=torch.int32)),
            ("i16", torch.tensor([-300, 300], dtype=torch.int16)),
            ("i8", torch.tensor([-128, 127], dtype=torch.int8)),
            ("u8", torch.arange(5, dtype=torch.uint8)),
            ("bool", torch.tensor([True, False, True])),
            ("empty", torch.empty(0, 4)),
            ("transposed", base.t()),
            ("column", base[:, 2]),
            ("expanded", torch.tensor([1.5, -2.5]).expand(3, 2)),
            ("channels_last", torch.randn(2, 3, 4, 4, generator=g).contiguous(memory_format=torch.channels_last)),
            ("shared.head", shared[:10]),
            ("shared.tail", shared[20:].view(3, 4)),
            ("parameter", torch.nn.Parameter(torch.randn(4, generator=g))),
        ]
    )


class Malicious:
    def __reduce__(self):
        return (os.system, ("touch kindling_pickle_was_executed",))


def save_learner(path):
    """`learn.save` with the optimizer's state, after a short fit."""
    import fastai.callback.schedule  # gives Learner its fit_one_cycle
    from fastai.basics import DataLoaders, Learner
    from torch.utils.data import TensorDataset

    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(2))
    ds = TensorDataset(x, x.sum(1, keepdim=True))
    dls = DataLoaders.from_dsets(ds, ds, bs=8, device="cpu")
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    learn = Learner(dls, model, loss_func=torch.nn.functional.mse_loss)
    learn.fit_one_cycle(1)
    learn.save(path.with_suffix(""))
    return learn.model.state_dict()


def main():
    made = {}
    kinds = every_kind()
    torch.save(kinds, here / "weights_zip.pth")
    torch.save(kinds, here / "weights_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(kinds, here / "weights_protocol4.pth", pickle_protocol=4)
    for name in ("weights_zip.pth", "weights_legacy.pth", "weights_protocol4.pth"):
        made[name] = describe(torch.load(here / name, weights_only=False))

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4))
    opt = torch.optim.Adam(net.parameters())
    nested = {"epoch": 3, "arch": "net", "best": torch.tensor(0.5), "state_dict": net.state_dict(), "opt": opt.state_dict()}
    torch.save(nested, here / "weights_nested.pth")
    made["weights_nested.pth"] = describe(net.state_dict())
    torch.save({"a": net.state_dict(), "b": net.state_dict()}, here / "weights_ambiguous.pth")

    state = save_learner(here / "weights_learn_save.pth")
    made["weights_learn_save.pth"] = describe(state)

    torch.save({"weight": torch.ones(2), "evil": Malicious()}, here / "weights_malicious.pth")
    torch.save(
        {"weight": torch.ones(2), "evil": Malicious()},
        here / "weights_malicious_legacy.pth",
        _use_new_zipfile_serialization=False,
    )
    torch.save(net, here / "weights_whole_module.pth")
    torch.jit.script(net).save(str(here / "weights_torchscript.pt"))

    flat = {k: v.detach().clone().contiguous() for k, v in kinds.items()}
    save_file(flat, here / "weights_python.safetensors", metadata={"made by": "safetensors", "ü": "ß"})
    made["weights_python.safetensors"] = describe(load_file(here / "weights_python.safetensors"))
    (here / "weights_made.json").write_text(json.dumps(made, indent=0) + "\n")

    if len(sys.argv) > 1:
        folder = Path(sys.argv[1]) / "weights"
        found = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".safetensors":
                found[str(path.relative_to(folder))] = describe(load_file(path))
            elif path.suffix in (".pth", ".pt", ".th"):
                state = torch.load(path, map_location="cpu", weights_only=True)
                found[str(path.relative_to(folder))] = describe(state.get("state_dict", state))
        (here / "weights_shared_data.json").write_text(json.dumps(found, indent=0) + "\n")


main()
