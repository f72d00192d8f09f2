"""Computes the authors' mean scores in experiments/reference.csv from their own runs, experiments/authors/authors-runs.csv.

    python3 scripts/reference.py            # writes the rows of few-shot and rank-sweep anew
    python3 scripts/reference.py --check    # says which rows differ, and fails if one does

All other rows were read off the paper's figures by eye, and stay as they are.
"""

import csv
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).parent.parent
REFERENCE = ROOT / "experiments/reference.csv"
RUNS = ROOT / "experiments/authors/authors-runs.csv"

# Our experiment: theirs, and the column that is varied.
FROM_RUNS = {"few-shot": ("stsb_fewshot", "examples"), "rank-sweep": ("stsb_fewshot_16_varying_rank", "rank")}
METHODS = {"LoRA": "lora", "Deep LoRA": "deep-lora"}


def mean_score(runs, figure, method, column, value):
    """Mean Pearson correlation of their runs of one method at one value."""
    scores = [
        float(run["score"])
        for run in runs
        if (run["figure"], run["method"], run[column], run["metric"]) == (figure, method, value, "pearson")
    ]
    return f"{statistics.mean(scores):.3f}"


def main():
    runs = list(csv.DictReader(RUNS.open(encoding="utf-8")))
    rows = list(csv.reader(REFERENCE.open(encoding="utf-8")))
    different = []
    for row in rows[1:]:
        experiment, series, _, x, _, y = row
        if experiment not in FROM_RUNS:
            continue
        figure, column = FROM_RUNS[experiment]
        row[5] = mean_score(runs, figure, METHODS[series], column, x)
        if row[5] != y:
            different.append(f"{experiment}, {series}, {x}: {y} is written, {row[5]} is the mean of their runs")
    print("\n".join(different) or "the authors' means are those of their runs")
    if "--check" in sys.argv[1:]:
        sys.exit(1 if different else 0)
    with REFERENCE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


main()
