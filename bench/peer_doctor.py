#!/usr/bin/env python3
"""fastai's `verify_images` on a folder, for bench/doctor: one JSON object a run, with the seconds of the call alone.

    peer_doctor.py FOLDER [--repeats 5]
"""

import argparse
import json
import os
import time

from fastai.vision.all import get_image_files
from fastai.vision.utils import verify_images


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    files = get_image_files(args.folder)
    for _ in range(args.repeats):
        start = time.perf_counter()
        failed = verify_images(files)
        print(json.dumps({"seconds": time.perf_counter() - start, "files": len(files), "failed": len(failed),
                          "load": os.getloadavg()[0]}), flush=True)


main()
