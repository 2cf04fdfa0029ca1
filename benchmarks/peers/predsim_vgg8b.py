"""The reduced experiment with predsim's VGG8b (benchmarks/recipes/reduced-predsim-vgg8b.yaml) in PyTorch, for comparison.

    pip install torch pillow pyarrow
    python3 benchmarks/peers/predsim_vgg8b.py FOLDER --loss predsim --seed 1

FOLDER has CIFAR-10 in Parquet, as on Hugging Face. Prints the test accuracy after each epoch. Written from docs/methods/predsim.md: an
optimizer for each layer, which steps as soon as its gradient is complete. --drop-last leaves out the last, smaller batch of an epoch.
"""
import argparse
import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

MEAN, DEVIATION = (0.424, 0.415, 0.384), (0.283, 0.278, 0.284)
LAYOUT, CLASSES, RATE, DROPOUT, BETA = [1, 2, "M", 2, 4, "M", 4, "M", 4, "M"], 10, 5e-4, 0.2, 0.99
MILESTONES = (10, 15, 18)


def load(folder, split, count):
    table = parquet.read_table(sorted(Path(folder).rglob(f"*{split}*.parquet"))[0]).slice(0, count)
    image = next(name for name in table.column_names if "im" in name)
    label = next(name for name in table.column_names if "label" in name)
    pixels = np.stack([np.array(Image.open(io.BytesIO(row["bytes"])).convert("RGB")) for row in table[image].to_pylist()])
    scaled = torch.tensor(pixels).permute(0, 3, 1, 2).float() / 255
    normal = (scaled - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(DEVIATION).view(1, 3, 1, 1)
    return normal, torch.tensor(table[label].to_pylist())


def similarities(x):
    if x.dim() == 4:
        x = x.flatten(2).std(dim=2) if x.size(1) > 3 and x.size(2) > 1 else x.flatten(1)
    x = x - x.mean(1, keepdim=True)
    x = x / (1e-8 + torch.sqrt((x**2).sum(1, keepdim=True)))
    return (x @ x.t()).clamp(-1, 1)


def pooling(channels, size, inputs=2048):
    height = width = 1
    rows = columns = size
    while channels * rows * columns > inputs and height < size:
        height *= 2
        rows = -(-size // height)
        if channels * rows * columns > inputs:
            width *= 2
            columns = -(-size // width)
    return nn.AvgPool2d((height, width)), channels * rows * columns


class Layer(nn.Module):
    def __init__(self, loss, inputs, outputs, size=None):
        super().__init__()
        self.loss = loss
        if size is None:
            self.encoder, self.norm, self.dropout = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.Dropout(DROPOUT)
            self.similarity, self.pool, count = nn.Linear(outputs, outputs, bias=False), nn.Identity(), outputs
        else:
            self.encoder, self.norm, self.dropout = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.Dropout2d(DROPOUT)
            self.similarity = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.pool, count = pooling(outputs, size)
        self.decoder = nn.Linear(count, CLASSES)
        nn.init.zeros_(self.decoder.weight)
        self.optimizer = torch.optim.Adam(self.parameters(), RATE)

    def forward(self, x, labels=None):
        h = F.leaky_relu(self.norm(self.encoder(x)), 0.01)
        if labels is None:
            return self.dropout(h)
        loss = 0
        if self.loss != "pred":
            wanted = similarities(F.one_hot(labels, CLASSES).float())
            loss = (BETA if self.loss == "predsim" else 1) * F.mse_loss(similarities(self.similarity(h)), wanted)
        if self.loss != "sim":
            share = 1 - BETA if self.loss == "predsim" else 1
            loss = loss + share * F.cross_entropy(self.decoder(self.pool(h).flatten(1)), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return self.dropout(h).detach()


def build(loss, width):
    layers, channels, size = [], 3, 32
    for entry in LAYOUT:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
            size //= 2
        else:
            layers.append(Layer(loss, channels, entry * width, size))
            channels = entry * width
    return nn.ModuleList([*layers, nn.Flatten(), Layer(loss, channels * size * size, 8 * width)]), 8 * width


def forward(layers, output, x, labels=None):
    for layer in layers:
        x = layer(x, labels) if isinstance(layer, Layer) else layer(x)
    return output(x)


def augmented(images):
    padded, count = F.pad(images, (4, 4, 4, 4)), len(images)
    corners, flips = torch.randint(0, 9, (count, 2)), torch.rand(count) < 0.5
    crops = [image[:, row : row + 32, column : column + 32] for image, (row, column) in zip(padded, corners.tolist())]
    return torch.stack([crop.flip(2) if flip else crop for crop, flip in zip(crops, flips)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--loss", choices=["pred", "sim", "predsim"], default="predsim")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drop-last", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    images, labels = load(options.folder, "train", 5000)
    test, wanted = load(options.folder, "test", 2000)
    layers, features = build(options.loss, options.width)
    output = nn.Linear(features, CLASSES)
    nn.init.zeros_(output.weight)
    final = torch.optim.Adam(output.parameters(), RATE)
    optimizers = [final, *(layer.optimizer for layer in layers if isinstance(layer, Layer))]
    for epoch in range(options.epochs):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = RATE * 0.25 ** sum(epoch >= milestone for milestone in MILESTONES)
        layers.train()
        batches = [part for part in torch.randperm(len(images)).split(128) if len(part) == 128 or not options.drop_last]
        for chosen in batches:
            loss = F.cross_entropy(forward(layers, output, augmented(images[chosen]), labels[chosen]), labels[chosen])
            final.zero_grad()
            ((1 - BETA if options.loss == "predsim" else 1) * loss).backward()
            final.step()
        layers.eval()
        with torch.no_grad():
            found = torch.cat([forward(layers, output, part) for part in test.split(500)]).argmax(1)
        print(f"{options.loss}, seed {options.seed}, epoch {epoch + 1}: {100 * (found == wanted).float().mean():.1f} %", flush=True)


main()
