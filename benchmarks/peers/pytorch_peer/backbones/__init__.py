"""The backbones of `@localgrad/backbones` that the peer has: blocks by `(stage, index)`, the stem is `(0, 0)`."""

import inspect
import re

import torch

from ..errors import PeerError
from . import resnet, vgg, vision_transformer

# The first pattern that matches decides, as in `@localgrad/backbones`: ImageNet's ResNets precede those of 6n + 2 layers.
families = [
    (r"resnet(18|34|50|101|152)", resnet.imagenet_resnet),
    (r"resnext(50|101|152)-(\d+)x(\d+)d", resnet.imagenet_resnet),
    (r"(?:cifar-)?resnet(\d+)", resnet.cifar_resnet),
    (r"wide-resnet-(\d+)-(\d+)", resnet.wide_resnet),
    (r"vgg(11|13|16|19)", vgg.vgg),
    (r"vit(?:-(?:tiny|small|base))?", vision_transformer.vision_transformer),
]


class Backbone:
    """
    `blocks`: modules by reference, in the order in which they run; `classifier`: reads the last block's output;
    `shapes`: of what each block puts out for one image, without the batch.
    """

    def __init__(self, blocks, classifier, image):
        height, width, channels = image
        self.blocks, self.classifier, self.shapes = blocks, classifier, {}
        shape = (channels, height, width)
        for reference, block in blocks.items():
            shape = self.shapes[reference] = shape_after(block, shape)


def build_backbone(config, image, classes):
    """`config`: of the plan, the backbone's name and the options that differ from its defaults. Raises PeerError."""
    options = {key: value for key, value in config.items() if key != "backbone"}
    for pattern, build in families:
        found = re.fullmatch(pattern, config["backbone"])
        if found is None:
            continue
        unknown = options.keys() - inspect.signature(build).parameters.keys()
        if unknown:
            raise PeerError(f"has no option {', '.join(sorted(unknown))} of '{config['backbone']}'.")
        numbers = [int(number) for number in found.groups()]
        return Backbone(*build(*numbers, name=config["backbone"], image=image, classes=classes, **options), image)
    raise PeerError(
        f"has no backbone '{config['backbone']}'; it has the ResNets for CIFAR and ImageNet, ResNeXts, Wide ResNets, "
        "vgg11 to vgg19, and vision transformers."
    )


def shape_after(block, shape):
    """Shape of a block's output for one image, without the batch."""
    was_training = block.training
    block.eval()
    with torch.no_grad():
        result = tuple(block(torch.zeros(1, *shape)).shape[1:])
    block.train(was_training)
    return result
