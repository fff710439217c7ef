"""Episodes of Gymnasium's environments as bytes, for goldens.py and parity.py.

A row is the observation (f32), the reward (f64), terminated and truncated (a byte each), in little-endian; the first row
is for the reset, with reward 0. Actions are drawn with numpy's default_rng(seed + 1), scripted, or a mixture, so that the
seed determines them.
"""

import struct
from dataclasses import dataclass, field

import gymnasium
import numpy
from gymnasium.envs.box2d.lunar_lander import heuristic

PACKAGES = ("gymnasium", "box2d", "numpy")


@dataclass
class Variant:
    """One of our environments and its Gymnasium equivalent."""

    name: str
    id: str
    settings: dict = field(default_factory=dict)
    policies: tuple = ("random",)

    @property
    def environment(self):
        """Our settings."""
        return {"name": self.name, **self.settings}

    def make(self):
        continuous = {"continuous": True} if self.name == "lunar-lander-continuous" else {}
        # without render mode, because the lander's particles are slow
        return gymnasium.make(self.id, disable_env_checker=True, **self.settings, **continuous)


WIND = {"enable_wind": True}
STRONG = {"enable_wind": True, "gravity": -5.5, "wind_power": 20.0, "turbulence_power": 2.0}
LANDER = ("random", "scripted", "mixed")
CLASSIC = ("random", "scripted")
VARIANTS = [
    Variant("acrobot", "Acrobot-v1", policies=CLASSIC),
    Variant("cartpole", "CartPole-v1", policies=CLASSIC),
    Variant("mountain-car", "MountainCar-v0", policies=CLASSIC),
    Variant("pendulum", "Pendulum-v1"),
    Variant("pendulum-continuous", "Pendulum-v1"),
    Variant("lunar-lander", "LunarLander-v3", policies=LANDER),
    Variant("lunar-lander", "LunarLander-v3", WIND, LANDER),
    Variant("lunar-lander", "LunarLander-v3", STRONG, LANDER),
    Variant("lunar-lander-continuous", "LunarLander-v3", policies=LANDER),
    Variant("lunar-lander-continuous", "LunarLander-v3", WIND, LANDER),
]


def play(env, variant, seed, policy):
    """Returns the actions of an episode, as replay.rs reads them, and its rows."""
    draws = numpy.random.default_rng(seed + 1)
    observation, _ = env.reset(seed=seed)
    actions, rows = [], [row(observation, 0.0, False, False)]
    while True:
        scripted = policy == "scripted" or (policy == "mixed" and draws.uniform(0, 1) < 0.5)
        action, given = (scripted_action if scripted else random_action)(env, variant, observation, draws)
        observation, reward, terminated, truncated, _ = env.step(given)
        actions.append(action)
        rows.append(row(observation, reward, terminated, truncated))
        if terminated or truncated:
            return actions, rows


# The classic-control script: the last action if this value of the observation is positive, else the first. It swings up,
# and delays the pole's fall.
SIGN = {"acrobot": 5, "cartpole": 3, "mountain-car": 1}


def scripted_action(env, variant, observation, _draws):
    if variant.name in SIGN:
        action = int(env.action_space.n - 1 if observation[SIGN[variant.name]] > 0 else 0)
        return action, action
    action = heuristic(env, observation)
    if variant.name == "lunar-lander":
        return int(action), int(action)
    action = action.astype(numpy.float32)
    return action.tolist(), action


def random_action(env, variant, _observation, draws):
    if variant.name == "pendulum":
        action = int(draws.integers(0, 5))
        return action, numpy.array([action - 2], numpy.float32)
    if isinstance(env.action_space, gymnasium.spaces.Discrete):
        action = int(draws.integers(0, env.action_space.n))
        return action, action
    low, high = env.action_space.low, env.action_space.high
    # also outside the range, where actions are clipped
    action = numpy.array([draws.uniform(1.25 * a, 1.25 * b) for a, b in zip(low, high)], numpy.float32)
    return action.tolist(), action


def row(observation, reward, terminated, truncated):
    assert observation.dtype == numpy.float32
    return observation.tobytes() + struct.pack("<d??", reward, terminated, truncated)
