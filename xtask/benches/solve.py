"""Measures how long Stable-Baselines3's DQN takes to solve an environment: `cargo xtask bench solve` runs it.

    python solve.py ENVIRONMENT STEPS THRESHOLD SEED

The settings are those that rl-zoo3 tuned for each environment. It has none for DQN on Pendulum, which gets those of
LunarLander and, as in alrao, five torques. Every 2,000 steps, the agent plays 100 greedy episodes while the clock stands
still, the same ones as alrao's; it has solved the environment once their mean return is at least THRESHOLD. If it never
does in STEPS steps, `inf s` is printed.
"""

import sys
import time

import gymnasium
import numpy
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

VALIDATE_EVERY = 2_000
EPISODES = 100
FIRST_SEED = 1_000_000  # of the episodes
TORQUES = 5

LUNAR_LANDER = {
    "learning_rate": 6.3e-4,
    "batch_size": 128,
    "buffer_size": 50_000,
    "learning_starts": 0,
    "gamma": 0.99,
    "target_update_interval": 250,
    "train_freq": 4,
    "gradient_steps": -1,
    "exploration_fraction": 0.12,
    "exploration_final_eps": 0.1,
}
ENVIRONMENTS = {
    "cartpole": (
        "CartPole-v1",
        {
            "learning_rate": 2.3e-3,
            "batch_size": 64,
            "buffer_size": 100_000,
            "learning_starts": 1_000,
            "gamma": 0.99,
            "target_update_interval": 10,
            "train_freq": 256,
            "gradient_steps": 128,
            "exploration_fraction": 0.16,
            "exploration_final_eps": 0.04,
        },
    ),
    "mountain-car": (
        "MountainCar-v0",
        {
            "learning_rate": 4e-3,
            "batch_size": 128,
            "buffer_size": 10_000,
            "learning_starts": 1_000,
            "gamma": 0.98,
            "target_update_interval": 600,
            "train_freq": 16,
            "gradient_steps": 8,
            "exploration_fraction": 0.2,
            "exploration_final_eps": 0.07,
        },
    ),
    "lunar-lander": ("LunarLander-v3", LUNAR_LANDER),
    "acrobot": ("Acrobot-v1", LUNAR_LANDER),
    "pendulum": ("Pendulum-v1", LUNAR_LANDER),
}


class Torques(gymnasium.ActionWrapper):
    """Offers evenly spaced torques as actions."""

    def __init__(self, environment):
        super().__init__(environment)
        self.torques = numpy.linspace(-2, 2, TORQUES, dtype=numpy.float32)
        self.action_space = gymnasium.spaces.Discrete(TORQUES)

    def action(self, action):
        return self.torques[action : action + 1]


class Stopwatch(BaseCallback):
    """Stops the training once the environment is solved, and the clock during validations."""

    def __init__(self, make, threshold):
        super().__init__()
        self.environments = DummyVecEnv([make] * EPISODES)
        self.threshold = threshold
        self.seconds, self.solved = 0.0, False

    def _on_training_start(self):
        self.since = time.perf_counter()

    def _on_step(self):
        if self.num_timesteps % VALIDATE_EVERY:
            return True
        self.seconds += time.perf_counter() - self.since
        self.environments.seed(FIRST_SEED)
        mean, _ = evaluate_policy(self.model, self.environments, EPISODES)
        self.solved = mean >= self.threshold
        self.since = time.perf_counter()
        return not self.solved


def main():
    name, steps, threshold, seed = sys.argv[1:]
    torch.set_num_threads(1)
    id, settings = ENVIRONMENTS[name]

    def make():
        environment = gymnasium.make(id)
        return Monitor(Torques(environment) if name == "pendulum" else environment)

    agent = DQN(
        "MlpPolicy",
        make(),
        policy_kwargs={"net_arch": [256, 256]},
        device="cpu",
        seed=int(seed),
        **settings,
    )
    stopwatch = Stopwatch(make, float(threshold))
    agent.learn(int(steps), callback=stopwatch)
    print(f"{stopwatch.seconds if stopwatch.solved else float('inf'):.2f} s")


if __name__ == "__main__":
    main()
