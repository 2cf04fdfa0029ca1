"""Golden values of PyTorch's Adam and AdamW: python3 tools/oracles/adam.py > packages/nn/src/fixtures/adam-pytorch.json"""

import json

import torch

START = [0.5, -1.0, 2.0, 0.0, 1e-3]
RATES = [0.1, 0.1, 0.05, 0.02, 0.01, 0.01]
GRADIENTS = [
    [1.0, -2.0, 0.5, 0.0, 1e-4],
    [0.5, 2.0, -0.25, 0.0, -1e-4],
    [-1.0, 0.1, 4.0, 1.0, 1e-6],
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [3.0, -1.0, -2.0, -0.5, 1e-2],
    [0.2, 0.3, 0.4, 0.5, 0.6],
]
CASES = [
    ("adam", torch.optim.Adam, {}),
    ("adam", torch.optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-3}),
    ("adam", torch.optim.Adam, {"betas": (0.0, 0.9)}),
    ("adamw", torch.optim.AdamW, {}),
    ("adamw", torch.optim.AdamW, {"weight_decay": 0.2, "betas": (0.95, 0.99), "eps": 1e-6}),
]
NAMES = {"weight_decay": "weightDecay", "eps": "epsilon"}


def run(create, options):
    weight = torch.tensor(START, dtype=torch.float32, requires_grad=True)
    optimizer = create([weight], lr=RATES[0], **options)
    weights = []
    for rate, gradient in zip(RATES, GRADIENTS):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        weights.append(weight.detach().tolist())
    return weights


cases = [
    {
        "optimizer": name,
        "options": {"learningRate": RATES[0], **{NAMES.get(key, key): value for key, value in options.items()}},
        "weights": run(create, options),
    }
    for name, create, options in CASES
]
print(json.dumps({"torch": torch.__version__.split("+")[0], "start": START, "rates": RATES, "gradients": GRADIENTS, "cases": cases}))
