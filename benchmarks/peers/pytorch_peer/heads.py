"""Auxiliary networks with their losses, by the names that `@localgrad/nn` gives them."""

import math
import re

from torch import nn
from torch.nn import functional

from .backbones.resnet import pooled_classifier
from .backbones.vision_transformer import ClassToken
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


class TokensAsRow(nn.Module):
    """Tokens as a map of one row, [batch, channels, 1, tokens]."""

    def forward(self, x):
        return x.transpose(1, 2).unsqueeze(2)


class TokensAsGrid(nn.Module):
    """Tokens but the first one as a map of the image's proportions."""

    def __init__(self, patches, image):
        super().__init__()
        height, width, _ = image
        self.rows = round(math.sqrt(patches * height / width))

    def forward(self, x):
        return x[:, 1:].transpose(1, 2).unflatten(2, (self.rows, -1))


class Sum(nn.Module):
    """Weighted losses on the same input."""

    def __init__(self, losses, weights):
        super().__init__()
        self.losses, self.weights = nn.ModuleList(losses), weights

    def forward(self, x, targets):
        return sum(weight * loss(x, targets) for weight, loss in zip(self.weights, self.losses))


class ChainedHead(nn.Module):
    """A head behind other layers, such as a leap chain."""

    def __init__(self, copies, head):
        super().__init__()
        self.chain, self.head = nn.Sequential(*copies), head

    def forward(self, x, targets):
        return self.head(self.chain(x), targets)


class HeadContext:
    """`image`: height, width, channels; `final_channels`: of the backbone's last block."""

    def __init__(self, image, final_channels, classes):
        self.image, self.final_channels, self.classes = image, final_channels, classes


def build_head(name, terms, shape, context):
    """
    `terms`: weights of the losses that the head adds up, by name, or None; `shape`: of what the head reads, a map
    [channels, height, width] or tokens [tokens, width].
    """
    if terms is None:
        return Classification(build_classifier(name, shape, context))
    unknown = PeerError(f"has no head '{name}' with the losses {', '.join(terms)}.")

    def build_loss(term, part):
        if term == "reconstruction" and part == "decoder":
            return build_decoder(shape, context.image)
        if term == "classification":
            return Classification(build_classifier(part, shape, context))
        raise unknown

    parts = name.split("+")
    if len(parts) != len(terms):
        raise unknown
    return Sum([build_loss(term, part) for term, part in zip(terms, parts)], list(terms.values()))


def build_decoder(shape, image):
    if len(shape) == 3:
        return Reconstruction(shape[0], image)
    tokens, width = shape
    return ChainedHead([TokensAsGrid(tokens - 1, image)], Reconstruction(width, image))


def build_classifier(name, shape, context):
    if len(shape) == 3:
        return nn.Sequential(*classifier_layers(name, shape, context))
    tokens, width = shape
    if name == "class-token":
        return ClassToken(width, context.classes)
    return nn.Sequential(TokensAsRow(), *classifier_layers(name, (width, 1, tokens), context))


def classifier_layers(name, shape, context):
    channels, classes = shape[0], context.classes
    if name == "classifier":
        return pooled_classifier(channels, classes)
    layout = re.fullmatch(r"([0-2])c([1-3])f", name)
    if layout:
        return convolutional(int(layout[1]), int(layout[2]), channels, context)
    if name in perceptrons:
        return perceptron(*perceptrons[name], shape, classes)
    if name == "dgl-cnn":
        return [
            *convolution(channels, channels, 3, 1),
            *convolution(channels, channels, 3, 1),
            nn.AdaptiveAvgPool2d(2),
            nn.BatchNorm2d(channels),
            nn.Flatten(),
            nn.Linear(4 * channels, classes),
        ]
    if name == "dgl-128x512":
        layers = [nn.AdaptiveAvgPool2d(8)]
        for _ in range(3):
            layers += convolution(channels, 128, 1, 1)
            channels = 128
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        for _ in range(3):
            layers += [nn.Linear(channels, 512), nn.BatchNorm1d(512), nn.ReLU()]
            channels = 512
        return [*layers, nn.Linear(channels, classes)]
    if name == "infopro-imagenet":
        return imagenet(channels, context)
    known = ", ".join(["classifier", "0c1f to 2c3f", *perceptrons, "dgl-cnn", "dgl-128x512", "infopro-imagenet", "class-token"])
    raise PeerError(f"has no head '{name}'; it has {known}.")


def convolution(inputs, outputs, size, stride):
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def convolutional(convolutions, dense, channels, context):
    layers = []
    if convolutions > 0:
        grows = channels < context.final_channels
        layers += convolution(channels, 2 * channels if grows else channels, 3, 2 if grows else 1)
        channels *= 2 if grows else 1
    for _ in range(1, convolutions):
        layers += convolution(channels, channels, 3, 1)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for _ in range(1, dense):
        layers += [nn.Linear(channels, 128), nn.ReLU()]
        channels = 128
    return [*layers, nn.Linear(channels, context.classes)]


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


def imagenet(channels, context):
    """InfoPro's convolutions for modules with a quarter or half of the last channels, scaled to those."""
    final = context.final_channels
    first = {4: 128, 2: 256}.get(final // channels)
    if first is None:
        raise PeerError("has 'infopro-imagenet' for modules with a quarter or half of the network's last channels only.")
    layers = []
    for published, size, stride in ((first, 1, 1), (256, 3, 2), (512, 3, 2), (2048, 1, 1)):
        outputs = max(1, round(published * final / 2048))
        layers += convolution(channels, outputs, size, stride)
        channels = outputs
    return [*layers, *pooled_classifier(channels, context.classes)]
