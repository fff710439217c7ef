"""Episodes of MinAtar's package as bytes: what minatar.py writes down and parity.py compares with.

An episode is a fresh environment's after `seed` and `reset`, as ours. A row is the observation (f32 each), the reward
(f64), terminated and truncated (a byte each), little-endian; the first is the reset's, with reward 0.
"""

import struct
from dataclasses import dataclass, field

import numpy
from minatar import Environment

PACKAGES = ("MinAtar", "numpy")
TIME_LIMIT = 10_000
GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
SETTINGS = (
    {"sticky_action_prob": 0.1, "difficulty_ramping": True},
    {"sticky_action_prob": 0.0, "difficulty_ramping": True, "full_action_space": True},
    {"sticky_action_prob": 0.1, "difficulty_ramping": False, "full_action_space": True},
    {"sticky_action_prob": 0.0, "difficulty_ramping": False},
)
NOOP, LEFT, UP, RIGHT, DOWN, FIRE = range(6)


@dataclass
class Variant:
    """A game with settings of ours."""

    game: str
    settings: dict = field(default_factory=dict)
    policies: tuple = ("random", "scripted")

    @property
    def name(self):
        return "minatar-" + self.game.replace("_", "-")

    @property
    def environment(self):
        """Our settings."""
        return {"name": self.name, **self.settings}

    def make(self):
        """Nothing: each episode has an environment of its own, since the package's keeps its last action."""

    def start(self, seed):
        """A fresh environment after a reset, and the package's numbers of our actions."""
        sticky, ramping = self.settings["sticky_action_prob"], self.settings["difficulty_ramping"]
        env = Environment(self.game, sticky_action_prob=sticky, difficulty_ramping=ramping)
        env.seed(seed % 2**32)
        env.reset()
        full = self.settings.get("full_action_space", False)
        return env, list(range(env.num_actions())) if full else [int(action) for action in env.minimal_action_set()]


VARIANTS = [Variant(game, settings) for game in GAMES for settings in SETTINGS]


def play(_env, variant, seed, policy):
    """The actions of one episode, as replay.rs takes them, and its rows."""
    draws = numpy.random.default_rng(seed + 1)
    env, numbers = variant.start(seed)
    actions, rows = [], [row(env, 0.0, False, False)]
    while True:
        scripted = policy == "scripted" and draws.uniform(0, 1) < 0.9
        number = SCRIPTS[variant.game](env.state(), draws) if scripted else numbers[int(draws.integers(0, len(numbers)))]
        reward, terminated = env.act(number)
        actions.append(numbers.index(number))
        truncated = len(actions) == TIME_LIMIT
        rows.append(row(env, reward, terminated, truncated))
        if terminated or truncated:
            return actions, rows


def row(env, reward, terminated, truncated):
    state = env.state()
    assert state.dtype == bool
    return state.astype(numpy.float32).tobytes() + struct.pack("<d??", reward, terminated, truncated)


# Scripts see an observation and live longer than random actions do: they reach waves, ramps and full loads.


def dodge(state, _draws):
    """Goes to a row without an enemy."""
    y = state[:, :, 0].any(axis=1).argmax()
    dangerous = state[:, :, 1].any(axis=1)
    if not dangerous[y]:
        return NOOP
    return UP if y > 1 and not dangerous[y - 1] else DOWN


def follow(state, _draws):
    """Keeps the paddle under the ball."""
    paddle, ball = (state[:, :, channel].any(axis=0).argmax() for channel in (0, 1))
    return LEFT if ball < paddle else RIGHT if ball > paddle else NOOP


def dive(state, draws):
    """Stays under water and comes up with divers when the oxygen is low."""
    y = state[:, :, 0].any(axis=1).argmax()
    low, divers = state[9, :, 7].sum() < 3, state[9, :, 8].any()
    if low and divers:
        return UP
    return DOWN if y < 2 else (LEFT, RIGHT, FIRE, DOWN, UP if y > 3 else FIRE)[draws.integers(0, 5)]


def shoot(state, draws):
    """Fires, but leaves columns in which a bullet comes down."""
    x = state[9, :, 0].argmax()
    if state[4:, x, 5].any():
        return (LEFT, RIGHT)[draws.integers(0, 2)]
    return FIRE


SCRIPTS = {
    "asterix": dodge,
    "breakout": follow,
    "freeway": lambda _state, _draws: UP,
    "seaquest": dive,
    "space_invaders": shoot,
}
