"""Writes minatar.json: what tests/minatar.rs and the games' own tests expect of MinAtar.

    pip install MinAtar==1.0.15 gymnasium==1.4.0 numpy==2.4.6 && python minatar_goldens.py

It holds, of each game:

- traces of 500 random actions through as many episodes as they take. Of a trace's rows (observation, reward and terminal
  flag, a byte each) there is a running hash, 64-bit FNV-1a; its last 16 bits are written down after every 10th step, to
  find where something differs.
- runs of one environment whose resets go on with the stream of draws, as the package's do: with actions from a linear
  congruential generator, always the same action, or a sequence found by search that makes the game as hard as it gets.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy
from play_minatar import GAMES, PACKAGES, SETTINGS, Variant

SEEDS = 20
STEPS = 500
EVERY = 10

# Two actions a character: its value in base 36, divided by 6, and the remainder.
FOUND = {
    ("asterix", 0): (
        "lsromeck378mkqsq30qpj7d9lfa0q1fr1qppk26cg16ee6jieg6lqpadqp2eped8s8r79orsgg14277mfpf2e8se7e43l31ia0aff93d"
        "22j6jfo90ik3a8l6fc8338i483d0k7707ol07l0699160g96imq8s8p9j0slogkekr94rllfcgil3pg82qffpk64ag49lg3qp2gcmd44"
        "61j6977iqrok9fddf8j4iir44agras4q36f86i7m62s80k0dllk0eaa72l080fj2cccqg76rg9foo9padaamiaccefdkkkiip67dlgmi"
        "308fdj3dikgo778mrklejelr4m7j629226agq2s4m3mcmpp3k292093640eg209p0lgm2qdagd693dd2gcps4p8s66m0qdq8l03eaj9p"
        "l7r20c1ss0prqdl44gcefqem6mr3sosg0c77li7q3dg6frqppidki1r3fj2kjskma3fk190q360i73frd8df"
    ),
    ("breakout", 3): (
        "09i779ii119ll1690336611ljll90677139lj006i1l7l1j06ji0919379ji0jji09307i9j17i90lili6777ijli1lli77177llll37"
        "70679li61l669l6i639j1301l77363j67j363j99illj0i77793lll"
    ),
    ("seaquest", 2): (
        "j08b9hwevhldmqzrr4bldt4ztdartibbz79b3zi2rok5zcxqkxl7g5pnbr7vi7wg1uog5tmw141oecjh225lgn55yyqqtei81jlvxqzx"
        "h8uzlbssccys5p6artvjz10r8m3muee7jwfkef2qcdhbngv0r9tq4cgdu1vgdn6o90p2ygczh4mryb2n3zfwes60lbm1nyh8yc85rfit"
        "n1oq2v7h61gj04himjw0eh6yoxjulq1gbs9w6gezpyz4pnzx1954appsam3dnlp95kikazyum69ymi8ueywq60sdv2chqh6qvkzdt5nb"
        "1xu3nqv3jtk0rxbitkhba378tdutm5k70rg4lwawxjbl71fvtwb4eehe6a4wiaansh5mxzskye87ts0jjf7xtxz9bdx0a1bbp1y5lcun"
        "kyphoa03vks55z3646vkhwekqlbkyccgal"
    ),
    ("space_invaders", 1): (
        "xvnivx71u5xv7b35vvn75uxzbnnjxn303z7jvnz59vl0nx1iu7vvvbi53u95j7vjb35nn3u65zix0lvv5luux70z1nxvx5b575zx51xx"
        "6z5x7x71z5n0nz6xnzi0u0j539bu0v71j1x91vx3i5xz5zxu50b173viv5vn03lxxzixznn0u53lz0vuubb3x01l0uu76z013bj9zblz"
        "n17v09756lx0uixz5u3x0ljvvvu7uzbvnv6n35ub5j"
    ),
}


class Hash:
    """64-bit FNV-1a."""

    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, data):
        for byte in data:
            self.value = (self.value ^ byte) * 0x100000001B3 % 2**64

    def text(self):
        return f"{self.value:016x}"


def trace(variant, seed):
    draws = numpy.random.default_rng(seed + 1)
    hash, checks, episode = Hash(), "", 0
    env, numbers = variant.start(seed)
    hash.add(env.state().tobytes())
    for step in range(1, STEPS + 1):
        reward, terminated = env.act(numbers[int(draws.integers(0, len(numbers)))])
        hash.add(env.state().tobytes() + bytes([reward, terminated]))
        if terminated:
            episode += 1
            env, _ = variant.start(seed + 1000 * episode)
            hash.add(env.state().tobytes())
        if step % EVERY == 0:
            checks += hash.text()[-4:]
    return {"environment": variant.environment, "seed": seed, "episodes": episode, "checks": checks}


def run(game, seed, settings, text):
    env, _ = Variant(game, settings).start(seed)
    hash, rewards, ends = Hash(), 0, 0
    hash.add(env.state().tobytes())
    reset_hash = hash.text()
    for action in sequence(seed, text):
        reward, terminal = env.act(action)
        hash.add(bytes([reward, terminal]) + env.state().tobytes())
        rewards, ends = rewards + int(reward), ends + terminal
        if terminal:
            env.reset()
            hash.add(env.state().tobytes())
    return {
        "environment": Variant(game, settings).environment,
        "seed": seed,
        "actions": text,
        "rewards": rewards,
        "ends": ends,
        "reset_hash": reset_hash,
        "hash": hash.text(),
    }


def sequence(seed, text):
    """The package's numbers of the actions that `text` names."""
    if text == "lcg":
        for _ in range(3000):
            seed = (1664525 * seed + 1013904223) % 2**32
            yield 6 * seed // 2**32
    elif text == "up":
        yield from 6000 * [2]
    else:
        for character in text:
            yield from divmod(int(character, 36), 6)
        yield from 60 * [0]


def runs():
    default, plain = SETTINGS[0], SETTINGS[3]
    for game in GAMES:
        yield run(game, 0, default, "lcg")
        yield run(game, 12345, plain, "lcg")
    yield run("freeway", 7, default, "up")
    for (game, seed), text in FOUND.items():
        yield run(game, seed, {"sticky_action_prob": 0.0, "difficulty_ramping": True}, text)


def traces():
    for game in GAMES:
        for seed in range(SEEDS):
            yield trace(Variant(game, SETTINGS[seed % len(SETTINGS)]), seed)


content = {
    "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
    "runs": list(runs()),
    "traces": list(traces()),
}
path = Path(__file__).with_name("minatar.json")
path.write_text(json.dumps(content, separators=(",", ":")).replace('{"environment"', '\n{"environment"') + "\n")
print(f"{path.name}: {path.stat().st_size} bytes, {content['versions']}")
