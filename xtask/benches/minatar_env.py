"""Measures a game of MinAtar's package: `cargo xtask bench minatar` runs it.

    python minatar_env.py ID SECONDS    one environment, made with Gymnasium's usual wrappers

Every episode is reset with a seed of its own, as ours are. Time is that of the processor, which other programs don't take
from.
"""

import sys
import time

import gymnasium
import minatar.gym

ACTIONS = 10_000


def main():
    name, seconds = sys.argv[1:]
    minatar.gym.register_envs()
    env = gymnasium.make(name)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(ACTIONS)]
    seed = 0
    env.reset(seed=seed)
    started, steps = time.process_time(), 0
    while (elapsed := time.process_time() - started) < float(seconds):
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                seed += 1
                env.reset(seed=seed)
        steps += len(actions)
    print(f"{steps / elapsed:.0f} steps per CPU second")


if __name__ == "__main__":
    main()
