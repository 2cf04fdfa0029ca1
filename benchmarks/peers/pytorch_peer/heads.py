"""Auxiliary classifiers by the names that `@localgrad/nn` gives them."""

import math
import re

from torch import nn

from .errors import PeerError


def build_head(name, shape, final_channels, classes):
    """`shape`: channels, height, width of what the head reads; `final_channels`: of the backbone's last block."""
    if name == "classifier":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(shape[0], classes))
    layout = re.fullmatch(r"([0-2])c([1-3])f", name)
    if layout:
        return nn.Sequential(*convolutional(int(layout[1]), int(layout[2]), shape[0], final_channels, classes))
    if name in perceptrons:
        return nn.Sequential(*perceptron(*perceptrons[name], shape, classes))
    raise PeerError(f"has no head '{name}'; it has classifier, 0c1f, 0c2f, 1c1f, 1c2f, 1c3f, 2c2f, {', '.join(perceptrons)}.")


def convolution(inputs, outputs, size, stride):
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def convolutional(convolutions, dense, channels, final_channels, classes):
    layers = []
    if convolutions > 0:
        grows = channels < final_channels
        layers += convolution(channels, 2 * channels if grows else channels, 3, 2 if grows else 1)
        channels *= 2 if grows else 1
    for _ in range(1, convolutions):
        layers += convolution(channels, channels, 3, 1)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for _ in range(1, dense):
        layers += [nn.Linear(channels, 128), nn.ReLU()]
        channels = 128
    return [*layers, nn.Linear(channels, classes)]


# 1x1 convolutions, hidden layers, and whether those have biases.
perceptrons = {"auglocal-dgl": (3, 2, False), "dgl-mlp-sr": (3, 3, True), "dgl-mlp": (0, 3, True)}


def perceptron(convolutions, hidden, bias, shape, classes):
    channels, height, _ = shape
    layers = [nn.AdaptiveAvgPool2d(math.ceil(height / 4))]
    for _ in range(convolutions):
        layers += convolution(channels, channels, 1, 1)
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    width = 4 * channels
    for _ in range(hidden):
        layers += [nn.Linear(width, width, bias=bias), nn.BatchNorm1d(width), nn.ReLU()]
    return [*layers, nn.Linear(width, classes)]
