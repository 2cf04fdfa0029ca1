"""Writes fixtures/methods.safetensors: InfoPro with feature reconstruction and predsim, in PyTorch, float64.

The networks and losses are written out here in plain PyTorch functions, independent of localgrad's code
(docs/methods/infopro.md, docs/methods/predsim.md). Usage: python tests/oracles/make-methods.py
"""

import json
import math
import struct
from pathlib import Path

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
CLASSES, BATCH, SIZE, STEPS = 4, 6, 8, 3
WIDTHS = [4, 4, 8, 8]
MODULES = [["conv1", "layer1.0"], ["layer1.1", "layer2.0"], ["layer2.1", "layer3.0"], ["layer3.1"]]
LAST_BLOCKS = [[1, 0], [2, 0], [3, 0], [3, 1]]
OPTIMIZER = {"learningRate": 0.02, "momentum": 0.9, "nesterov": True, "weightDecay": 1e-4}
WEIGHTS = {"ixx1": 3, "ixy1": 0.5, "ixx2": 1, "ixy2": 2}
BETA, DECODER_INPUTS = 0.99, 32


class Model:
    """Weights and running statistics by localgrad's names."""

    def __init__(self, seed):
        self.random = torch.Generator().manual_seed(seed)
        self.weights, self.statistics, self.margin = {}, {}, math.inf

    def weight(self, name, *shape):
        scale = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.3
        start = 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0
        value = start + scale * torch.randn(*shape, generator=self.random)
        # localgrad starts from these values in float32.
        self.weights[name] = value.float().double().requires_grad_()

    def norm(self, name, channels):
        self.weight(f"{name}.weight", channels)
        self.weight(f"{name}.bias", channels)
        self.statistics[f"{name}.running_mean"] = torch.zeros(channels)
        self.statistics[f"{name}.running_var"] = torch.ones(channels)

    def batch_norm(self, x, name):
        mean, variance = (self.statistics[f"{name}.running_{key}"] for key in ("mean", "var"))
        weight, bias = (self.weights[f"{name}.{key}"] for key in ("weight", "bias"))
        return F.batch_norm(x, mean, variance, weight, bias, training=True, momentum=0.1)

    def relu(self, x):
        # A value close to 0 may have another sign in float32.
        self.margin = min(self.margin, x.detach().abs().min().item())
        return F.relu(x)


def build_backbone(model):
    model.weight("conv1.weight", WIDTHS[0], 3, 3, 3)
    model.norm("bn1", WIDTHS[0])
    channels = WIDTHS[0]
    for stage in (1, 2, 3):
        for index in (0, 1):
            block, width = f"layer{stage}.{index}", WIDTHS[stage]
            model.weight(f"{block}.conv1.weight", width, channels, 3, 3)
            model.norm(f"{block}.bn1", width)
            model.weight(f"{block}.conv2.weight", width, width, 3, 3)
            model.norm(f"{block}.bn2", width)
            if stage > 1 and index == 0:
                model.weight(f"{block}.downsample.0.weight", width, channels, 1, 1)
                model.norm(f"{block}.downsample.1", width)
            channels = width
    model.weight("fc.weight", CLASSES, channels)
    model.weight("fc.bias", CLASSES)


def run_block(model, block, x):
    w = model.weights
    if block == "conv1":
        return model.relu(model.batch_norm(F.conv2d(x, w["conv1.weight"], padding=1), "bn1"))
    stride = 2 if block in ("layer2.0", "layer3.0") else 1
    hidden = F.conv2d(x, w[f"{block}.conv1.weight"], stride=stride, padding=1)
    hidden = model.relu(model.batch_norm(hidden, f"{block}.bn1"))
    hidden = model.batch_norm(F.conv2d(hidden, w[f"{block}.conv2.weight"], padding=1), f"{block}.bn2")
    if f"{block}.downsample.0.weight" in w:
        shortcut = F.conv2d(x, w[f"{block}.downsample.0.weight"], stride=stride)
        x = model.batch_norm(shortcut, f"{block}.downsample.1")
    return model.relu(hidden + x)


class FeatureReconstruction:
    method = {"method": "infopro", "reconstruct": "input", "head": "0c1f", **WEIGHTS}
    source = "PyTorch, float64; decoder target: the detached input of the module"

    def build(self, model, module, inputs, channels):
        decoder = f"heads.module{module}.decoder"
        model.weight(f"{decoder}.0.weight", 12, channels, 3, 3)
        model.weight(f"{decoder}.0.bias", 12)
        model.norm(f"{decoder}.1", 12)
        model.weight(f"{decoder}.3.weight", inputs, 12, 3, 3)
        model.weight(f"{decoder}.3.bias", inputs)
        model.weight(f"heads.module{module}.head.2.weight", CLASSES, channels)
        model.weight(f"heads.module{module}.head.2.bias", CLASSES)

    def loss(self, model, module, given, h, labels):
        w, head = model.weights, f"heads.module{module}"
        x = F.interpolate(h, given.shape[2:], mode="bilinear", align_corners=True)
        x = F.conv2d(x, w[f"{head}.decoder.0.weight"], w[f"{head}.decoder.0.bias"], padding=1)
        x = model.relu(model.batch_norm(x, f"{head}.decoder.1"))
        x = F.conv2d(x, w[f"{head}.decoder.3.weight"], w[f"{head}.decoder.3.bias"], padding=1)
        reconstruction = F.mse_loss(x, given.detach())
        scores = F.linear(h.mean((2, 3)), w[f"{head}.head.2.weight"], w[f"{head}.head.2.bias"])
        classification = F.cross_entropy(scores, labels)
        ratio = module / (len(MODULES) - 2)
        ixx = WEIGHTS["ixx1"] * (1 - ratio) + WEIGHTS["ixx2"] * ratio
        ixy = WEIGHTS["ixy1"] * (1 - ratio) + WEIGHTS["ixy2"] * ratio
        terms = {"reconstruction": reconstruction, "classification": classification}
        return ixx * reconstruction + ixy * classification, terms

    final_weight = 1


class LocalErrors:
    method = f"predsim(decoderInputs: {DECODER_INPUTS}, decoderStart: uniform)"
    source = "PyTorch, float64; similarity matching and local classifier"

    def build(self, model, module, inputs, channels):
        head = f"heads.module{module}"
        model.weight(f"{head}.similarity.weight", channels, channels, 3, 3)
        model.weight(f"{head}.decoder.weight", CLASSES, DECODER_INPUTS)
        model.weight(f"{head}.decoder.bias", CLASSES)

    def loss(self, model, module, given, h, labels):
        w, head = model.weights, f"heads.module{module}"
        wanted = similarities(F.one_hot(labels, CLASSES).double())
        similarity = F.mse_loss(similarities(describe(F.conv2d(h, w[f"{head}.similarity.weight"], padding=1))), wanted)
        size = h.shape[2]
        rows, columns = size, size
        kernel = [1, 1]
        while h.shape[1] * rows * columns > DECODER_INPUTS and kernel[0] < size:
            kernel[0] *= 2
            rows = math.ceil(size / kernel[0])
            if h.shape[1] * rows * columns > DECODER_INPUTS:
                kernel[1] *= 2
                columns = math.ceil(size / kernel[1])
        # Features of the local classifier are in localgrad's order, channels last.
        pooled = F.avg_pool2d(h, kernel).permute(0, 2, 3, 1).flatten(1)
        scores = F.linear(pooled, w[f"{head}.decoder.weight"], w[f"{head}.decoder.bias"])
        prediction = F.cross_entropy(scores, labels)
        terms = {"similarity": similarity, "prediction": prediction}
        return BETA * similarity + (1 - BETA) * prediction, terms

    final_weight = 1 - BETA


def describe(h):
    """Standard deviation of each channel over the pixels; maps of at most three channels are flattened."""
    return h.flatten(2).std(2) if h.shape[1] > 3 and h.shape[2] > 1 else h.flatten(1)


def similarities(rows):
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / (1e-8 + rows.norm(dim=1, keepdim=True))
    return rows @ rows.T


def train(kind, seed):
    model = Model(seed)
    build_backbone(model)
    channels = [3, 4, 8, 8]
    for module in range(3):
        kind.build(model, module, channels[module], channels[module + 1])
    start = {name: value.detach().clone() for name, value in model.weights.items()}
    images = [torch.randn(BATCH, 3, SIZE, SIZE, generator=model.random).float().double() for _ in range(STEPS)]
    labels = [torch.randint(CLASSES, (BATCH,), generator=model.random) for _ in range(STEPS)]
    settings = {"lr": OPTIMIZER["learningRate"], "weight_decay": OPTIMIZER["weightDecay"]}
    optimizer = torch.optim.SGD(
        list(model.weights.values()), **settings, momentum=OPTIMIZER["momentum"], nesterov=OPTIMIZER["nesterov"]
    )
    trajectory, first = {}, {}
    for step in range(STEPS):
        optimizer.zero_grad()
        x, losses, terms = images[step], {}, {}
        for module, blocks in enumerate(MODULES):
            given = x.detach()
            h = given
            for block in blocks:
                h = run_block(model, block, h)
            if module < 3:
                loss, own = kind.loss(model, module, given, h, labels[step])
                losses[f"module{module}"] = loss.item()
                terms.update({f"module{module}/{name}": value.item() for name, value in own.items()})
            else:
                scores = F.linear(h.mean((2, 3)), model.weights["fc.weight"], model.weights["fc.bias"])
                loss = F.cross_entropy(scores, labels[step])
                losses["final"] = loss.item()
                loss = kind.final_weight * loss
            loss.backward()
            x = h
        if step == 0:
            first = {
                "losses": {**losses, **terms},
                "gradients": {name: value.grad.clone() for name, value in model.weights.items()},
                "statistics": {name: value.clone() for name, value in model.statistics.items()},
            }
        for name, value in losses.items():
            trajectory.setdefault(name, []).append(value)
        optimizer.step()
    return model, start, images, labels, first, trajectory


def training_case(name, kind, tensors):
    # The seed with the largest distance of any ReLU's input from 0, so that none flips in float32.
    seed = max(range(60), key=lambda candidate: train(kind, candidate)[0].margin)
    model, start, images, labels, first, trajectory = train(kind, seed)
    print(f"{name}: seed {seed}, margin {model.margin:.1e}")

    def store(group, values):
        for key, value in values.items():
            tensors[f"{name}/{group}/{key}"] = value.detach()
        return {key: f"{name}/{group}/{key}" for key in values}

    inputs = [
        {"images": f"{name}/inputs/x{step}", "labels": f"{name}/inputs/y{step}"} for step in range(STEPS)
    ]
    store("inputs", {f"x{step}": value for step, value in enumerate(images)})
    store("inputs", {f"y{step}": value for step, value in enumerate(labels)})
    return {
        "case": f"methods/{name}",
        "kind": "training",
        "source": kind.source,
        "network": {
            "backbone": "resnet14",
            "widths": WIDTHS,
            "imageShape": [SIZE, SIZE, 3],
            "classes": CLASSES,
            "lastBlocks": LAST_BLOCKS,
        },
        "method": kind.method,
        "optimizer": OPTIMIZER,
        "inputs": inputs,
        "parameters": store("start", start),
        "comparison": "largest-entry",
        "expected": {
            "losses": first["losses"],
            "gradients": store("gradients", first["gradients"]),
            "statistics": store("statistics", first["statistics"]),
            "trajectory": trajectory,
            "weights": store("weights", model.weights),
        },
    }


def similarity_case(name, channels, expected, tensors):
    """The published test values (docs/methods/predsim.md §1): their loss as published, their gradient by PyTorch."""
    b, c, i, j = torch.meshgrid(*(torch.arange(float(n)) for n in (3, channels, 2, 2)), indexing="ij")
    maps = torch.sin(1 + 16 * b + 4 * c + 2 * i + j).requires_grad_()
    labels = [0, 1, 0]
    wanted = similarities(F.one_hot(torch.tensor(labels), 10).double())
    loss = F.mse_loss(similarities(describe(maps)), wanted)
    loss.backward()
    assert expected is None or abs(loss.item() - expected) < 1e-9
    tensors[f"{name}/features"] = maps.detach()
    tensors[f"{name}/gradient"] = maps.grad
    return {
        "case": f"methods/{name}",
        "kind": "loss",
        "source": "predsim, official code",
        "loss": "similarity-matching",
        "classes": 10,
        "labels": labels,
        "features": f"{name}/features",
        "expected": {"loss": expected or loss.item(), "gradient": f"{name}/gradient"},
    }


def write(path, tensors, cases):
    metadata = {"format": "localgrad-reference", "version": "1", "cases": json.dumps(cases)}
    header, parts, offset = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        values = tensor.float() if tensor.is_floating_point() else tensor.int()
        data = values.contiguous().numpy().tobytes()
        kind = "F32" if tensor.is_floating_point() else "I32"
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    print(f"{path.name}: {len(cases)} cases, {len(tensors)} tensors, {path.stat().st_size} bytes")


def main():
    tensors = {}
    cases = [
        training_case("infopro_features", FeatureReconstruction(), tensors),
        training_case("predsim", LocalErrors(), tensors),
        similarity_case("similarity_maps", 4, 0.4801584482, tensors),
        similarity_case("similarity_flat", 3, None, tensors),
    ]
    write(Path(__file__).parent / "fixtures" / "methods.safetensors", tensors, cases)


main()
