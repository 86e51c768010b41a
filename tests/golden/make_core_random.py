"""Makes core/random.json: torch's and CPython's random streams that kindling must reproduce.

Run with Python and torch (written by CPython 3.11 and torch 2.14.1); the numbers do not depend on the versions.
"""
import json
import pathlib
import random

import torch

SEEDS = [0, 42, 2**32 - 1, 2**32 + 42, 2**40 + 7, 2**64 - 1]


def randperm(n, seed):
    torch.manual_seed(seed)
    return torch.randperm(n).tolist()


def draws(seed):
    r = random.Random(seed)
    # Seeds and 64-bit draws are written as text: a reader of JSON may keep numbers as doubles.
    return {
        "seed": str(seed),
        "random": [r.random().hex() for _ in range(5)],
        "getrandbits": {str(k): str(r.getrandbits(k)) for k in (1, 7, 31, 32, 33, 48, 63, 64)},
        "randint": [[a, b, r.randint(a, b)] for a, b in [(0, 0), (1, 6), (-5, 5), (0, 2**31), (-(2**40), 2**40)]],
        "randint_full": str(r.randint(-(2**63), 2**63 - 1)),
        "uniform": [r.uniform(0.75, 4 / 3).hex() for _ in range(3)],
        "sample": {str(n): r.sample(range(n), n) for n in (0, 1, 2, 10, 1000)},
        "after": r.random().hex(),
    }


golden = {
    "torch_randperm": [{"seed": str(s), "n": n, "values": randperm(n, s)} for s in SEEDS for n in (0, 1, 2, 10, 20, 1000)],
    "python_random": [draws(s) for s in SEEDS],
}
target = pathlib.Path(__file__).parent / "core" / "random.json"
target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
