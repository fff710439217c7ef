"""Writes pendulum.json: episodes of Gymnasium's Pendulum-v1, which tests/pendulum.rs replays.

    pip install gymnasium==1.4.0 numpy==2.4.6 && python pendulum.py

Episodes alternate between 5 evenly spaced torques and continuous torques from -2.5 to 2.5 (clipped at 2). Floats are the
shortest decimals that round-trip, as f32 for torques and observations, as f64 for rewards.
"""

import json
from pathlib import Path

import gymnasium
import numpy

SEEDS = [*range(16), 2**32, 2**40 + 7, 2**63, 2**64 - 1]


def shortest(values):
    return [float(str(value)) for value in values]


def episode(index, seed):
    env = gymnasium.make("Pendulum-v1")
    draws = numpy.random.default_rng(index)
    if index % 2 == 0:
        torques = draws.choice(numpy.linspace(-2, 2, 5), 200)
    else:
        torques = draws.uniform(-2.5, 2.5, 200)
    torques = torques.astype(numpy.float32)
    observation, _ = env.reset(seed=seed)
    observations, rewards = [shortest(observation)], []
    for torque in torques:
        observation, reward, terminated, truncated, _ = env.step(numpy.array([torque]))
        observations.append(shortest(observation))
        rewards.append(float(reward))
    assert truncated and not terminated
    return {"seed": seed, "torques": shortest(torques), "observations": observations, "rewards": rewards}


golden = {
    "gymnasium": gymnasium.__version__,
    "numpy": numpy.__version__,
    "episodes": [episode(index, seed) for index, seed in enumerate(SEEDS)],
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"seed"', '\n{"seed"') + "\n")
print(f"{path.name}: {path.stat().st_size} bytes, Gymnasium {golden['gymnasium']}, numpy {golden['numpy']}")
