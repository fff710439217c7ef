"""Reads event files with TensorBoard and compares every curve with metrics.jsonl: `cargo xtask tensorboard`.

    python event_files.py RUN..
"""

import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def curves(line):
    """Yields the TensorBoard tags and values of a line of metrics.jsonl."""
    match line:
        case {"kind": "episode"}:
            yield "episode/return", line["return"]
            yield "episode/length", line["length"]
            yield "epsilon", line["epsilon"]
        case {"kind": "update"}:
            for name in ["loss", "mean_max_q", "max_q", "reward_factor", "exploded_units"]:
                if name in line:
                    yield f"train/{name}", line[name]
            yield "train/max_head_weight", max(line["posterior"])
        case {"kind": "validation"}:
            yield "validation/return", line["return"]["mean"]
        case {"kind": "epoch"}:
            for name in ["loss", "top1"]:
                yield f"train/{name}_epoch", line["train"][name]
                yield f"validation/{name}", line["validation"][name]
        case _:
            sys.exit(f"a line of metrics.jsonl of an unknown kind: {line}")
    for speed in ["steps", "samples"]:
        if f"{speed}_per_second" in line:
            yield f"time/{speed}_per_second", line[f"{speed}_per_second"]


def single(number):
    """Rounds to 32 bits, as event files do."""
    return struct.unpack("f", struct.pack("f", number))[0]


def main():
    for run in map(Path, sys.argv[1:]):
        expected = {}
        for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()):
            for tag, value in curves(line):
                expected.setdefault(tag, []).append((line["step"], single(value)))
        events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
        events.Reload()
        found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        if found != expected:
            for tag in sorted(found.keys() | expected.keys()):
                if found.get(tag) != expected.get(tag):
                    print(f"{run.name}, {tag}: TensorBoard has {found.get(tag)}, metrics.jsonl {expected.get(tag)}")
            sys.exit("they differ")
        numbers = sum(map(len, found.values()))
        print(f"{run.name}: {len(found)} curves, {numbers} numbers, all as in metrics.jsonl")


if __name__ == "__main__":
    main()
