"""Measures plain SGD in PyTorch on the networks of small images and of text: `cargo xtask bench networks` runs it.

    python networks.py mobilenet|googlenet|vgg19|lstm SECONDS [cpu|cuda] [IMAGES]

Networks, batches and all else are as in tasks/benches/networks.rs, with one output layer.
"""

import sys
import time

import torch
from torch import nn
from torch.nn import functional

# as many as the networks that they are compared with have, with one head
PARAMETERS = {"mobilenet": 3_217_226, "googlenet": 6_166_250, "vgg19": 20_040_522, "lstm": 171_650}


def layer(inputs, outputs, kernel, bias, stride=1, groups=1):
    """A convolution that keeps the image's size but for the stride, normalised and rectified."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def mobilenet():
    widths = [32, 64, 128, 128, 256, 256] + [512] * 6 + [1024] * 2
    layers = [layer(3, 32, 3, False)]
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        stride = 2 if i in (1, 3, 5, 11) else 1
        layers += [layer(inputs, inputs, 3, False, stride, inputs), layer(inputs, outputs, 1, False)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 10))


class Inception(nn.Module):
    def __init__(self, inputs, one, before3, three, before5, five, pool):
        super().__init__()

        def chain(*channels_and_kernels, inputs=inputs):
            layers = []
            for outputs, kernel in channels_and_kernels:
                layers.append(layer(inputs, outputs, kernel, True))
                inputs = outputs
            return layers

        self.branches = nn.ModuleList(
            nn.Sequential(*branch)
            for branch in [
                chain((one, 1)),
                chain((before3, 1), (three, 3)),
                chain((before5, 1), (five, 3), (five, 3)),
                [nn.MaxPool2d(3, 1, 1), *chain((pool, 1))],
            ]
        )
        self.outputs = one + three + five + pool

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def googlenet():
    stages = [
        [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)],
        [
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ],
        [(256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)],
    ]
    layers, inputs = [layer(3, 192, 3, True)], 192
    for i, stage in enumerate(stages):
        if i > 0:
            layers.append(nn.MaxPool2d(3, 2, 1))
        for channels in stage:
            layers.append(Inception(inputs, *channels))
            inputs = layers[-1].outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 10))


def vgg19():
    layers, inputs = [], 3
    for channels, count in [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]:
        for _ in range(count):
            layers.append(layer(inputs, channels, 3, True))
            inputs = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 100)
        self.lstm = nn.LSTM(100, 100, 2)
        self.dropout = nn.Dropout(0.2)
        self.decoder = nn.Linear(100, 50)
        self.state = None

    def forward(self, x):
        z, state = self.lstm(self.embedding(x), self.state)
        self.state = tuple(part.detach() for part in state)
        return self.decoder(self.dropout(z)).flatten(0, 1)


def main():
    name, seconds, *rest = sys.argv[1:]
    device = torch.device(rest[0] if rest else "cpu")
    images = int(rest[1]) if len(rest) > 1 else 128
    torch.set_num_threads(1)
    network = {"mobilenet": mobilenet, "googlenet": googlenet, "vgg19": vgg19, "lstm": Lstm}[name]().to(device)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name], name
    if name == "lstm":
        x, y = torch.randint(50, (70, 20)), torch.randint(50, (70 * 20,))
    else:
        x, y = torch.randn(images, 3, 32, 32), torch.randint(10, (images,))
    x, y = x.to(device), y.to(device)
    sgd = torch.optim.SGD(network.parameters(), lr=1e-3)

    def step():
        sgd.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        sgd.step()

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(10 if device.type == "cuda" else 1):
        step()
    wait()
    started, samples = time.perf_counter(), 0
    while time.perf_counter() - started < float(seconds):
        step()
        samples += len(y)
    wait()
    print(f"{samples / (time.perf_counter() - started):.1f} samples/s")


if __name__ == "__main__":
    main()
