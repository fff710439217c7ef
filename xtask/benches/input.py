"""Measures torchvision's input pipeline, and compares images with Pillow's: `cargo xtask bench input` runs it.

    python input.py rate SECONDS FOLDER
    python input.py compare COUNT FOLDER PIXELS

FOLDER has train/CLASS/* and val/CLASS/*. `rate` reads batches of 128 as a step learns from them, by two workers. `compare`
takes the first COUNT images of val and tells by how many grey levels they differ in the mean from PIXELS, which
tasks/benches/input.rs writes: as they are decoded, and as they are resized and cut to 224 pixels.
"""

import sys
import time
from pathlib import Path

import numpy
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

SIDE, BATCH, WORKERS = 224, 128, 2


def rate(seconds, folder):
    torch.set_num_threads(1)
    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    images = datasets.ImageFolder(Path(folder) / "train", change)
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)
    count, started = 0, None
    while True:
        for batch, _ in loader:
            if started is None:  # workers have been started
                started = time.perf_counter()
                continue
            count += len(batch)
            elapsed = time.perf_counter() - started
            if elapsed > float(seconds):
                print(f"{count / elapsed:.1f} images/s")
                return


def compare(count, folder, pixels):
    cut = transforms.Compose([transforms.Resize(SIDE * 256 // 224), transforms.CenterCrop(SIDE)])
    paths = [path for kind in sorted((Path(folder) / "val").iterdir()) for path in sorted(kind.iterdir())]
    differences = [[], []]
    with open(pixels, "rb") as ours:

        def differs(theirs):
            theirs = numpy.asarray(theirs).astype(int)
            found = numpy.frombuffer(ours.read(theirs.size), numpy.uint8).astype(int).reshape(theirs.shape)
            return numpy.abs(found - theirs).mean()

        for path in paths[: int(count)]:
            image = Image.open(path).convert("RGB")
            differences[0].append(differs(image))
            differences[1].append(differs(cut(image)))
        assert not ours.read(1), "images of other sizes than Pillow's"
    print(*(float(numpy.mean(of)) for of in differences))


if __name__ == "__main__":
    {"rate": rate, "compare": compare}[sys.argv[1]](*sys.argv[2:])
