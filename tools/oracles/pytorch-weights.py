"""State dicts of the reference CIFAR ResNet (docs/methods/networks.md §1), for the import and export of weights.

    python3 tools/oracles/pytorch-weights.py make OUT.safetensors
    python3 tools/oracles/pytorch-weights.py check IN.safetensors [--blocks N] [--widths 16,16,32,64] [--classes 10] \
        [--input X.safetensors]

`make` writes a tiny network's state dict, after two training forwards, with `input` and its evaluation `logits` beside it.
`check` loads a state dict with strict=True; with --input (tensors `input`, `logits`) it compares scores, too.
"""
import argparse

import torch
from safetensors.torch import load_file, save_file
from torch import nn


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, blocks, widths, channels, classes):
        super().__init__()
        stem, *stages = widths
        self.conv1 = nn.Conv2d(channels, stem, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        before = stem
        for stage, width in enumerate(stages):
            members = []
            for index in range(blocks):
                members.append(BasicBlock(before, width, 2 if stage > 0 and index == 0 else 1))
                before = width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*members))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def make(options):
    torch.manual_seed(1)
    network = ResNet(1, [2, 2, 3, 4], 3, 5)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    for _ in range(2):
        network(torch.randn(4, 3, 8, 8))
    network.eval()
    images = torch.randn(3, 3, 8, 8)
    with torch.no_grad():
        logits = network(images)
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    save_file({**state, "input": images, "logits": logits}, options.file, metadata={"format": "pt"})


def check(options):
    state = load_file(options.file)
    channels = state["conv1.weight"].shape[1]
    network = ResNet(options.blocks, [int(width) for width in options.widths.split(",")], channels, options.classes)
    print(network.load_state_dict(state, strict=True))
    if options.input:
        tensors = load_file(options.input)
        network.eval()
        with torch.no_grad():
            error = (network(tensors["input"]) - tensors["logits"]).abs().max().item()
        print(f"largest difference of scores: {error:.3g}")


parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["make", "check"])
parser.add_argument("file")
parser.add_argument("--blocks", type=int, default=5)
parser.add_argument("--widths", default="16,16,32,64")
parser.add_argument("--classes", type=int, default=10)
parser.add_argument("--input")
arguments = parser.parse_args()
{"make": make, "check": check}[arguments.what](arguments)
