#!/usr/bin/env python3
"""Makes tests/golden/data/table.parquet: a small file with the types that pandas writes.

    .deps/venv/bin/python tests/golden/make_table.py [tests/golden]

Needs pyarrow alone.
"""

import datetime
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden") / "data"
    born = [datetime.datetime(2011, 11, 1), datetime.datetime(2012, 1, 31), datetime.datetime(2013, 5, 5)]
    table = pa.table({"file": pa.array(["a.jpg", "b.jpg", "c.jpg"], pa.large_string()),
                      "age": pa.array([1, 2, 7], pa.int16()),
                      "weight": pa.array([1.5, None, 3.0], pa.float32()),
                      "kind": pa.array(["dog", "dog", "cat"]).dictionary_encode(),
                      "tame": pa.array([True, False, True]),
                      "born": pa.array(born, pa.timestamp("ns"))})
    pq.write_table(table, folder / "table.parquet", row_group_size=2)


if __name__ == "__main__":
    main()
