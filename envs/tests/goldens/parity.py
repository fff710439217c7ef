"""Compares new episodes of Gymnasium's or MinAtar's environments with ours, step by step: `cargo xtask parity` runs it.

    python parity.py --module play|play_minatar --episodes 100 --seed 1 [--env NAME] -- REPLAY...

The module plays the others' episodes; REPLAY is the command that runs examples/replay.rs. Each variant of every
environment, or of the one named, plays this number of episodes.
"""

import argparse
import importlib.metadata
import json
import struct
import subprocess
import zlib

import numpy


def main():
    parser = argparse.ArgumentParser(description="Compares episodes with another library's.")
    parser.add_argument("--module", choices=("play", "play_minatar"), required=True)
    parser.add_argument("--episodes", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--env")
    parser.add_argument("replay", nargs="+")
    asked = parser.parse_args()
    module = importlib.import_module(asked.module)
    variants = [variant for variant in module.VARIANTS if asked.env in (None, variant.name)]
    if not variants:
        parser.error(f"--env {asked.env}: choose from {', '.join(sorted({variant.name for variant in module.VARIANTS}))}")
    versions = [f"{package} {importlib.metadata.version(package)}" for package in module.PACKAGES]
    print(f"against {', '.join(versions)}; seeds drawn from {asked.seed}", flush=True)
    differing = 0
    with subprocess.Popen(asked.replay, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ours:
        for variant in variants:
            differing += compare(ours, module.play, variant, asked.episodes, asked.seed)
        ours.stdin.close()
    print("no step differs" if differing == 0 else f"{differing} steps differ")
    return 1 if differing else 0


def compare(ours, play, variant, episodes, seed):
    env = variant.make()
    key = json.dumps(variant.environment)
    seeds = numpy.random.default_rng([seed, zlib.crc32(key.encode())])
    steps = differing = 0
    returns = []
    for index in range(episodes):
        fresh = int(seeds.integers(0, 2**63))
        policy = variant.policies[index % len(variant.policies)]
        actions, theirs = play(env, variant, fresh, policy)
        request = {"environment": variant.environment, "seed": fresh, "actions": actions}
        ours.stdin.write(json.dumps(request).encode() + b"\n")
        ours.stdin.flush()
        (count,) = struct.unpack("<I", ours.stdout.read(4))
        rows = [ours.stdout.read(len(theirs[0])) for _ in range(count)]
        wrong = [step for step, row in enumerate(theirs) if rows[step : step + 1] != [row]]
        if wrong and differing == 0:
            print(f"  {key}, seed {fresh}, {policy}: differs from step {wrong[0]} on")
        steps += len(actions)
        differing += len(wrong)
        if policy == "scripted":
            returns.append(sum(struct.unpack_from("<d", row, len(row) - 10)[0] for row in theirs))
    mean = f", scripted mean return {numpy.mean(returns):.2f}" if returns else ""
    print(f"{key}: {episodes} episodes, {steps} steps, {differing} differing{mean}", flush=True)
    return differing


if __name__ == "__main__":
    raise SystemExit(main())
