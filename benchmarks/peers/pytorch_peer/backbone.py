"""The CIFAR ResNets of `@localgrad/backbones`: blocks by `(stage, index)`, the stem is `(0, 0)`."""

import re

from torch import nn
from torch.nn import functional

from .errors import PeerError


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the shortcut is projected where channels or size change."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def output_shape(reference, width, image):
    """Channels, height and width behind a block."""
    stage = max(reference[0], 1)
    # A convolution of stride 2 with padding 1 rounds up.
    sizes = [-(-size // 2 ** (stage - 1)) for size in image[:2]]
    return (width * 2 ** (stage - 1), *sizes)


def build_blocks(name, width, image):
    """@returns blocks by reference, in the order in which they are run"""
    found = re.fullmatch(r"resnet(\d+)", name)
    depth = int(found.group(1)) if found else 0
    if depth < 8 or depth % 6 != 2:
        raise PeerError(f"knows CIFAR ResNets only (resnet8, resnet14, resnet20, ...), not '{name}'.")
    stem = nn.Sequential(nn.Conv2d(image[2], width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    blocks, channels = {(0, 0): stem}, width
    for stage in (1, 2, 3):
        for index in range((depth - 2) // 6):
            outputs = width * 2 ** (stage - 1)
            blocks[(stage, index)] = BasicBlock(channels, outputs, 2 if stage > 1 and index == 0 else 1)
            channels = outputs
    return blocks
