"""Measures deep Q-learning by PyTorch on MinAtar's Breakout: `cargo xtask bench minatar` runs it.

    python minatar_dqn.py SECONDS

The package's environment, MinAtar's network (16 filters of 3 by 3, 128 units), and the settings of CleanRL's script for
Atari: Adam with learning rate 1e-4, squared errors, batches of 32 every four steps, a target network that is copied every
1,000 steps, and a random action in a hundred steps. The buffer holds a million observations, once each, on one thread.
"""

import random
import sys
import time

import gymnasium
import minatar.gym
import numpy as np
import torch
from torch import nn

BUFFER = 1_000_000
BATCH = 32
WARM_UP = 2_000
CHUNK = 100


class QNetwork(nn.Module):
    def __init__(self, channels, actions):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, actions)
        )

    def forward(self, observations):  # [B, H, W, C] of bool
        return self.layers(observations.permute(0, 3, 1, 2).float())


def main():
    seconds = float(sys.argv[1])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    rng = np.random.default_rng(0)
    minatar.gym.register_envs()
    env = gymnasium.make("MinAtar/Breakout-v1")
    actions = env.action_space.n
    observation, _ = env.reset(seed=0)
    online, target = (QNetwork(observation.shape[-1], actions) for _ in range(2))
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=1e-4)
    observations = np.zeros((BUFFER, *observation.shape), bool)
    taken, rewards, ends = np.zeros(BUFFER, np.int64), np.zeros(BUFFER, np.float32), np.zeros(BUFFER, np.float32)

    started, step = time.process_time(), 0
    while True:
        if step == WARM_UP:
            started = time.process_time()
        if step > WARM_UP and step % CHUNK == 0 and time.process_time() - started >= seconds:
            break
        if step < WARM_UP or random.random() < 0.01:
            action = random.randrange(actions)
        else:
            with torch.no_grad():
                action = int(online(torch.from_numpy(observation)[None]).argmax())
        observations[step] = observation
        observation, reward, terminated, truncated, _ = env.step(action)
        taken[step], rewards[step], ends[step] = action, reward, terminated
        if terminated or truncated:
            observation, _ = env.reset(seed=step)
        step += 1
        if step <= WARM_UP or step % 4:
            continue
        batch = rng.integers(0, step - 1, BATCH)
        with torch.no_grad():
            best = target(torch.from_numpy(observations[batch + 1])).max(1).values
            y = torch.from_numpy(rewards[batch]) + 0.99 * best * (1 - torch.from_numpy(ends[batch]))
        values = online(torch.from_numpy(observations[batch])).gather(1, torch.from_numpy(taken[batch])[:, None])
        loss = nn.functional.mse_loss(values.squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 1_000 == 0:
            target.load_state_dict(online.state_dict())
    print(f"{(step - WARM_UP) / (time.process_time() - started):.1f} steps/s")


if __name__ == "__main__":
    main()
