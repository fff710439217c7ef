"""Writes gymnasium.json, the expected episodes of tests/gymnasium.rs.

    pip install gymnasium==1.4.0 box2d==2.3.10 pygame numpy==2.4.6 && python goldens.py

For every episode it contains the number of steps and a hash of all bytes (see play.py), 64-bit FNV-1a in hexadecimal; for
the first episode of each environment also observations and rewards, to locate differences; and the mean return of the
scripted lander over seeds 0 to 99.
"""

import importlib.metadata
import json
import struct
from pathlib import Path

import numpy
from play import PACKAGES, VARIANTS, play

SEEDS = {"lunar-lander": 40, "lunar-lander-continuous": 40, "pendulum": 8, "pendulum-continuous": 8}
CLASSIC_SEEDS = 20


def fnv(data):
    hash = 0xCBF29CE484222325
    for byte in data:
        hash = (hash ^ byte) * 0x100000001B3 % 2**64
    return f"{hash:016x}"


def shortest(row):
    """Returns observation and reward as the shortest decimals that round-trip."""
    *observation, reward, _, _ = struct.unpack(f"<{(len(row) - 10) // 4}fd??", row)
    return [[float(str(numpy.float32(value))) for value in observation], reward]


def golden(variant):
    env = variant.make()
    episodes, trace = [], None
    for seed in range(SEEDS.get(variant.name, CLASSIC_SEEDS)):
        for policy in variant.policies:
            _, rows = play(env, variant, seed, policy)
            episodes.append({"seed": seed, "policy": policy, "steps": len(rows) - 1, "hash": fnv(b"".join(rows))})
            trace = trace or [shortest(row) for row in rows]
    return {"environment": variant.environment, "episodes": episodes, "trace": trace}


def scripted_mean():
    variant = next(variant for variant in VARIANTS if variant.name == "lunar-lander")
    env = variant.make()
    total = 0.0
    for seed in range(100):
        score = 0.0
        for row in play(env, variant, seed, "scripted")[1]:
            score += struct.unpack_from("<d", row, len(row) - 10)[0]
        total += score
    return total / 100


versions = {package: importlib.metadata.version(package) for package in PACKAGES}
content = {"versions": versions, "scripted_mean": scripted_mean(), "variants": [golden(v) for v in VARIANTS]}
path = Path(__file__).with_name("gymnasium.json")
path.write_text(json.dumps(content, separators=(",", ":")).replace('{"environment"', '\n{"environment"') + "\n")
print(f"{path.name}: {path.stat().st_size} bytes, {versions}, scripted mean {content['scripted_mean']}")
