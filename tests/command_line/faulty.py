"""An environment of Gymnasium with faults, for tests."""

import os
import signal
import subprocess
import sys
import time

import gymnasium
import numpy as np
from gymnasium import spaces


class Faulty(gymnasium.Env):
    """Observes a random number and the steps since the reset. A fault shows from step `at` of an episode on."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}

    def __init__(self, fault="none", at=5, length=30, render_mode=None):
        self.fault, self.at, self.length, self.render_mode = fault, at, length, render_mode
        self.child = None
        self.observation_space = spaces.Box(-1e6, 1e6, (2,), np.float32)
        self.action_space = spaces.Discrete(3, start=4)
        if fault == "graph":
            self.observation_space = spaces.Graph(spaces.Discrete(2), spaces.Discrete(2))
        if fault == "unbounded-action":
            self.action_space = spaces.Box(-np.inf, np.inf, (2,))
        if fault == "many-actions":
            self.action_space = spaces.Box(-1, 1, (12,))
        if fault == "text-action":
            self.action_space = spaces.Text(3)
        if fault == "masked-numbers":
            self.action_space = spaces.MultiDiscrete([2, 3], start=[0, 4])
        if fault == "masked-box":
            self.action_space = spaces.Box(-1, 1, (1,))

    def reset(self, seed=None, options=None):
        if self.fault == "small-seeds" and seed >= 2**31:
            raise ValueError("the seed is too large")
        super().reset(seed=seed)
        self.steps = 0
        if self.fault == "print":
            print("a new episode", flush=True)
            os.system("echo from a child")
        if self.fault == "child" and self.child is None:
            self.child = subprocess.Popen(["sleep", "1000"])  # left behind
        self.number = self.np_random.integers(1000) if self.fault != "unseeded" else time.time() % 1000
        return self.observe(), self.info()

    def step(self, action):
        *first, last = np.ravel(action)
        assert last in (4, 5, 6) and self.legal[last - 4], action
        assert not first or first == [1] or self.steps % 2 == 0, action
        self.steps += 1
        fault = self.fault if self.steps >= self.at else "none"
        if fault == "raise":
            raise RuntimeError("the wheel came off")
        if fault == "hang":
            while True:
                time.sleep(1)
        if fault == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "exit":
            sys.exit(7)
        observation, reward = self.observe(), 1.0 if last == 5 else 0.0
        if fault == "shape":
            observation = observation[:1]
        if fault == "dtype":
            observation = np.array(["left", "right"])
        if fault == "no-number":
            observation[1] = np.nan
        if fault == "nan-reward":
            reward = np.nan
        if fault == "slow":
            time.sleep(0.02)
        return observation, reward, self.steps >= self.length, False, self.info()

    def observe(self):
        return np.array([self.number, self.steps], np.float32)

    def info(self):
        """Two of three actions are legal, if the fault is about masks."""
        self.legal = np.ones(3, np.int8)
        early = self.steps < self.at
        if "mask" not in self.fault or self.steps >= self.length or (early and self.fault == "late-mask"):
            return {}
        self.legal[(self.number + self.steps) % 3] = 0
        masks = {
            "lost-mask": None,
            "short-mask": self.legal[:2],
            "float-mask": self.legal * 0.5,
            "large-mask": self.legal * 2,
            "empty-mask": self.legal * 0,
            "masked-numbers": (np.array([self.steps % 2 == 0, True]), self.legal),
        }
        if early and self.fault != "masked-numbers":
            return {"action_mask": self.legal}
        return {"action_mask": masks.get(self.fault, self.legal)}

    def render(self):
        frame = np.zeros((20, 30, 3), np.uint8)
        frame[:, : self.steps + 1] = 255
        return frame


gymnasium.register("Faulty-v0", Faulty)
