#!/usr/bin/env python3
"""Prints what the tensorboard package reads in an event file, as JSON: {"scalars": [[tag, step, value], ...]}.

    python tests/golden/read_tensorboard.py FILE
"""

import json
import sys

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

scalars = []
for event in EventFileLoader(sys.argv[1]).Load():
    for value in event.summary.value:
        if value.WhichOneof("value") == "tensor":  # the loader gives simple values in its newer form
            scalars.append([value.tag, event.step, float(tensor_util.make_ndarray(value.tensor).item())])
        elif value.WhichOneof("value") == "simple_value":
            scalars.append([value.tag, event.step, value.simple_value])
print(json.dumps({"scalars": scalars}))
