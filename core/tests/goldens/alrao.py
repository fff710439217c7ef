"""Alrao in PyTorch, simple and slow: writes alrao.json, which the Rust test in this directory compares with.

    python alrao.py

Each head is a separate nn.Linear, the LSTM is PyTorch's, gradients are autograd's, the Switch is a loop over models.
Numbers are f64. Update rules are torch.optim's.
"""

import json
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

STEPS, HEADS, CLASSES = 5, 4, 3
ETA_MIN, ETA_MAX, THETA = 1e-5, 10.0, 0.9999


class Mlp(nn.Module):
    """Two layers, each with layer normalization and a ReLU, brought to mean 0 and deviation 1 for a normal input."""

    # which parameters a unit has a row of, in the order of the units
    units = [["layer0.weight", "layer0.bias"], ["layer1.weight", "layer1.bias"]]

    def __init__(self):
        super().__init__()
        self.layer0, self.layer1 = nn.Linear(4, 6), nn.Linear(6, 5)

    def forward(self, x):
        for layer in (self.layer0, self.layer1):
            x = layer(x)
            x = F.relu(F.layer_norm(x, x.shape[-1:]))
            x = (x - 1 / math.sqrt(2 * math.pi)) / math.sqrt((1 - 1 / math.pi) / 2)
        return x


class Text(nn.Module):
    """An embedding and a layer of LSTM cells, a prediction at every time step."""

    units = [
        ["embedding.weight"],
        ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"],
    ]

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(CLASSES, 3), nn.LSTM(3, 4)

    def forward(self, x):
        return self.lstm(self.embedding(x))[0].flatten(0, 1)


def slices(name, tensor, cells):
    """Each unit's part of a parameter, as a view that can be changed."""
    if name == "embedding.weight":
        return [tensor[:, d] for d in range(tensor.shape[1])]
    if name.startswith("lstm"):
        return [tensor[cell::cells] for cell in range(cells)]
    return list(tensor)


class Switch:
    """van Erven, Gruenwald, de Rooij (2012), Figure 1, with pi_T(n) = 1/(n(n+1))."""

    def __init__(self):
        self.a = [THETA / HEADS] * HEADS
        self.b = [(1 - THETA) / HEADS] * HEADS
        self.t = 0

    def weights(self):
        total = sum(self.a) + sum(self.b)
        return [(a + b) / total for a, b in zip(self.a, self.b)]

    def update(self, log_evidence):
        self.t += 1
        self.a = [a * math.exp(log_p) for a, log_p in zip(self.a, log_evidence)]
        self.b = [b * math.exp(log_p) for b, log_p in zip(self.b, log_evidence)]
        pi = 1 / (self.t * (self.t + 1))  # that a change comes now ...
        pi /= 1 / self.t  # ... given that it didn't come before
        pool = pi * sum(self.a)
        self.a = [a * (1 - pi) + THETA * pool / HEADS for a in self.a]
        self.b = [b + (1 - THETA) * pool / HEADS for b in self.b]


def numbers(tensor):
    return {"shape": list(tensor.shape), "values": tensor.detach().flatten().tolist()}


def state(body, heads):
    values = {f"body.{name}": numbers(p) for name, p in body.named_parameters()}
    values["heads.weight"] = numbers(torch.stack([head.weight for head in heads]))
    values["heads.bias"] = numbers(torch.stack([head.bias for head in heads]))
    return values


def run(body, features, batches):
    heads = [nn.Linear(features, CLASSES) for _ in range(HEADS)]
    switch = Switch()
    counts = [len(slices(names[0], body.get_parameter(names[0]), features)) for names in body.units]
    rates = [[ETA_MIN * (ETA_MAX / ETA_MIN) ** u for u in torch.rand(count).tolist()] for count in counts]
    head_rates = [
        math.exp(math.log(ETA_MIN) + j / (HEADS - 1) * math.log(ETA_MAX / ETA_MIN)) for j in range(HEADS)
    ]
    golden = {"rates": sum(rates, []), "head_rates": head_rates, "initial": state(body, heads), "steps": []}
    for x, y in batches:
        z = body(x)
        mixture = sum(
            a * F.softmax(F.linear(z, head.weight.detach(), head.bias.detach()), 1)
            for a, head in zip(switch.weights(), heads)
        )
        loss = F.nll_loss(mixture.log(), y)
        body_gradients = dict(zip(dict(body.named_parameters()), torch.autograd.grad(loss, list(body.parameters()))))
        own = [F.cross_entropy(head(z.detach()), y) for head in heads]
        head_gradients = [torch.autograd.grad(l, [head.weight, head.bias]) for l, head in zip(own, heads)]
        with torch.no_grad():
            for names, of_units in zip(body.units, rates):
                for name in names:
                    parameter, gradient = body.get_parameter(name), body_gradients[name]
                    parts = zip(slices(name, parameter, features), slices(name, gradient, features), of_units)
                    for part, g, eta in parts:
                        part -= eta * g
            for head, gradients, eta in zip(heads, head_gradients, head_rates):
                head.weight -= eta * gradients[0]
                head.bias -= eta * gradients[1]
        switch.update([-l.item() for l in own])
        golden["steps"].append(
            {
                "x": numbers(x),
                "y": numbers(y),
                "loss": loss.item(),
                "a": switch.weights(),
                "log_evidence": [-l.item() for l in own],
                "after": state(body, heads),
            }
        )
    return golden


def descent(optimizer, **settings):
    """A parameter under torch.optim, along gradients that don't depend on it."""
    theta = nn.Parameter(torch.randn(5))
    rule = optimizer([theta], **settings)
    golden = {"initial": numbers(theta), "gradients": [], "thetas": []}
    for _ in range(STEPS):
        theta.grad = torch.randn(5)
        golden["gradients"].append(numbers(theta.grad))
        rule.step()
        golden["thetas"].append(numbers(theta))
    return golden


def head_gradients():
    """Through the outputs of all heads, to their parameters and to the features."""
    heads = [nn.Linear(5, CLASSES) for _ in range(HEADS)]
    z, gradient = torch.randn(6, 5, requires_grad=True), torch.randn(HEADS, 6, CLASSES)
    out = torch.stack([head(z) for head in heads])
    (out * gradient).sum().backward()
    stack = lambda get: numbers(torch.stack([get(head) for head in heads]))
    return {
        "weight": stack(lambda head: head.weight),
        "bias": stack(lambda head: head.bias),
        "z": numbers(z),
        "gradient": numbers(gradient),
        "out": numbers(out),
        "of_weight": stack(lambda head: head.weight.grad),
        "of_bias": stack(lambda head: head.bias.grad),
        "of_z": numbers(z.grad),
    }


def main():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    images = [(torch.randn(6, 4), torch.randint(CLASSES, (6,))) for _ in range(STEPS)]
    text = [torch.randint(CLASSES, (6, 3)) for _ in range(STEPS)]
    text = [(symbols[:-1], symbols[1:].flatten()) for symbols in text]
    goldens = {
        "pytorch": torch.__version__,
        "mlp": run(Mlp(), 5, images),
        "lstm": run(Text(), 4, text),
        "momentum": descent(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.01),
        "nesterov": descent(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
        "adam": descent(torch.optim.Adam, lr=0.1),
        "heads": head_gradients(),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(goldens) + "\n")


if __name__ == "__main__":
    main()
