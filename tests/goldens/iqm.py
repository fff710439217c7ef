"""Writes iqm.json: rliable's interquartile means and bootstrap intervals.

    pip install rliable==1.2.0 pandas==2.3.3 numpy==2.4.6 && python iqm.py

Scores are [task][run]; the bootstrap has 10,000 draws, stratified by task. The ends of an interval have a standard error
over seeds of the draws.
"""

import json
from pathlib import Path

import numpy
from rliable import library, metrics

DRAWS, SEEDS = 10_000, 20


def heavy_tailed(task, runs):
    return numpy.random.RandomState(task).standard_t(2, runs).round(3).tolist()


CASES = [
    [[-153.2, -146.9, -142.1, -371.4, -160.0, -149.5, -155.3, -201.7, -144.8, -150.6]],
    [[-153.2, -146.9, -142.1, -371.4, -160.0]],
    [[1.566, 1.571, 1.563]],
    [heavy_tailed(0, 40)],
    [heavy_tailed(1, 5), heavy_tailed(2, 5)],
    [[0.1, 0.2, 0.3, 0.4], [10.1, 10.2, 10.3, 10.4], [5.0, 9.0, 1.0, 3.0]],
]


def intervals(scores):
    def mean(scores):
        return numpy.array([metrics.aggregate_iqm(scores)])

    for seed in range(SEEDS):
        state = numpy.random.RandomState(seed)
        yield library.get_interval_estimates({"": scores}, mean, reps=DRAWS, random_state=state)[1][""][:, 0]


def golden(case):
    scores = numpy.array(case).T  # [run, task]
    found = numpy.array(list(intervals(scores)))  # [seed, end]
    return {
        "scores": case,
        "mean": float(metrics.aggregate_iqm(scores)),
        "interval": found.mean(axis=0).tolist(),
        "error": found.std(axis=0, ddof=1).tolist(),
    }


if __name__ == "__main__":
    path = Path(__file__).with_suffix(".json")
    lines = [json.dumps(golden(case)) for case in CASES]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
