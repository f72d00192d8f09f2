"""Makes the parquet files of this directory, laid out as those of nyu-mll/glue on the hub (the sentences are made up).

Needs pyarrow. Run by hand: python make_parquet.py
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent


def write(name, columns, types):
    path = HERE / f"{name}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(list(zip(columns, types)))
    table = pa.table({column: pa.array(values, kind) for (column, values), kind in zip(columns.items(), types)}, schema)
    pq.write_table(table, path, compression="snappy", row_group_size=2)


def pairs(name, labels, kind, first_id=0, ids=None):
    count = len(labels)
    columns = {
        "sentence1": [f"First “{name}” sentence {i}." for i in range(count)],
        "sentence2": [f"Second\tsentence {i}." for i in range(count)],
        "label": labels,
        "idx": ids or range(first_id, first_id + count),
    }
    write(name, columns, [pa.string(), pa.string(), kind, pa.int32()])


pairs("rte/train", [1, 0, 1, 1, 0], pa.int64())
pairs("rte/validation", [0, 1], pa.int64(), 5)
pairs("stsb/train", [5.0, 0.0, 2.799999952316284], pa.float32())
pairs("stsb/validation", [3.5], pa.float32(), 3)
pairs("unlabelled/rte/train", [0, -1], pa.int64())
pairs("beyond/rte/train", [0, 1, 2], pa.int64())
pairs("twice/rte/train", [0, 1, 1], pa.int64(), ids=[4, 5, 4])
