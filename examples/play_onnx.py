"""Plays a policy that `alrao export` wrote in Gymnasium, with onnxruntime.

    pip install onnxruntime gymnasium box2d pygame MinAtar
    alrao export runs/lander --out policy.onnx
    python examples/play_onnx.py policy.onnx --episodes 10

--command plays with a program that answers observations, as examples/onnx-policy does, in onnxruntime's place.
"""

import argparse
import json
import subprocess

import gymnasium
import numpy
import onnxruntime

IDS = {
    "acrobot": "Acrobot-v1",
    "cartpole": "CartPole-v1",
    "lunar-lander": "LunarLander-v3",
    "mountain-car": "MountainCar-v0",
    "pendulum": "Pendulum-v1",
    "minatar-asterix": "MinAtar/Asterix-v1",
    "minatar-breakout": "MinAtar/Breakout-v1",
    "minatar-freeway": "MinAtar/Freeway-v1",
    "minatar-seaquest": "MinAtar/Seaquest-v1",
    "minatar-space-invaders": "MinAtar/SpaceInvaders-v1",
}


class Policy:
    """A policy in a file, run by onnxruntime."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the network is small
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.metadata = self.session.get_modelmeta().custom_metadata_map

    def q_values(self, observations):
        """The actions' values, [B, A], in raw units of reward, for observations [B, ..]."""
        return self.session.run(["q_values"], {"observation": observations})[0]

    def action(self, observation):
        return int(self.session.run(["action"], {"observation": observation[None]})[0][0])


class Program:
    """A program that answers a line for each observation."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def action(self, observation):
        self.process.stdin.write(json.dumps(observation.ravel().tolist()) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["action"]


class Torques(gymnasium.ActionWrapper):
    """Pendulum with numbered actions: equally spaced torques."""

    def __init__(self, env, torques):
        super().__init__(env)
        self.action_space = gymnasium.spaces.Discrete(torques)
        self.torques = numpy.linspace(-2, 2, torques, dtype=numpy.float32)

    def action(self, action):
        return self.torques[action : action + 1]


def make(metadata):
    """The environment that a policy was trained for."""
    settings = json.loads(metadata["environment"])
    name = settings.pop("name")
    scale = settings.pop("reward_scale", None)
    torques = settings.pop("torques", None)
    if name.startswith("minatar-"):
        import minatar.gym

        if IDS[name] not in gymnasium.registry:
            minatar.gym.register_envs()
        settings["use_minimal_action_set"] = not settings.pop("full_action_space")
        settings["max_episode_steps"] = 10_000
    env = gymnasium.make(IDS[name], disable_env_checker=True, **settings)
    if torques:
        env = Torques(env, torques)
    if scale:
        env = gymnasium.wrappers.TransformReward(env, lambda reward: reward * scale)
    stack = int(metadata["frame_stack"])
    return gymnasium.wrappers.FrameStackObservation(env, stack) if stack > 1 else env


def play(metadata, policy, seed, see=lambda observation: None):
    """The return of an episode. Every episode has an environment of its own, as MinAtar's keep their last action."""
    with make(metadata) as env:
        try:
            observation, _ = env.reset(seed=seed)
        except (ValueError, OverflowError):
            observation, _ = env.reset(seed=seed % 2**32)  # MinAtar's seeds have 32 bits
        total = 0.0
        while True:
            see(observation)
            observation, reward, terminated, truncated, _ = env.step(policy.action(observation))
            total += float(reward)
            if terminated or truncated:
                return total


def main():
    parser = argparse.ArgumentParser(description="Plays an exported policy in Gymnasium.")
    parser.add_argument("policy")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the first episode")
    parser.add_argument("--command", nargs="+", help="program that plays")
    asked = parser.parse_args()
    policy = Policy(asked.policy)
    player = Program(asked.command) if asked.command else policy
    returns = [play(policy.metadata, player, asked.seed + episode) for episode in range(asked.episodes)]
    print(f"return {numpy.mean(returns):.1f} ± {numpy.std(returns):.1f} over {len(returns)} episodes")


if __name__ == "__main__":
    main()
