"""Renders our environments (left) next to Gymnasium's frames (right): `cargo xtask frames` runs it.

    python frames.py FOLDER -- REPLAY...

REPLAY is the command that runs examples/replay.rs.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import gymnasium
import numpy
import pygame
from gymnasium.envs.box2d.lunar_lander import heuristic


def main():
    parser = argparse.ArgumentParser(description="Renders our environments next to Gymnasium's.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("replay", nargs="+")
    asked = parser.parse_args()
    turned = [numpy.array([torque], numpy.float32) for torque in numpy.linspace(-1, 1.5, 26)]
    moments = [
        ("pendulum", {"name": "pendulum-continuous"}, "Pendulum-v1", 5, len(turned), lambda _, t, __: turned[t]),
        ("lander", {"name": "lunar-lander"}, "LunarLander-v3", 3, 83, lambda env, _, seen: heuristic(env, seen)),
    ]
    # the same moments are in tests/frames.rs
    moments += [
        ("cartpole", {"name": "cartpole"}, "CartPole-v1", 3, 9, lambda *_: 1),
        ("mountain-car", {"name": "mountain-car"}, "MountainCar-v0", 3, 75, lambda _, t, __: 0 if t < 35 else 2),
        ("acrobot", {"name": "acrobot"}, "Acrobot-v1", 3, 40, lambda _, t, __: t // 5 % 2 * 2),
    ]
    for name, environment, gymnasium_id, seed, steps, policy in moments:
        env = gymnasium.make(gymnasium_id, render_mode="rgb_array")
        observation, _ = env.reset(seed=seed)
        actions = []
        for t in range(steps):
            action = policy(env, t, observation)
            actions.append(action.tolist() if isinstance(action, numpy.ndarray) else int(action))
            observation, *_ = env.step(action)
            frame = env.render()  # at each step, because particles of exhaust persist
        theirs = pygame.surfarray.make_surface(frame.transpose(1, 0, 2))
        request = {"environment": environment, "seed": seed, "actions": actions}
        side_by_side(render(asked.replay, request), theirs, asked.folder / f"{name}-frames.png")


def render(replay, request):
    with tempfile.TemporaryDirectory() as folder:
        frame = f"{folder}/ours.png"
        request = json.dumps({**request, "frame": frame}) + "\n"
        subprocess.run(replay, input=request.encode(), stdout=subprocess.DEVNULL, check=True)
        return pygame.image.load(frame)


def side_by_side(ours, theirs, path):
    gap = 10
    width, height = ours.get_size()
    both = pygame.Surface((2 * width + gap, height))
    both.fill((128, 128, 128))
    both.blit(ours, (0, 0))
    both.blit(theirs, (width + gap, 0))
    pygame.image.save(both, path)
    difference = numpy.abs(numpy.subtract(pixels(ours), pixels(theirs), dtype=int)).mean()
    print(f"{path.name}: mean absolute difference {difference:.2f} of 255")


def pixels(surface):
    return pygame.surfarray.array3d(surface)


if __name__ == "__main__":
    main()
