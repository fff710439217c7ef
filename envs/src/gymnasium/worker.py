"""Steps copies of a Gymnasium environment for the program that started this script.

Arguments: the settings, as JSON. File descriptor 0 is a socket to the program, 1 a file that tells which request is at
work. All numbers are little-endian. First the script sends a greeting, then it answers each batch of requests:

    greeting  length u32, JSON: the spaces, or an error
    requests  count u32, then for each: kind u32, copy u32, argument u64 (a seed or the index of an action)
    answers   length u32, then for each request a row: reward f64, flags u32, size of a message u32, observation, a byte
              for each action, 1 if it is legal, padding to a multiple of 8 bytes; then the messages: errors as text, or a
              frame: height u32, width u32, RGB bytes
"""

import contextlib
import faulthandler
import functools
import importlib
import itertools
import json
import math
import mmap
import os
import signal
import socket
import struct
import sys
import time
import traceback

RESET, STEP, RENDER, CLOSE = range(4)
TERMINATED, TRUNCATED, FAILED, MASKED = 1, 2, 4, 8
LENGTH = struct.Struct("<I")
REQUEST = struct.Struct("<IIQ")
ROW = struct.Struct("<dII")
BEGUN = struct.Struct("<Q")
MOST_ACTIONS = 4096
MOST_BYTES = 1 << 16
AWAKE = 50e-6  # seconds, as in worker.rs


class Refusal(Exception):
    """An error whose message says everything: no traceback is needed."""


def separate_standard_streams():
    """Keeps environments that read or print from disturbing the conversation; returns the socket and the file."""
    connection = socket.socket(fileno=os.dup(0))
    begun = mmap.mmap(1, BEGUN.size)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return connection, begun


def set_death_signal(number):
    """Has Linux send this process a signal when its parent ends."""
    import ctypes

    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, number)


def guard_children():
    """Starts a process that waits until this one ends, and then ends the processes that environments started: they are in
    this process's group. This process can't do so itself, as it may be killed."""
    if sys.platform != "linux":
        return
    worker = os.getpid()
    if os.fork():
        return
    os.closerange(0, 3)  # the program waits for the end of the connection
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    set_death_signal(signal.SIGHUP)
    while os.getppid() == worker:
        signal.sigwait({signal.SIGHUP})
    os.killpg(worker, signal.SIGKILL)


def end_with(parent):
    """Has the system end this process with the program, even in the middle of a step."""
    # The program decides when to stop. Processes that an environment starts don't inherit handlers, as they would SIG_IGN.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    faulthandler.enable()  # a crash, or the program's SIGABRT to a worker that hangs, shows where
    if sys.platform == "linux":
        set_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def explain(error):
    """Returns the message of an error: of one that says everything as it is, of others with their traceback."""
    gymnasium = sys.modules.get("gymnasium")
    if isinstance(error, Refusal):
        return str(error)
    if gymnasium is not None and isinstance(error, gymnasium.error.Error):
        return f"{type(error).__name__}: {error}"
    frames = error.__traceback__
    while frames is not None and is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def is_machinery(file):
    """Returns whether a file is this script, or a part of Python that imports modules."""
    return file == "<string>" or file.startswith("<frozen importlib") or file == importlib.__file__


def load(name):
    """Returns what `module.Class` names."""
    module, _, attribute = name.rpartition(".")
    if not module:
        raise Refusal(f"environment.wrappers: `{name}` names no module; write it as `gymnasium.wrappers.ClipReward`")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError:
        raise Refusal(f"environment.wrappers: `{module}` has no `{attribute}`") from None


class Maker:
    """Makes copies of the environment, and knows how their spaces are sent."""

    def __init__(self, settings):
        try:
            import gymnasium
        except ModuleNotFoundError as error:
            if error.name != "gymnasium":
                raise
            raise Refusal(
                f"{sys.executable} has no Gymnasium: install it (pip install gymnasium), or set environment.python to a "
                "Python that has it"
            ) from None
        self.gymnasium, self.settings = gymnasium, settings
        for name in settings["import"]:
            module, _, function = name.partition(":")
            module = importlib.import_module(module)
            if function:
                getattr(module, function)()
        self.wrappers = [(load(wrapper["name"]), wrapper["kwargs"]) for wrapper in settings["wrappers"]]
        self.spare = self.make()
        self.action_space = self.spare.action_space
        self.actions = self.list_actions(self.action_space)
        self.choose_observation(self.spare.observation_space)

    def make(self, **more):
        env = self.gymnasium.make(self.settings["id"], **{**self.settings["kwargs"], **more})
        for wrapper, kwargs in self.wrappers:
            env = wrapper(env, **kwargs)
        return env

    def take(self):
        """Returns a new environment, the first time the one whose spaces are known."""
        env, self.spare = self.spare or self.make(), None
        return env

    def list_actions(self, space):
        """Returns the actions by their indices."""
        import numpy as np

        spaces = self.gymnasium.spaces
        if isinstance(space, spaces.Discrete):
            first = int(space.start)
            return range(first, first + int(space.n))
        if isinstance(space, spaces.MultiBinary):
            values = [[0, 1]] * math.prod(space.shape)
        elif isinstance(space, spaces.MultiDiscrete):
            values = [range(start, start + n) for start, n in zip(space.start.flat, space.nvec.flat)]
        elif isinstance(space, spaces.Box):
            if not space.is_bounded():
                raise Refusal(
                    f"the action space {space} has no bounds between which environment.bins could lie: give it some by a "
                    "wrapper in environment.wrappers that maps a bounded Box to it (gymnasium.wrappers.TransformAction)"
                )
            bins = self.settings["bins"]
            values = [np.linspace(low, high, bins) for low, high in zip(space.low.flat, space.high.flat)]
        else:
            raise Refusal(
                f"the action space {space} is not supported (Discrete, MultiDiscrete, MultiBinary and Box are): make it "
                "one of these by a wrapper in environment.wrappers (a gymnasium.ActionWrapper)"
            )
        count = math.prod(map(len, values))
        if count > MOST_ACTIONS:
            raise Refusal(
                f"the action space {space} has {count} combinations of values, more than {MOST_ACTIONS}: lower "
                "environment.bins, or reduce it by a wrapper in environment.wrappers (a gymnasium.ActionWrapper)"
            )
        return [np.array(action, space.dtype).reshape(space.shape) for action in itertools.product(*values)]

    def legal_actions(self, mask):
        """Returns whether each action is legal by a mask in the form that the action space's `sample` takes: values of 0
        and 1 for the actions of a Discrete, or a tuple of such arrays for the numbers of a MultiDiscrete."""
        import numpy as np

        space, spaces = self.action_space, self.gymnasium.spaces
        if isinstance(space, spaces.Discrete):
            masks, lengths = (mask,), [space.n]
        elif isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
            masks, lengths = mask, list(space.nvec)
            if not isinstance(masks, tuple) or len(masks) != len(lengths):
                raise Refusal(
                    f'info["action_mask"] must be a tuple of {len(lengths)} arrays, one for each number of the action '
                    f"space {space}, but is {masks!r}: correct the environment"
                )
        else:
            raise Refusal(
                f'info has an "action_mask", but the action space is {space}: masks of Discrete and of one-dimensional '
                "MultiDiscrete are supported; remove the mask, or make the space one of these, by a wrapper in "
                "environment.wrappers"
            )
        masks = [np.asarray(mask) for mask in masks]
        for mask, length in zip(masks, lengths):
            if mask.shape != (length,) or mask.dtype.kind not in "biu":
                raise Refusal(
                    f'info["action_mask"] has an array of {mask.dtype} and shape {list(mask.shape)}, but the action space '
                    f"{space} needs int8 and shape [{length}]: correct the environment"
                )
            if ((mask != 0) & (mask != 1)).any():
                raise Refusal(f'info["action_mask"] has values other than 0 and 1, {mask}: correct the environment')
        return functools.reduce(np.logical_and.outer, masks).ravel() != 0

    def choose_observation(self, space):
        """Chooses how observations are sent: a Box as it is, any other space flattened."""
        import numpy as np

        spaces = self.gymnasium.spaces
        self.flat, self.flatten = space, np.asarray
        if not isinstance(space, spaces.Box):
            try:
                self.flat = spaces.utils.flatten_space(space)
            except NotImplementedError:
                self.flat = None
            if not isinstance(self.flat, spaces.Box):
                raise Refusal(
                    f"the observation space {space} can't be flattened to numbers: choose the parts that can by a "
                    "wrapper in environment.wrappers (gymnasium.wrappers.FilterObservation keeps keys of a Dict; "
                    "gymnasium.wrappers.TransformObservation computes something else)"
                )
            self.flatten = lambda observation: spaces.utils.flatten(space, observation)
        self.dtype = {"uint8": np.dtype("u1"), "bool": np.dtype("?")}.get(self.flat.dtype.name, np.dtype("<f4"))

    def greeting(self):
        name = {"u1": "u8", "b1": "bool", "f4": "f32"}[self.dtype.str[1:]]
        fps = self.spare.metadata.get("render_fps") or 30
        space = {"shape": list(self.flat.shape), "dtype": name}
        return {"space": space, "actions": len(self.actions), "fps": max(1, round(fps)), "gymnasium": self.gymnasium.__version__}


class Copy:
    """A copy of the environment with the episode that it plays."""

    def __init__(self, maker):
        self.maker, self.env = maker, maker.take()
        self.bits = (64, 32, 31)  # sizes of seeds to try
        self.seed, self.taken = None, []
        self.masked = None  # whether info has masks; unknown before the first reset

    def reset(self, seed):
        self.seed, self.taken = seed, []
        return self.start(seed)

    def start(self, seed):
        """Resets the environment with a seed, which is folded to fewer bits if the environment refuses it; returns
        observation and info."""
        refusal, refused = None, None
        for bits in self.bits:
            folded = seed % 2**bits
            if folded == refused:
                continue
            if refusal is not None:
                self.env = self.maker.make()  # the refusal may have left the old one in any state
            try:
                answer = self.env.reset(seed=folded)
            except Exception as error:
                refusal, refused = refusal or error, folded
                continue
            if refusal is not None:
                self.bits = (bits,)
            return answer
        raise refusal

    def step(self, index):
        self.taken.append(index)
        return self.env.step(self.maker.actions[index])

    def mask(self, info, terminated=False):
        """Returns whether each action is legal, or None if the environment has no masks. It has them in all steps or in
        none, as a mask that was forgotten looks like a state in which everything is legal."""
        mask = info.get("action_mask")
        if self.masked is None:
            self.masked = mask is not None
        if mask is None:
            if self.masked and not terminated:
                raise Refusal('info has no "action_mask", but had one before: give one in every reset and step')
            return None
        if not self.masked:
            raise Refusal('info has an "action_mask", but had none before: give one in every reset and step')
        legal = self.maker.legal_actions(mask)
        if not terminated and not legal.any():
            raise Refusal('info["action_mask"] has no legal action: make one legal, or terminate the episode')
        return legal

    def render(self):
        """Returns the frame of the current state, for which an environment is made anew at the first time."""
        if self.env.render_mode != "rgb_array":
            env, self.env = self.env, self.maker.make(render_mode="rgb_array")
            env.close()
            self.start(self.seed)
            for index in self.taken:
                self.env.step(self.maker.actions[index])
        frame = self.env.render()
        height, width, _ = frame.shape
        return struct.pack("<II", height, width) + frame.astype("u1").tobytes()


class Worker:
    """Answers requests."""

    def __init__(self, maker, connection, begun):
        import numpy as np

        self.np, self.maker, self.connection, self.begun = np, maker, connection, begun
        self.shape, self.flatten = maker.flat.shape, maker.flatten
        self.observation_size = maker.dtype.itemsize * math.prod(self.shape)
        self.stride = (ROW.size + self.observation_size + len(maker.actions) + 7) // 8 * 8
        self.count, self.copies = 0, {}
        self.resize(1)

    def resize(self, rows):
        """Makes room for the answers to this number of requests."""
        self.buffer = bytearray(LENGTH.size + rows * self.stride)
        self.observations, self.masks = [], []
        for row in range(rows):
            start = LENGTH.size + row * self.stride + ROW.size
            values = (self.buffer, self.maker.dtype, math.prod(self.shape), start)
            self.observations.append(self.np.frombuffer(*values).reshape(self.shape))
            mask = (self.buffer, self.np.dtype("?"), len(self.maker.actions), start + self.observation_size)
            self.masks.append(self.np.frombuffer(*mask))

    def serve(self):
        """Answers batches until the program closes the connection, then closes the environments."""
        try:
            self.converse()
        finally:
            for copy in self.copies.values():
                copy.env.close()

    def converse(self):
        while data := self.receive():
            while len(data) < 4 or len(data) < 4 + REQUEST.size * LENGTH.unpack_from(data)[0]:
                if not (more := self.receive()):
                    return
                data += more
            self.connection.sendall(self.answer(data))

    def receive(self):
        """Returns bytes as soon as there are some; waits awake at first, because waking up takes longer than a step."""
        until = time.perf_counter() + AWAKE
        while time.perf_counter() < until:
            try:
                return self.connection.recv(MOST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()
        return self.connection.recv(MOST_BYTES)

    def answer(self, data):
        (rows,) = LENGTH.unpack_from(data)
        if rows > len(self.observations):
            self.resize(rows)
        messages = []
        for row in range(rows):
            kind, copy, argument = REQUEST.unpack_from(data, 4 + row * 16)
            self.count += 1
            BEGUN.pack_into(self.begun, 0, self.count)
            reward, flags, message = 0.0, 0, b""
            try:
                if kind == STEP:
                    observation, reward, terminated, truncated, info = self.copies[copy].step(argument)
                    flags = (TERMINATED if terminated else 0) | (TRUNCATED if truncated else 0)
                    self.write(observation, self.observations[row])
                    flags |= self.write_mask(self.copies[copy].mask(info, terminated), row)
                elif kind == RESET:
                    if copy not in self.copies:
                        self.copies[copy] = Copy(self.maker)
                    observation, info = self.copies[copy].reset(argument)
                    self.write(observation, self.observations[row])
                    flags = self.write_mask(self.copies[copy].mask(info), row)
                elif kind == RENDER:
                    message = self.copies[copy].render()
                elif copy in self.copies:
                    self.copies.pop(copy).env.close()
                reward = float(reward)
            except Exception as error:
                reward, flags, message = 0.0, FAILED, explain(error).encode(errors="replace")
                if kind == RENDER:
                    print(f"can't render a frame: {message.decode()}", file=sys.stderr)  # no error for the program
            ROW.pack_into(self.buffer, 4 + row * self.stride, reward, flags, len(message))
            if message:
                messages.append(message)
        end = 4 + rows * self.stride
        length = end - 4 + sum(map(len, messages))
        LENGTH.pack_into(self.buffer, 0, length)
        return b"".join([memoryview(self.buffer)[:end], *messages]) if messages else memoryview(self.buffer)[:end]

    def write(self, observation, place):
        observation = self.flatten(observation)
        if observation.shape != self.shape:
            raise Refusal(
                f"the observation has the shape {list(observation.shape)}, but the observation space "
                f"{list(self.shape)}: correct the environment, or its declared space"
            )
        try:
            self.np.copyto(place, observation, "same_kind")
        except TypeError:
            raise Refusal(
                f"the observation is of {observation.dtype}, but the observation space of {self.maker.flat.dtype}: "
                "correct the environment, or its declared space"
            ) from None

    def write_mask(self, legal, row):
        """Writes which actions are legal, if the environment says so, and returns the flag for it."""
        if legal is None:
            return 0
        self.masks[row][:] = legal
        return MASKED


def main():
    settings = json.loads(sys.argv[1])
    guard_children()
    connection, begun = separate_standard_streams()
    end_with(settings["parent"])
    maker = None
    try:
        maker = Maker(settings)
        greeting = maker.greeting()
    except BaseException as error:
        greeting = {"error": explain(error)}
    with contextlib.suppress(ConnectionError):  # the program may have ended, and needs no more
        text = json.dumps(greeting).encode()
        connection.sendall(LENGTH.pack(len(text)) + text)
        if maker is not None:
            Worker(maker, connection, begun).serve()


main()
