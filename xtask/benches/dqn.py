"""Measures Stable-Baselines3's DQN on LunarLander: `cargo xtask bench dqn` runs it.

    python dqn.py updates|training WIDTH SECONDS

`updates` are gradient steps alone, `training` is one gradient step for each environment step; both have two hidden
layers of WIDTH units, batches of 128, and Adam, on one thread.
"""

import sys
import time

import gymnasium
import torch
from stable_baselines3 import DQN

BATCH = 128
WARM_UP = 2_000
CHUNK = 100


def main():
    what, width, seconds = sys.argv[1:]
    torch.set_num_threads(1)
    agent = DQN(
        "MlpPolicy",
        gymnasium.make("LunarLander-v3"),
        policy_kwargs={"net_arch": [int(width)] * 2},
        learning_rate=1e-3,
        batch_size=BATCH,
        buffer_size=100_000,
        learning_starts=WARM_UP,
        train_freq=1,
        gradient_steps=1,
        exploration_initial_eps=0.05,
        exploration_final_eps=0.05,
        device="cpu",
        seed=0,
    )
    agent.learn(WARM_UP + CHUNK)
    work = {
        "updates": lambda: agent.train(CHUNK, BATCH),
        "training": lambda: agent.learn(CHUNK, reset_num_timesteps=False),
    }[what]
    started, steps = time.process_time(), 0
    while (elapsed := time.process_time() - started) < float(seconds):
        work()
        steps += CHUNK
    print(f"{steps / elapsed:.1f} steps/s")


if __name__ == "__main__":
    main()
