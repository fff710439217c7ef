"""Compares an exported policy in Gymnasium with the run that it is of: `cargo xtask export` runs it.

    python check.py POLICY.onnx EVAL.json RUN Q_VALUES ONNX_POLICY

EVAL.json is what `alrao eval RUN --json` said; Q_VALUES and ONNX_POLICY are the programs of examples/q_values.rs, on
libtorch, and of examples/onnx-policy, on tract. Values may differ by 1e-5 x (1 + |q|) and actions only where the two best
values do not differ by more, as then an episode may go another way, too.
"""

import json
import pathlib
import subprocess
import sys

import numpy

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples"))
from play_onnx import Policy, Program, play  # noqa: E402

OBSERVATIONS = 10_000
EPISODES_BY_PROGRAM = 3


def main():
    policy_path, evaluation, run, q_values, onnx_policy = sys.argv[1:]
    policy = Policy(policy_path)
    episodes = json.loads(pathlib.Path(evaluation).read_text())["episodes"]
    problems, seen, differing = [], [], 0
    for episode in episodes:
        visited = []
        found = play(policy.metadata, policy, episode["seed"], visited.append)
        if found != episode["return"]:
            differing += 1
            print(f"  seed {episode['seed']}: {found} instead of {episode['return']}, gap {found - episode['return']:.3g}")
            if not tied(policy.q_values(numpy.stack(visited))).any():
                problems.append("an episode differs without a tie")
        seen.extend(visited)
    print(f"  {len(episodes)} episodes in Gymnasium, {differing} differing")

    draws = numpy.random.default_rng(0)
    seed = 0
    while len(seen) < OBSERVATIONS:  # of short episodes; some actions are random, so that they differ
        play(policy.metadata, Explorer(policy, draws), seed, seen.append)
        seed += 1
    observations = numpy.stack(seen)[draws.choice(len(seen), OBSERVATIONS, replace=False)]
    theirs = policy.q_values(observations)
    actions = numpy.array([policy.action(observation) for observation in observations])
    inputs = observations.reshape(OBSERVATIONS, -1)
    scale = numpy.float32(255 if observations.dtype == numpy.uint8 else 1)
    ours = answers([q_values, run], inputs.astype(numpy.float32) / scale)
    others = answers([onnx_policy, policy_path], inputs)
    ties = tied(ours[1])
    for name, found in (("onnxruntime", (actions, theirs)), ("tract", others)):
        error = (numpy.abs(found[1] - ours[1]) / (1 + numpy.abs(ours[1]))).max()
        wrong = int(((found[0] != ours[0]) & ~ties).sum())
        print(f"  {name}: {OBSERVATIONS} observations, largest error {error:.1e} x (1 + |q|), {wrong} other actions")
        if error > 1e-5 or wrong:
            problems.append(f"{name} computes other values")

    program = Program([onnx_policy, policy_path])
    for episode in episodes[:EPISODES_BY_PROGRAM]:
        if play(policy.metadata, program, episode["seed"]) != episode["return"] and not ties.any():
            problems.append(f"the program plays seed {episode['seed']} otherwise")
    program.process.stdin.close()
    program.process.wait()
    print("\n".join(f"  FAILED: {problem}" for problem in problems) or "  equal")
    return 1 if problems else 0


class Explorer:
    """A policy with random actions one time in five."""

    def __init__(self, policy, draws):
        self.policy, self.draws = policy, draws

    def action(self, observation):
        values = self.policy.q_values(observation[None])[0]
        return int(self.draws.integers(len(values)) if self.draws.uniform() < 0.2 else values.argmax())


def tied(q_values):
    """Whether the two best of each row, [B, A], are as close as rounding."""
    best = numpy.sort(q_values, axis=1)[:, -2:]
    return best[:, 1] - best[:, 0] <= 1e-5 * (1 + numpy.abs(best[:, 1]))


def answers(command, inputs):
    """A program's actions, [B], and values, [B, A], for inputs, [B, len]."""
    lines = "".join(json.dumps(row.tolist()) + "\n" for row in inputs)
    said = subprocess.run(command, input=lines, stdout=subprocess.PIPE, text=True, check=True).stdout
    said = [json.loads(line) for line in said.splitlines()]
    return numpy.array([row["action"] for row in said]), numpy.array([row["q_values"] for row in said])


if __name__ == "__main__":
    raise SystemExit(main())
