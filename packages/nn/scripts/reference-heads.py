"""Auxiliary networks in PyTorch with random weights, and their losses and gradients, for the tests of heads.

    pip install torch safetensors
    python3 packages/nn/scripts/reference-heads.py packages/nn/src/heads/fixtures

Written from docs/methods/heads.md, independently of localgrad's code: each file has the state dict, the module's output `h`,
the targets, the training `loss`, the gradient of `h` and those of all weights (`gradient.<name>`).
"""
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

classes, image = 5, 32


def unit(inputs, outputs, size, stride, bias):
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=bias), nn.BatchNorm2d(outputs), nn.ReLU()]


def upsample(size, align_corners=True):
    return nn.Upsample(size=(size, size), mode="bilinear", align_corners=align_corners)


def head(inputs, layers):
    members = []
    for channels, size, stride in layers:
        members += unit(inputs, channels, size, stride, False)
        inputs = channels
    return nn.Sequential(*members, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def decoder(inputs, layers):
    members = []
    for channels, size, reduction in layers:
        members += [] if reduction is None else [upsample(image // reduction)]
        members += unit(inputs, channels, size, 1, True)
        inputs = channels
    return nn.Sequential(*members, upsample(image), nn.Conv2d(inputs, 3, 3, 1, 1), nn.Sigmoid())


class PixelScores(nn.Sequential):
    """A head for label maps, upsampled to the image; its dropout is the identity here."""

    def __init__(self, inputs, channels, bias, align_corners):
        super().__init__(*unit(inputs, channels, 3, 1, bias), nn.Dropout2d(0), nn.Conv2d(channels, classes, 1))
        self.upsample = upsample(image, align_corners)

    def forward(self, h):
        for layer in list(self)[:-1]:
            h = layer(h)
        return self.upsample(h)


def labeled_mean(scores, wanted):
    return F.cross_entropy(scores, wanted, ignore_index=255)


def mean_over_all(scores, wanted):
    """mmsegmentation's loss: pixels without a class count in the mean, with a loss of 0."""
    return F.cross_entropy(scores, wanted, ignore_index=255, reduction="none").mean()


class Token(nn.Module):
    """LayerNorm and dense layer on the first token; the names count the selection of the token."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.fc = nn.Linear(width, classes)

    def forward(self, tokens):
        return self.fc(self.norm(tokens[:, 0]))


def synthesizer(channels):
    """DNI's model of synthetic gradients with a dense layer, in DGL's comparison."""
    members = []
    for _ in range(2):
        members += unit(channels, channels, 5, 1, True)
    members.append(nn.Conv2d(channels, channels, 5, 1, 2))
    return nn.Sequential(*members, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class SmallDecoder(nn.Sequential):
    """InfoPro's decoder for a quarter of the image; the names do not count the upsampling."""

    def forward(self, h):
        return super().forward(upsample(image // 2)(h)).sigmoid()


class Patches(nn.Module):
    """One network on the quarters of a map, one after the other, each with batch statistics of its own."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def loss(self, h, target, loss):
        quarters = [self.inner(part) for row in h.chunk(2, 2) for part in row.chunk(2, 3)]
        targets = [target] * 4 if target.ndim == 1 else [part for row in target.chunk(2, 2) for part in row.chunk(2, 3)]
        return sum(loss(output, wanted) for output, wanted in zip(quarters, targets)) / 4


# An eighth of a ResNet-101 and a 64th of its width: the last stage has 32 channels.
cases = {
    "imagenet-head-quarter": ("head", head(8, [(2, 1, 1), (4, 3, 2), (8, 3, 2), (32, 1, 1)]), (8, 4)),
    "imagenet-head-half": ("head", head(16, [(4, 1, 1), (4, 3, 2), (8, 3, 2), (32, 1, 1)]), (16, 4)),
    "imagenet-decoder-quarter": ("decoder", decoder(8, [(2, 1, None), (1, 3, 4), (1, 3, 2)]), (8, 4)),
    "imagenet-decoder-half": ("decoder", decoder(16, [(3, 1, None), (1, 1, 8), (1, 3, 4), (1, 3, 2)]), (16, 4)),
    "class-token": ("head", Token(6), (6, 7)),
    "dni-synthesizer": ("head", synthesizer(3), (3, 6)),
    "hpff-imagenet-decoder-4": ("decoder", decoder(8, [(2, 1, None), (1, 3, 2)]), (8, 8)),
    "hpff-imagenet-decoder-8": ("decoder", decoder(8, [(2, 1, None), (1, 3, 4), (1, 3, 2)]), (8, 4)),
    "hpff-imagenet-decoder-16": ("decoder", decoder(8, [(2, 1, None), (1, 3, 2), (1, 3, 4), (1, 3, 2)]), (8, 2)),
    "patched-head": ("head", Patches(synthesizer(3)), (3, 8)),
    "patched-decoder": ("decoder", Patches(SmallDecoder(*unit(3, 12, 3, 1, True), nn.Conv2d(12, 3, 3, 1, 1))), (3, 8)),
    "infopro-segmentation": ("head", PixelScores(6, 3, True, True), (6, 4)),
    "mmsegmentation-fcn": ("head", PixelScores(8, 2, False, False), (8, 4)),
}


def run(name, kind, network, channels, size):
    is_tokens = isinstance(network, Token)
    h = torch.randn((4, size, channels) if is_tokens else (4, channels, size, size), requires_grad=True)
    labels, images = torch.randint(classes, (4,)), torch.rand(4, 3, image, image)
    if isinstance(network, PixelScores):
        masks = torch.randint(classes + 1, (4, image, image))
        labels = torch.where(masks == classes, 255, masks)
    classify = mean_over_all if name == "mmsegmentation-fcn" else labeled_mean
    target, function = (labels, classify) if kind == "head" else (images, F.binary_cross_entropy)
    loss = network.loss(h, target, function) if isinstance(network, Patches) else function(network(h), target)
    loss.backward()
    rename = {"norm": "1", "fc": "2"}
    named = lambda key: f"{kind}." + ".".join(rename.get(part, part) for part in key.removeprefix("inner.").split("."))
    tensors = {"h": h, "h.gradient": h.grad, "loss": loss}
    tensors |= {"masks" if labels.ndim > 1 else "labels": labels.to(torch.int32)} if kind == "head" else {"images": images}
    if is_tokens:
        # [batch, channels, 1, tokens]
        tensors |= {key: tensors[key].permute(0, 2, 1).unsqueeze(2) for key in ("h", "h.gradient")}
    for key, value in network.named_parameters():
        tensors |= {named(key): value, f"gradient.{named(key)}": value.grad}
    return {key: value.detach().contiguous().clone() for key, value in tensors.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (kind, network, shape)) in enumerate(cases.items()):
        torch.manual_seed(seed)
        for parameter in network.parameters():
            nn.init.uniform_(parameter, 0.2, 1) if parameter.ndim == 1 else nn.init.normal_(parameter, 0, 0.5)
        save_file(run(name, kind, network, *shape), folder / f"{name}.safetensors")
