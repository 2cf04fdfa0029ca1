"""Golden values of PyTorch's clip_grad_norm_: python3 tools/oracles/clipping.py > packages/nn/src/fixtures/clipping-pytorch.json"""

import json

import torch

START = {"matrix": [[0.5, -1.0, 2.0], [0.0, 1e-3, 0.25]], "vector": [1.0, -0.5], "scalar": [0.75]}
RATES = [0.1, 0.1, 0.05, 0.02, 0.01]
# Norms: above the limits, between them, exactly 0, below them, and far above.
GRADIENTS = [
    {"matrix": [[1.0, -2.0, 0.5], [0.0, 1e-4, 3.0]], "vector": [0.5, -1.5], "scalar": [2.0]},
    {"matrix": [[0.3, 0.1, -0.2], [0.2, -0.4, 0.1]], "vector": [0.6, 0.2], "scalar": [-0.1]},
    {"matrix": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "vector": [0.0, 0.0], "scalar": [0.0]},
    {"matrix": [[1e-3, 0.0, -2e-3], [0.0, 5e-4, 1e-3]], "vector": [1e-3, 0.0], "scalar": [0.0]},
    {"matrix": [[1e3, -2e3, 3e3], [4e3, -5e3, 6e3]], "vector": [1e2, -1e2], "scalar": [1e-2]},
]
CASES = [
    ("sgd", torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}, 1.0),
    ("sgd", torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, 0.1),
    ("sgd", torch.optim.SGD, {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}, 1e-3),
    ("adamw", torch.optim.AdamW, {"weight_decay": 0.05}, 1.0),
]
NAMES = {"weight_decay": "weightDecay"}


def run(create, options, norm):
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in START.items()}
    optimizer = create(weights.values(), lr=RATES[0], **options)
    steps = []
    for rate, gradients in zip(RATES, GRADIENTS):
        optimizer.param_groups[0]["lr"] = rate
        for name, weight in weights.items():
            weight.grad = torch.tensor(gradients[name])
        total = torch.nn.utils.clip_grad_norm_(weights.values(), norm)
        clipped = {name: weight.grad.tolist() for name, weight in weights.items()}
        optimizer.step()
        values = {name: weight.detach().tolist() for name, weight in weights.items()}
        steps.append({"norm": total.item(), "clipped": clipped, "weights": values})
    return steps


cases = [
    {
        "optimizer": name,
        "options": {"learningRate": RATES[0], **{NAMES.get(key, key): value for key, value in options.items()}},
        "norm": norm,
        "steps": run(create, options, norm),
    }
    for name, create, options, norm in CASES
]
print(json.dumps({"torch": torch.__version__.split("+")[0], "start": START, "rates": RATES, "gradients": GRADIENTS, "cases": cases}))
