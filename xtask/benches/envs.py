"""Measures another library's environment: `cargo xtask bench envs` runs it.

    python envs.py gymnasium ID SECONDS    one environment, made with the library's usual wrappers
    python envs.py envpool ID SECONDS      16 environments on one thread

Time is that of the processor, all threads together, which other programs don't take from.
"""

import sys
import time

import gymnasium
import numpy

ACTIONS = 10_000
COPIES = 16


def main():
    library, name, seconds = sys.argv[1:]
    play = {"gymnasium": play_gymnasium, "envpool": play_envpool}[library](name)
    started, steps = time.process_time(), 0
    while (elapsed := time.process_time() - started) < float(seconds):
        steps += play()
    print(f"{steps / elapsed:.0f} steps per CPU second")


def play_gymnasium(name):
    env = gymnasium.make(name)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(ACTIONS)]
    env.reset(seed=0)

    def play():
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return play


def play_envpool(name):
    import envpool

    env = envpool.make(name, env_type="gymnasium", num_envs=COPIES, num_threads=1, seed=0)
    env.action_space.seed(0)
    actions = [numpy.stack([env.action_space.sample() for _ in range(COPIES)]) for _ in range(ACTIONS // COPIES)]
    env.reset()

    def play():
        for action in actions:
            env.step(action)  # starts the next episode where one has ended
        return len(actions) * COPIES

    return play


if __name__ == "__main__":
    main()
