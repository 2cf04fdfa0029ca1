"""Steps of predsim in PyTorch, float64: three of SGD in a narrow VGG8b, and what the network then predicts.

    pip install torch safetensors
    python3 packages/methods/predsim/scripts/reference-steps.py packages/methods/predsim/src/fixtures

Written from docs/methods/predsim.md and docs/methods/networks.md §6, independently of localgrad's code; names of weights are
localgrad's. The file has the images, the labels, the weights before (`before.<name>`) and after the steps (`after.<name>`), the losses
of each step (`losses`), and the logits in evaluation mode after the last one (`logits`).
"""
import sys
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(3)
CLASSES, BATCH, SIZE, WIDTH, HIDDEN, INPUTS, BETA, STEPS, RATE = 10, 6, 16, 4, 8, 64, 0.99, 3, 0.05
LAYOUT = [1, 2, "M", 2, 4, "M", 4, "M", 4, "M"]


def similarities(x):
    if x.dim() == 4:
        x = x.flatten(2).std(dim=2) if x.size(1) > 3 and x.size(2) > 1 else x.flatten(1)
    x = x - x.mean(1, keepdim=True)
    x = x / (1e-8 + x.norm(dim=1, keepdim=True))
    return (x @ x.t()).clamp(-1, 1)


def window(channels, size):
    height = width = 1
    rows = columns = size
    while channels * rows * columns > INPUTS and height < size:
        height *= 2
        rows = -(-size // height)
        if channels * rows * columns > INPUTS:
            width *= 2
            columns = -(-size // width)
    return (height, width), channels * rows * columns


class Layer(nn.Module):
    """A convolution, or a dense layer for size 0, with batch norm, leaky ReLU and its local losses."""

    def __init__(self, module, name, inputs, outputs, size):
        super().__init__()
        self.module, self.name, self.size = module, name, size
        if size > 0:
            self.encoder, self.bn = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
            # On 1×1 maps a dense layer, since only the center of the convolution would be used.
            self.similarity = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False) if size > 1 else nn.Linear(outputs, outputs, bias=False)
            self.window, count = window(outputs, size)
        else:
            self.encoder, self.bn = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs)
            self.similarity = nn.Linear(outputs, outputs, bias=False)
            self.window, count = None, outputs
        self.decoder = nn.Linear(count, CLASSES)

    def forward(self, x):
        return F.leaky_relu(self.bn(self.encoder(x)), 0.01)

    def loss(self, h, labels):
        similar = self.similarity(h if self.size > 1 else h.flatten(1))
        unlike = F.mse_loss(similarities(similar), similarities(F.one_hot(labels, CLASSES).double()))
        # Flattened in localgrad's order, channels last.
        pooled = h if self.window is None else F.avg_pool2d(h, self.window).permute(0, 2, 3, 1)
        return BETA * unlike + (1 - BETA) * F.cross_entropy(self.decoder(pooled.flatten(1)), labels)

    def named(self):
        for part in ("encoder", "bn"):
            for key, value in getattr(self, part).named_parameters():
                yield f"{self.name}.{part}.{key}", value
        for part in ("similarity", "decoder"):
            for key, value in getattr(self, part).named_parameters():
                yield f"heads.module{self.module}.{part}.{key}", value


def build():
    layers, channels, size = [], 3, SIZE
    for index, entry in enumerate(LAYOUT):
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
            size //= 2
        else:
            module = sum(isinstance(layer, Layer) for layer in layers)
            layers.append(Layer(module, f"features.{index}", channels, entry * WIDTH, size))
            channels = entry * WIDTH
    layers += [nn.Flatten(), Layer(6, "classifier.layers.0", channels * size * size, HIDDEN, 0)]
    output = nn.Linear(HIDDEN, CLASSES)
    network = nn.ModuleList([*layers, output])
    with torch.no_grad():
        for value in network.parameters():
            # localgrad starts from these values in float32.
            value.copy_((value + 0.1 * torch.randn_like(value)).float().double())
    return network, layers, output


def main(folder):
    network, layers, output = build()
    images = torch.randn(BATCH, 3, SIZE, SIZE).float().double()
    labels = torch.randint(0, 3, (BATCH,))
    weights = {key: value for layer in layers if isinstance(layer, Layer) for key, value in layer.named()}
    weights |= {f"classifier.layer_out.{key}": value for key, value in output.named_parameters()}
    before = {key: value.detach().clone() for key, value in weights.items()}
    losses = []
    for _ in range(STEPS):
        x = images
        for layer in layers:
            x = layer(x.detach())
            if isinstance(layer, Layer):
                loss = layer.loss(x, labels)
                loss.backward()
                losses.append(loss.item())
        final = F.cross_entropy(output(x.detach()), labels)
        ((1 - BETA) * final).backward()
        losses.append(final.item())
        with torch.no_grad():
            for value in weights.values():
                value -= RATE * value.grad
                value.grad = None
    network.eval()
    with torch.no_grad():
        x = images
        for layer in layers:
            x = layer(x)
        logits = output(x)
    tensors = {"images": images, "losses": torch.tensor(losses), "logits": logits}
    tensors |= {f"before.{name}": value for name, value in before.items()}
    tensors |= {f"after.{name}": value.detach() for name, value in weights.items()}
    tensors = {name: value.float().contiguous() for name, value in tensors.items()}
    save_file(tensors | {"labels": labels.int()}, Path(folder) / "vgg8b.safetensors")
    print(losses)


main(sys.argv[1])
