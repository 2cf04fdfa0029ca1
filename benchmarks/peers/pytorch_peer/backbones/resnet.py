"""Residual networks for small images and for ImageNet."""

from torch import nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """A body and a shortcut, which is projected where channels or size change; ReLU after their sum."""

    def __init__(self, body, inputs, outputs, stride):
        super().__init__()
        self.body, self.shortcut = body, nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return functional.relu(self.body(x) + self.shortcut(x))


def convolution(inputs, outputs, size, stride=1, groups=1):
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]


def basic_block(inputs, outputs, stride):
    body = [*convolution(inputs, outputs, 3, stride), nn.ReLU(), *convolution(outputs, outputs, 3)]
    return ResidualBlock(nn.Sequential(*body), inputs, outputs, stride)


def bottleneck(inputs, outputs, width, stride, groups):
    body = [
        *convolution(inputs, width, 1),
        nn.ReLU(),
        *convolution(width, width, 3, stride, groups),
        nn.ReLU(),
        *convolution(width, outputs, 1),
    ]
    return ResidualBlock(nn.Sequential(*body), inputs, outputs, stride)


def pooled_classifier(channels, classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def cifar_resnet(depth, *, name, image, classes, widths=(16, 16, 32, 64)):
    channels, *stages = widths
    blocks = {(0, 0): nn.Sequential(*convolution(image[2], channels, 3), nn.ReLU())}
    for stage, outputs in enumerate(stages, 1):
        for index in range((depth - 2) // 6):
            blocks[(stage, index)] = basic_block(channels, outputs, 2 if stage > 1 and index == 0 else 1)
            channels = outputs
    return blocks, pooled_classifier(channels, classes)


imagenet_layers = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def imagenet_resnet(
    depth, groups=1, width_per_group=64, *, name, image, classes, width=64, layers=None, zeroInitialize=False
):
    stem = [*convolution(image[2], width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks, channels = {(0, 0): nn.Sequential(*stem)}, width
    for stage, count in enumerate(layers or imagenet_layers[depth], 1):
        planes = width * 2 ** (stage - 1)
        for index in range(count):
            stride = 2 if stage > 1 and index == 0 else 1
            if depth < 50:
                block, outputs = basic_block(channels, planes, stride), planes
            else:
                outputs, inner = 4 * planes, planes * width_per_group // 64 * groups
                block = bottleneck(channels, outputs, inner, stride, groups)
            blocks[(stage, index)], channels = block, outputs
    return blocks, pooled_classifier(channels, classes)


class WideBlock(nn.Module):
    """Pre-activation: batch norm and ReLU before each convolution; a projection reads the first one's activation."""

    def __init__(self, inputs, outputs, stride, rate):
        super().__init__()
        self.norm, self.dropout = nn.BatchNorm2d(inputs), nn.Dropout(rate)
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Sequential(nn.BatchNorm2d(outputs), nn.ReLU())
        self.last = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        is_projected = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if is_projected else None

    def forward(self, x):
        activated = functional.relu(self.norm(x))
        y = self.last(self.dropout(self.second(self.first(activated))))
        return y + (x if self.shortcut is None else self.shortcut(activated))


def wide_resnet(depth, widen, *, name, image, classes, dropout=0):
    blocks, channels = {(0, 0): nn.Conv2d(image[2], 16, 3, 1, 1, bias=False)}, 16
    for stage in (1, 2, 3):
        outputs = 16 * widen * 2 ** (stage - 1)
        for index in range((depth - 4) // 6):
            blocks[(stage, index)] = WideBlock(channels, outputs, 2 if stage > 1 and index == 0 else 1, dropout)
            channels = outputs
    return blocks, nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), *pooled_classifier(channels, classes))
