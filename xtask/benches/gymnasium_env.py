"""Steps an environment in a plain loop: `cargo xtask bench gymnasium` and `cargo xtask bench minatar` run it.

    python gymnasium_env.py ID SECONDS clock|processor    one environment, made with Gymnasium's usual wrappers

Every episode is reset with a seed of its own, as ours are. Seconds are those of the clock, or of the processor, which other
programs don't take from.
"""

import sys
import time

import gymnasium

ACTIONS = 10_000


def main():
    name, seconds, which = sys.argv[1:]
    now = {"clock": time.perf_counter, "processor": time.process_time}[which]
    if name.startswith("MinAtar/"):
        import minatar.gym

        minatar.gym.register_envs()
    env = gymnasium.make(name)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(ACTIONS)]
    seed = 0
    env.reset(seed=seed)
    started, steps = now(), 0
    while (elapsed := now() - started) < float(seconds):
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                seed += 1
                env.reset(seed=seed)
        steps += len(actions)
    print(f"{steps / elapsed:.0f} steps per second of the {which}")


if __name__ == "__main__":
    main()
