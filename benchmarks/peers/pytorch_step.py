"""Times training steps of plain PyTorch on the shapes of `localgrad bench step`, and prints one JSON document.

Modules are written here from the methods' descriptions: a CIFAR ResNet end to end, cut greedily (0c1f heads), and with DGL
(1c2f heads). One SGD step (Nesterov, weight decay on everything) ends each training step, as in the reference code.

    python3 benchmarks/peers/pytorch_step.py --method dgl --backbone resnet32 --modules 16 --batch 64 --threads 2
"""

import argparse
import json
import os
import re
import statistics
import sys
import time


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=["backprop", "e2e", "greedy", "dgl"], default="backprop", help="e2e is backprop")
    parser.add_argument("--backbone", default="resnet32", help="resnet<6n + 2>")
    parser.add_argument("--depth", type=int, help="the same as --backbone resnet<depth>")
    parser.add_argument("--width", type=int, default=16, help="channels of stem and first stage")
    parser.add_argument("--modules", type=int, default=16, help="for greedy and dgl")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--json", action="store_true", help="changes nothing: JSON is the only output")
    arguments = parser.parse_args()
    named = re.fullmatch(r"resnet(\d+)", arguments.backbone)
    if arguments.depth is None:
        if named is None:
            parser.error("--backbone must be resnet8, resnet14, resnet20, resnet32, ...")
        arguments.depth = int(named.group(1))
    if arguments.depth % 6 != 2 or arguments.depth < 8:
        parser.error("the depth must be 6n + 2: 8, 14, 20, 32, ...")
    for name in ("width", "batch", "threads", "repeats", "size"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be 1 or more")
    if arguments.warmup < 0:
        parser.error("--warmup must be 0 or more")
    blocks = 3 * (arguments.depth - 2) // 6
    if not 1 <= arguments.modules <= blocks + 1:
        parser.error(f"--modules must be 1 to {blocks + 1}")
    if arguments.method == "e2e":
        arguments.method = "backprop"
    return arguments


def without_torch():
    """Debian's python3-torch serves the system's own Python only, which need not be the first one on the path."""
    system, mark = "/usr/bin/python3", "LOCALGRAD_PEER_ON_SYSTEM_PYTHON"
    if mark not in os.environ and os.path.exists(system) and not os.path.samefile(system, sys.executable):
        os.execve(system, [system, *sys.argv], {**os.environ, mark: "1"})
    sys.exit("PyTorch is not installed: `apt-get install python3-torch` on Debian, or `pip install torch`.")


arguments = parse()
# OpenBLAS reads its thread count once, when it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)
try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    without_torch()
torch.set_num_threads(arguments.threads)


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def build_blocks(depth, width):
    stem = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    blocks, channels, widths = [stem], width, [width]
    for stage, outputs in enumerate([width, 2 * width, 4 * width]):
        for index in range((depth - 2) // 6):
            blocks.append(BasicBlock(channels, outputs, 2 if stage > 0 and index == 0 else 1))
            channels = outputs
            widths.append(outputs)
    return blocks, widths


def even(blocks, modules):
    """Counts as equal as possible, the larger ones last."""
    base, extra = divmod(blocks, modules)
    return [base + (1 if index >= modules - extra else 0) for index in range(modules)]


def split(blocks, widths, modules):
    """The strategy `even`: the stem counts as a block, unless blocks divide without it or it would be left alone."""
    body = len(blocks) - 1
    if modules == body + 1:
        sizes = [1] * modules
    elif body % modules != 0 and body + 1 >= 2 * modules:
        sizes = even(body + 1, modules)
    else:
        sizes = even(body, modules)
        sizes[0] += 1
    result, start = [], 0
    for size in sizes:
        result.append((nn.Sequential(*blocks[start : start + size]), widths[start + size - 1]))
        start += size
    return result


def head(kind, channels, last):
    if kind == "greedy":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    outputs, stride = (2 * channels, 2) if channels < last else (channels, 1)
    return nn.Sequential(
        nn.Conv2d(channels, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(outputs, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def main():
    torch.manual_seed(1)
    blocks, widths = build_blocks(arguments.depth, arguments.width)
    local = arguments.method != "backprop"
    parts = split(blocks, widths, arguments.modules if local else 1)
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))
    heads = [head(arguments.method, width, widths[-1]) for _, width in parts[:-1]] + [classifier]
    network = nn.ModuleList([*(part for part, _ in parts), *heads])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    x = torch.randn(arguments.batch, 3, arguments.size, arguments.size)
    y = torch.randint(10, (arguments.batch,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        h = x
        for (part, _), auxiliary in zip(parts, heads):
            h = part(h.detach())
            functional.cross_entropy(auxiliary(h), y).backward()
        optimizer.step()

    times = []
    for index in range(arguments.warmup + arguments.repeats):
        start = time.perf_counter()
        step()
        if index >= arguments.warmup:
            times.append(1000 * (time.perf_counter() - start))
    print(
        json.dumps(
            {
                "framework": f"PyTorch {torch.__version__}",
                "method": arguments.method,
                "backbone": f"resnet{arguments.depth}",
                "width": arguments.width,
                "modules": len(parts),
                "blocksPerModule": [len(part) for part, _ in parts],
                "parameters": sum(parameter.numel() for parameter in network.parameters()),
                "batch": arguments.batch,
                "threads": arguments.threads,
                "stepMs": {"median": statistics.median(times), "min": min(times), "max": max(times)},
            }
        )
    )


main()
