"""Writes the weights of torchvision's AlexNet, DenseNet121 and ResNet50, and their logits of some images.

    pip install torch==2.11.0 torchvision==0.26.0 safetensors
    python torchvision_weights.py FOLDER [--pretrained]

For each network, FOLDER/NAME.safetensors contains the state dict, randomly initialized or pretrained (downloaded by
torchvision); FOLDER/NAME-logits.safetensors contains images of 64 and 224 pixels and their logits, which
`ALRAO_TORCHVISION=FOLDER cargo test -p alrao-tasks --test torchvision` compares with alrao's.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torchvision import models

# parameters of each network with 1000 classes
NETWORKS = {"alexnet": 61_100_840, "densenet121": 7_978_856, "resnet50": 25_557_032}
SIDES = [64, 224]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--pretrained", action="store_true")
    arguments = arguments.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, parameters) in enumerate(NETWORKS.items()):
        torch.manual_seed(seed)
        network = models.get_model(name, weights="DEFAULT" if arguments.pretrained else None)
        assert sum(p.numel() for p in network.parameters()) == parameters, name
        images = {side: torch.randn(2, 3, side, side) for side in SIDES}
        if not arguments.pretrained:
            # a training pass, to initialize the running statistics of batch normalization
            network.train()(images[SIDES[0]])
        network.eval()
        check = {}
        with torch.no_grad():
            for side, x in images.items():
                check |= {f"images{side}": x, f"logits{side}": network(x)}
        state = {k: v.contiguous() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
        save_file(state, arguments.folder / f"{name}.safetensors")
        save_file(check, arguments.folder / f"{name}-logits.safetensors")
        print(name, *(f"{side}: logits up to {check[f'logits{side}'].abs().max():.3f}" for side in SIDES))


if __name__ == "__main__":
    main()
