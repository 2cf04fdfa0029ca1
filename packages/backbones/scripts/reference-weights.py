"""State dicts and outputs of torchvision, timm and reference code, for the tests of loading weights.

    pip install torch torchvision timm safetensors
    python3 packages/backbones/scripts/reference-weights.py small packages/backbones/src/weights/fixtures
    python3 packages/backbones/scripts/reference-weights.py full FOLDER

`small` writes narrow networks of the libraries' own classes with random weights, after two training forwards, and with the
evaluation `logits` of an `input`. `full` writes ResNet-18 and -50 of torchvision at full width; run the tests with
LOCALGRAD_REFERENCE_WEIGHTS=FOLDER to compare them.
"""
import sys
from pathlib import Path

import timm
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet


class NarrowResNet(resnet.ResNet):
    """torchvision's ResNet with other widths."""

    def __init__(self, block, layers, width, classes, groups=1, width_per_group=64):
        nn.Module.__init__(self)
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = width, 1, groups, width_per_group
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage, count in enumerate(layers):
            layer = self._make_layer(block, width * 2**stage, count, stride=1 if stage == 0 else 2)
            setattr(self, f"layer{stage + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width * block.expansion, classes)


class DilatedResNet(NarrowResNet):
    """torchvision's segmentation networks with other widths: `backbone` and `classifier`."""

    def __init__(self, layers, width):
        super().__init__(resnet.Bottleneck, layers, width, 1)
        self.inplanes, self.dilation = 8 * width, 1
        for stage, dilate in ((2, True), (3, True)):
            layer = self._make_layer(resnet.Bottleneck, width * 2**stage, layers[stage], 2, dilate)
            setattr(self, f"layer{stage + 1}", layer)
            self.inplanes = width * 2**stage * 4
        del self.avgpool, self.fc

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return {"out": self.layer4(self.layer3(self.layer2(self.layer1(x))))}


def segmentation(classifier):
    from torchvision.models.segmentation._utils import _SimpleSegmentationModel

    class Maps(_SimpleSegmentationModel):
        def forward(self, x):
            return super().forward(x)["out"]

    return Maps(DilatedResNet([1, 1, 2, 2], 2), classifier)


def fcn():
    return segmentation(torchvision.models.segmentation.fcn.FCNHead(64, 5))


def deeplab():
    from torchvision.models.segmentation.deeplabv3 import ASPP

    layers = [ASPP(64, [2, 3], 8), nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    return segmentation(nn.Sequential(*layers, nn.Conv2d(8, 5, 1)))


def narrow_vgg(norm):
    from torchvision.models.vgg import VGG, make_layers

    layout = [2, "M", 4, "M", 8, 8, "M", 16, 16, "M", 16, 16, "M"]
    network = VGG(make_layers(layout, batch_norm=norm), num_classes=5)
    network.classifier = nn.Sequential(
        nn.Linear(16 * 49, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 5)
    )
    return network


def timm_resnet():
    block = timm.models.resnet.BasicBlock
    network = timm.models.resnet.ResNet(block, [1, 1, 1, 1], channels=(4, 8, 16, 32), num_classes=5)
    # The stem's width is fixed.
    network.conv1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False)
    network.bn1 = nn.BatchNorm2d(4)
    network.layer1 = nn.Sequential(block(4, 4))
    return network


def timm_vgg():
    network = timm.models.vgg.VGG([2, "M", 4, "M", 8, 8, "M", 16, 16, "M", 16, 16, "M"], 5)
    network.pre_logits = timm.models.vgg.ConvMlp(16, 6, 7, 1.0, 0.0, nn.ReLU, nn.Conv2d)
    network.head = timm.layers.ClassifierHead(6, 5)
    return network


def cifar_densenet():
    from torchvision.models.densenet import DenseNet

    network = DenseNet(growth_rate=4, block_config=(1, 1, 1), num_init_features=8, bn_size=4, num_classes=5)
    network.features.conv0 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
    for name in ("norm0", "relu0", "pool0"):
        delattr(network.features, name)
    return network


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.convShortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        h = torch.relu(self.bn1(x))
        y = self.conv2(torch.relu(self.bn2(self.conv1(h))))
        return y + (x if self.convShortcut is None else self.convShortcut(h))


class WideResNet(nn.Module):
    """Depth 6n + 4, by the names of the common PyTorch version."""

    def __init__(self, depth, widen, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        before = 16
        for stage in (1, 2, 3):
            blocks = []
            for index in range((depth - 4) // 6):
                width = 16 * widen * 2 ** (stage - 1)
                blocks.append(WideBlock(before, width, 2 if stage > 1 and index == 0 else 1))
                before = width
            group = nn.Module()
            group.layer = nn.Sequential(*blocks)
            setattr(self, f"block{stage}", group)
        self.bn1 = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = self.conv1(x)
        for group in (self.block1, self.block2, self.block3):
            x = group.layer(x)
        return self.fc(torch.relu(self.bn1(x)).mean((2, 3)))


class LocalLossVgg8b(nn.Module):
    """VGG8b of the local-loss code in evaluation mode: encoder, batch norm, activation; pooling between stages."""

    layout = [1, 2, "M", 2, 4, "M", 4, "M", 4, "M"]

    def __init__(self, width, hidden, size, classes):
        super().__init__()
        self.features = nn.Sequential()
        before = 3
        for index, entry in enumerate(self.layout):
            layer = nn.Module()
            if entry != "M":
                layer.encoder = nn.Conv2d(before, entry * width, 3, 1, 1)
                layer.bn = nn.BatchNorm2d(entry * width)
                before = entry * width
            self.features.add_module(str(index), layer)
        layer = nn.Module()
        layer.encoder = nn.Linear(before * (size // 16) ** 2, hidden)
        layer.bn = nn.BatchNorm1d(hidden)
        self.classifier = nn.Module()
        self.classifier.layers = nn.ModuleList([layer])
        self.classifier.layer_out = nn.Linear(hidden, classes)

    def forward(self, x):
        for layer, entry in zip(self.features, self.layout):
            x = F.max_pool2d(x, 2) if entry == "M" else F.leaky_relu(layer.bn(layer.encoder(x)), 0.01)
        layer = self.classifier.layers[0]
        return self.classifier.layer_out(F.leaky_relu(layer.bn(layer.encoder(x.flatten(1))), 0.01))


def unit(inputs, outputs, size):
    return [nn.Conv2d(inputs, outputs, size, padding=size // 2), nn.BatchNorm2d(outputs), nn.ReLU()]


class DglCnn(nn.Module):
    """The network of DGL's learning curves, without its auxiliary classifiers."""

    def __init__(self, depth, width, classes):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(*unit(3, width, 3))])
        for layer in range(1, depth):
            halves = layer in (1, 3)
            outputs = 2 * width if halves else width
            pool = [nn.MaxPool2d((2, 2))] if halves else []
            self.blocks.append(nn.Sequential(*pool, *unit(width, outputs, 3)))
            width = outputs
        hidden = [nn.Linear(4 * width, 4 * width), nn.BatchNorm1d(4 * width), nn.ReLU()]
        again = [nn.Linear(4 * width, 4 * width), nn.BatchNorm1d(4 * width), nn.ReLU()]
        self.classifier = nn.Sequential(*hidden, *again, nn.Linear(4 * width, classes))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        x = F.adaptive_avg_pool2d(x, tuple(-(-size // 4) for size in x.shape[2:]))
        return self.classifier(F.adaptive_avg_pool2d(x, (2, 2)).flatten(1))


class DniCnn(nn.Module):
    """The network of DGL's comparison with DNI."""

    def __init__(self, width, classes):
        super().__init__()
        pools = [nn.MaxPool2d((3, 3)), nn.AvgPool2d((3, 3)), nn.AvgPool2d((3, 3))]
        inputs = [3, width, width]
        self.block = nn.ModuleList([nn.Sequential(*unit(n, width, 5), pool) for n, pool in zip(inputs, pools)])
        self.fc1 = nn.Linear(width, classes)

    def forward(self, x):
        for block in self.block:
            x = block(x)
        return self.fc1(x.flatten(1))


def small():
    vit = {"num_classes": 5}
    return {
        "torchvision-resnet": (lambda: NarrowResNet(resnet.BasicBlock, [1, 1, 1, 1], 4, 5), (40, 33)),
        "torchvision-resnext": (lambda: NarrowResNet(resnet.Bottleneck, [1, 2, 1, 1], 4, 5, 2, 32), (33, 40)),
        "torchvision-fcn": (fcn, (32, 24)),
        "torchvision-deeplabv3": (deeplab, (32, 24)),
        "torchvision-vgg": (lambda: narrow_vgg(False), (64, 32)),
        "torchvision-vgg-bn": (lambda: narrow_vgg(True), (64, 32)),
        "torchvision-densenet": (cifar_densenet, (12, 8)),
        "torchvision-vit": (
            lambda: torchvision.models.VisionTransformer(16, 8, 2, 2, 8, 32, **vit),
            (16, 16),
        ),
        "timm-resnet": (timm_resnet, (40, 33)),
        "timm-vgg": (timm_vgg, (64, 32)),
        "timm-vit": (
            lambda: timm.models.VisionTransformer(16, 8, embed_dim=8, depth=2, num_heads=2, **vit),
            (16, 16),
        ),
        "wide-resnet": (lambda: WideResNet(10, 1, 5), (12, 8)),
        "dgl-cnn": (lambda: DglCnn(5, 2, 5), (20, 12)),
        "dni-cnn": (lambda: DniCnn(2, 5), (32, 32)),
        "local-loss-vgg": (lambda: LocalLossVgg8b(2, 6, 16, 5), (16, 16)),
    }


def full():
    return {
        "resnet18": (torchvision.models.resnet18, (224, 224)),
        "resnet50": (torchvision.models.resnet50, (224, 224)),
    }


def write(name, create, size, folder):
    torch.manual_seed(1)
    network = create()
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    if name.endswith("vit"):
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0, 0.3)
    network.train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(8, 3, *size))
        network.eval()
        images = torch.randn(2, 3, *size)
        logits = network(images)
    tensors = {**network.state_dict(), "input": images, "logits": logits}
    path = Path(folder) / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    print(f"{path}: {path.stat().st_size} bytes, logits up to {logits.abs().max():.3f}")


if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    for name, (create, size) in {"small": small, "full": full}[kind]().items():
        write(name, create, size, folder)
