"""Makes core/numpy_random.json: draws of numpy's RandomState that kindling must reproduce.

Run with numpy (written by numpy 2.4.6); numpy promises that this stream never changes.
"""
import json
import pathlib

import numpy as np


def draws(seed):
    r = np.random.RandomState(seed)
    return {
        "seed": seed,
        "normal": [float(v).hex() for v in r.normal(size=9)],
        # After an odd number of normal draws one is left over: uniform ones do not take it.
        "rand": [float(v).hex() for v in r.rand(4)],
        "scaled": [float(v).hex() for v in r.normal(loc=-3, scale=1.5, size=4)],
        "uniform": [float(v).hex() for v in r.uniform(-0.5, 0.5, size=3)],
    }


target = pathlib.Path(__file__).parent / "core" / "numpy_random.json"
target.write_text(json.dumps([draws(s) for s in (0, 42, 2**32 - 1)], separators=(",", ":")) + "\n")
