"""Steps an environment of Gymnasium in a plain loop: `cargo xtask bench gymnasium` runs it.

    python gymnasium_env.py ID SECONDS    one environment, made with Gymnasium's usual wrappers

Every episode is reset with a seed of its own, as ours are. Time is that of the clock, since ours has several processes.
"""

import sys
import time

import gymnasium

ACTIONS = 10_000


def main():
    name, seconds = sys.argv[1:]
    env = gymnasium.make(name)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(ACTIONS)]
    seed = 0
    env.reset(seed=seed)
    started, steps = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < float(seconds):
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                seed += 1
                env.reset(seed=seed)
        steps += len(actions)
    print(f"{steps / elapsed:.0f} steps per second")


if __name__ == "__main__":
    main()
