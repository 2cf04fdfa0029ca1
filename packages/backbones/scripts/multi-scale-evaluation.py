"""Class probabilities averaged over scales and mirror images, and their confusion matrices, for the tests of evaluation.

    pip install torch torchvision timm safetensors
    python3 packages/backbones/scripts/multi-scale-evaluation.py packages/backbones/src/weights/fixtures

Reads the weights of `torchvision-fcn.safetensors` (of `reference-weights.py small`) and writes `torchvision-fcn-averaged.safetensors`:
another last layer, whose classes differ from pixel to pixel; whole images, larger than those of the weights; their label maps; and for
each way of averaging `<name>.probabilities` and `<name>.confusion`. As `simple_test` and `aug_test` of mmsegmentation: the image is resized, the scores are resized to its size, their
softmax is mirrored back and averaged.
"""
import importlib.util
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

spec = importlib.util.spec_from_file_location("reference", Path(__file__).with_name("reference-weights.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

SCALES = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
WAYS = {"single": ([1.0], False), "scales": (SCALES, False), "flipped": (SCALES, True)}
IGNORE = 255


def resized(maps, size):
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def averaged(network, images, scales, flip):
    height, width = images.shape[2:]
    total = 0
    for scale in scales:
        scaled = resized(images, (int(height * scale + 0.5), int(width * scale + 0.5)))
        for mirrored in [False, True] if flip else [False]:
            scores = network(scaled.flip(3) if mirrored else scaled)
            probabilities = resized(scores, (height, width)).softmax(1)
            total = total + (probabilities.flip(3) if mirrored else probabilities)
    return total / (len(scales) * (2 if flip else 1))


def confusion(probabilities, labels):
    classes = probabilities.shape[1]
    predicted, known = probabilities.argmax(1), labels != IGNORE
    pairs = labels[known] * classes + predicted[known]
    return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def labels_of(scores):
    """The network's own classes, a third of them replaced, and a border without classes."""
    labels = scores.argmax(1)
    labels = torch.where(torch.rand(labels.shape) < 1 / 3, torch.randint(0, scores.shape[1], labels.shape), labels)
    labels[:, :3] = IGNORE
    return labels


def spread(layer, network, images):
    """Changes the last layer such that no class wins everywhere."""
    layer.weight *= 12
    scores = network(images)
    layer.bias -= scores.mean((0, 2, 3))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    state = load_file(folder / "torchvision-fcn.safetensors")
    network = reference.fcn()
    network.load_state_dict({name: value for name, value in state.items() if name not in ("input", "logits")})
    network.eval()
    torch.manual_seed(3)
    with torch.no_grad():
        images = resized(torch.randn(2, 3, 7, 6), (38, 30)) * 2
        spread(network.classifier[4], network, images)
        labels = labels_of(network(images))
        tensors = {"images": images, "labels": labels.to(torch.int32)}
        tensors |= {f"classifier.4.{name}": value for name, value in network.classifier[4].state_dict().items()}
        for name, (scales, flip) in WAYS.items():
            probabilities = averaged(network, images, scales, flip)
            top = probabilities.topk(2, dim=1).values
            print(f"{name}: smallest lead of a class {(top[:, 0] - top[:, 1]).min():.2e}")
            tensors[f"{name}.probabilities"] = probabilities
            tensors[f"{name}.confusion"] = confusion(probabilities, labels).to(torch.int32)
    path = folder / "torchvision-fcn-averaged.safetensors"
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    print(f"{path}: {path.stat().st_size} bytes")
