"""Steps of DNI in PyTorch, float64: three of SGD, with and without labels in the synthesizers.

    pip install torch safetensors
    python3 packages/methods/dni/scripts/reference-steps.py packages/methods/dni/src/fixtures

Written from docs/methods/dni.md, independently of localgrad's code; names of weights are localgrad's. Each file has the images, the
labels, the weights before (`before.<name>`) and after the steps (`after.<name>`), and the losses of each step (`losses`).
"""
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
CLASSES, BATCH, SIZE, WIDTH, STEPS, RATE = 4, 8, 27, 3, 3, 1e-3


class Weights(dict):
    def __init__(self, seed):
        super().__init__()
        self.random = torch.Generator().manual_seed(seed)

    def add(self, name, *shape):
        scale = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.2
        start = 1.0 if "norm" in name and name.endswith("weight") or name.endswith(".1.weight") else 0.0
        value = start + scale * torch.randn(*shape, generator=self.random)
        # localgrad starts from these values in float32.
        self[name] = value.float().double().requires_grad_()

    def convolution(self, name, size):
        self.add(f"{name}.weight", WIDTH, WIDTH, size, size)
        self.add(f"{name}.bias", WIDTH)

    def norm(self, name):
        self.add(f"{name}.weight", WIDTH)
        self.add(f"{name}.bias", WIDTH)


def build(conditional):
    weights = Weights(11 if conditional else 7)
    for module in range(3):
        weights.convolution(f"block.{module}.0", 5)
        weights.norm(f"block.{module}.1")
        head, size = f"heads.module{module}", 5 if module < 2 else 1
        for layer in range(2):
            weights.convolution(f"{head}.hidden{layer}", size)
            weights.norm(f"{head}.norm{layer}")
        if conditional:
            weights.add(f"{head}.context.weight", WIDTH, CLASSES)
            weights.add(f"{head}.context.bias", WIDTH)
        weights.convolution(f"{head}.output", size)
    weights.add("fc1.weight", CLASSES, WIDTH)
    weights.add("fc1.bias", CLASSES)
    return weights


def convolve(x, weights, name):
    weight = weights[f"{name}.weight"]
    return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)


def normalize(x, weights, name):
    return F.batch_norm(x, None, None, weights[f"{name}.weight"], weights[f"{name}.bias"], training=True)


def run_module(x, weights, module):
    if module == 3:
        return x
    x = F.relu(normalize(convolve(x, weights, f"block.{module}.0"), weights, f"block.{module}.1"))
    return F.max_pool2d(x, 3) if module == 0 else F.avg_pool2d(x, 3)


def synthesize(x, labels, weights, module, conditional):
    head = f"heads.module{module}"
    for layer in range(2):
        x = convolve(x, weights, f"{head}.hidden{layer}")
        if layer == 0 and conditional:
            context = F.linear(F.one_hot(labels, CLASSES).double(), weights[f"{head}.context.weight"], weights[f"{head}.context.bias"])
            x = x + context[:, :, None, None]
        x = F.relu(normalize(x, weights, f"{head}.norm{layer}"))
    return convolve(x, weights, f"{head}.output")


def step(images, labels, weights, conditional):
    """Losses of the modules, after their gradients have been added to those of the weights."""
    x, losses, lesson = images, [], None
    for module in range(4):
        given = x.detach().requires_grad_(module > 0)
        output = run_module(given, weights, module)
        if module < 3:
            prediction = synthesize(output.detach(), labels, weights, module, conditional)
            output.backward(prediction.detach())
        else:
            final = F.cross_entropy(F.linear(output.flatten(1), weights["fc1.weight"], weights["fc1.bias"]), labels)
            final.backward()
        if lesson is not None:
            # The gradient that this module computed is what the synthesizer before it should have predicted.
            loss = ((lesson - given.grad) ** 2).sum() / len(labels)
            loss.backward()
            losses.append(loss.item())
        lesson = prediction if module < 3 else None
        x = output
    return [*losses, final.item()]


def write(folder, conditional):
    weights = build(conditional)
    random = torch.Generator().manual_seed(5)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=random).float().double()
    labels = torch.randint(0, CLASSES, (BATCH,), generator=random)
    before = {name: value.detach().clone() for name, value in weights.items()}
    losses = []
    for _ in range(STEPS):
        losses.append(step(images, labels, weights, conditional))
        with torch.no_grad():
            for value in weights.values():
                value -= RATE * value.grad
                value.grad = None
    tensors = {"images": images, "losses": torch.tensor(losses)}
    tensors |= {f"before.{name}": value for name, value in before.items()}
    tensors |= {f"after.{name}": value.detach() for name, value in weights.items()}
    tensors = {name: value.float().contiguous() for name, value in tensors.items()}
    name = "conditional" if conditional else "unconditional"
    save_file(tensors | {"labels": labels.int()}, folder / f"{name}.safetensors")
    print(name, losses)


for conditional in (False, True):
    write(Path(sys.argv[1]), conditional)
