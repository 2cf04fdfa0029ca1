"""Auxiliary networks with their losses, by the names that `@localgrad/nn` gives them."""

import math
import re

from torch import nn
from torch.nn import functional

from .errors import PeerError


class Classification(nn.Module):
    """Cross-entropy of a classifier."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier

    def forward(self, x, targets):
        return functional.cross_entropy(self.classifier(x), targets["labels"])


class Reconstruction(nn.Module):
    """InfoPro's decoder for small images: binary cross-entropy with the image in [0, 1]."""

    def __init__(self, channels, image, hidden=12):
        super().__init__()
        self.size = image[:2]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1), nn.BatchNorm2d(hidden), nn.ReLU(), nn.Conv2d(hidden, image[2], 3, padding=1)
        )

    def forward(self, x, targets):
        enlarged = functional.interpolate(x, size=self.size, mode="bilinear", align_corners=True)
        return functional.binary_cross_entropy_with_logits(self.layers(enlarged), targets["images"])


class Sum(nn.Module):
    """Weighted losses on the same input."""

    def __init__(self, losses, weights):
        super().__init__()
        self.losses, self.weights = nn.ModuleList(losses), weights

    def forward(self, x, targets):
        return sum(weight * loss(x, targets) for weight, loss in zip(self.weights, self.losses))


def build_head(name, terms, shape, image, final_channels, classes):
    """
    `terms`: weights of the losses that the head adds up, by name, or None; `shape`: channels, height, width of what the head
    reads; `image`: height, width, channels; `final_channels`: of the backbone's last block.
    """
    if terms is None:
        return Classification(build_classifier(name, shape, final_channels, classes))
    unknown = PeerError(f"has no head '{name}' with the losses {', '.join(terms)}.")

    def build_loss(term, part):
        if term == "reconstruction" and part == "decoder":
            return Reconstruction(shape[0], image)
        if term == "classification":
            return Classification(build_classifier(part, shape, final_channels, classes))
        raise unknown

    parts = name.split("+")
    if len(parts) != len(terms):
        raise unknown
    return Sum([build_loss(term, part) for term, part in zip(terms, parts)], list(terms.values()))


def build_classifier(name, shape, final_channels, classes):
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
