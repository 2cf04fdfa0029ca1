"""VGG for ImageNet: a block is a convolution and the pooling that follows it."""

from torch import nn

stages = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
final_size = 7


def vgg(depth, *, name, image, classes, width=64, batchNorm=False, hidden=4096, dropout=0.5):
    blocks, channels = {}, image[2]
    for stage, count in enumerate(stages[depth]):
        outputs = width * 2 ** min(stage, 3)
        for index in range(count):
            layers = [nn.Conv2d(channels, outputs, 3, 1, 1), *([nn.BatchNorm2d(outputs)] if batchNorm else []), nn.ReLU()]
            if index == count - 1:
                layers.append(nn.MaxPool2d(2))
            blocks[reference_of(stage, index)], channels = nn.Sequential(*layers), outputs
    classifier = nn.Sequential(
        nn.AdaptiveAvgPool2d(final_size),
        nn.Flatten(),
        nn.Linear(channels * final_size**2, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )
    return blocks, classifier


def reference_of(stage, index):
    """The first convolution is the stem, so that the others of its stage count from 0."""
    if stage > 0:
        return (stage + 1, index)
    return (0, 0) if index == 0 else (1, index - 1)
