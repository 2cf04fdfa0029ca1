"""Times training steps of plain PyTorch on the shapes of `localgrad bench step`, and prints one JSON document.

Modules are written here from the methods' descriptions: a CIFAR ResNet end to end, cut greedily (0c1f heads), and with DGL
(1c2f heads). One SGD step (Nesterov, weight decay on everything) ends each training step, as in the reference code.

    python3 benchmarks/peers/pytorch_step.py --method backprop --depth 32 --batch 64 --threads 2
"""

import argparse
import json
import os
import statistics
import sys
import time


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=["backprop", "greedy", "dgl"], default="backprop")
    parser.add_argument("--depth", type=int, default=32, help="6n + 2")
    parser.add_argument("--modules", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    arguments = parser.parse_args()
    if arguments.depth % 6 != 2 or arguments.depth < 8:
        parser.error("--depth must be 6n + 2: 8, 14, 20, 32, ...")
    blocks = 3 * (arguments.depth - 2) // 6
    if not 1 <= arguments.modules <= blocks + 1:
        parser.error(f"--modules must be 1 to {blocks + 1}")
    return arguments


arguments = parse()
# OpenBLAS reads its thread count once, when it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)
try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    sys.exit("PyTorch is not installed: `apt-get install python3-torch` on Debian, or `pip install torch`.")
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


def build_blocks(depth):
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    blocks, channels, widths = [stem], 16, [16]
    for stage, width in enumerate([16, 32, 64]):
        for index in range((depth - 2) // 6):
            blocks.append(BasicBlock(channels, width, 2 if stage > 0 and index == 0 else 1))
            channels = width
            widths.append(width)
    return blocks, widths


def split(blocks, widths, modules):
    """As even as possible; the stem counts as a block."""
    base, extra = divmod(len(blocks), modules)
    sizes = [base + (1 if index >= modules - extra else 0) for index in range(modules)]
    result, start = [], 0
    for size in sizes:
        result.append((nn.Sequential(*blocks[start : start + size]), widths[start + size - 1]))
        start += size
    return result


def head(kind, channels):
    if kind == "greedy":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    outputs, stride = (2 * channels, 2) if channels < 64 else (channels, 1)
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
    blocks, widths = build_blocks(arguments.depth)
    local = arguments.method != "backprop"
    parts = split(blocks, widths, arguments.modules if local else 1)
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    heads = [head(arguments.method, width) for _, width in parts[:-1]] + [classifier]
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
                "modules": len(parts),
                "batch": arguments.batch,
                "threads": arguments.threads,
                "stepMs": {"median": statistics.median(times), "min": min(times), "max": max(times)},
            }
        )
    )


main()
