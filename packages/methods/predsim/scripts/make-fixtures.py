"""Reference tensors of predsim's losses, from PyTorch's autograd in float64.

    python packages/methods/predsim/scripts/make-fixtures.py > packages/methods/predsim/src/fixtures/pytorch.json

The formulas are those of docs/methods/predsim.md. Tensors are stored in localgrad's layouts: feature maps [batch, height,
width, channels], convolutions [height, width, in, out], dense weights [in, out], the decoder's inputs with channels last.
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def similarities(x):
    if x.dim() == 4 and x.size(1) > 3 and x.size(2) > 1:
        x = x.flatten(2).std(dim=2)
    x = x.flatten(1)
    x = x - x.mean(dim=1, keepdim=True)
    x = x / (1e-8 + x.norm(dim=1, keepdim=True))
    return (x @ x.T).clamp(-1, 1)


def similarity_loss(x, labels, classes):
    return F.mse_loss(similarities(x), similarities(F.one_hot(labels, classes).double()))


def window(size, channels, inputs):
    rows = columns = 1
    height = width = size
    while channels * height * width > inputs and rows < size:
        rows *= 2
        height = math.ceil(size / rows)
        if channels * height * width > inputs:
            columns *= 2
            width = math.ceil(size / columns)
    padding = [k * (n - size // k) // 2 for k, n in ((rows, height), (columns, width))]
    return (rows, columns), tuple(padding)


def last(x):
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x[:, None, None, :]


def values(x):
    return [float(f"{value:.9g}") for value in x.detach().flatten().tolist()]


def loss_case(name, x, labels, classes):
    x = x.clone().requires_grad_()
    loss = similarity_loss(x, labels, classes)
    loss.backward()
    return {
        "name": name,
        "shape": list(last(x).shape),
        "labels": labels.tolist(),
        "classes": classes,
        "input": values(last(x)),
        "loss": loss.item(),
        "similarities": values(similarities(x)),
        "gradient": values(last(x.grad)),
    }


def head_case(name, x, labels, classes, inputs, beta):
    channels = x.size(1)
    x = x.clone().requires_grad_()
    is_map = x.dim() == 4
    weight = torch.randn((channels, channels, 3, 3) if is_map else (channels, channels)) * 0.3
    weight.requires_grad_()
    pooled = x
    if is_map:
        kernel, padding = window(x.size(2), channels, inputs)
        pooled = F.avg_pool2d(x, kernel, stride=kernel, padding=padding)
    flat = last(pooled).flatten(1)
    decoder = (torch.randn(classes, flat.size(1)) * 0.3).requires_grad_()
    bias = (torch.randn(classes) * 0.3).requires_grad_()
    prediction = F.cross_entropy(F.linear(flat, decoder, bias), labels)
    features = F.conv2d(x, weight, padding=1) if is_map else F.linear(x, weight)
    similarity = similarity_loss(features, labels, classes)
    loss = (1 - beta) * prediction + beta * similarity
    loss.backward()
    layout = (lambda w: w.permute(2, 3, 1, 0)) if is_map else (lambda w: w.T)
    return {
        "name": name,
        "shape": list(last(x).shape),
        "labels": labels.tolist(),
        "classes": classes,
        "decoderInputs": inputs,
        "beta": beta,
        "pooled": list(last(pooled).shape[1:]),
        "input": values(last(x)),
        "parameters": {
            "similarity.weight": values(layout(weight)),
            "decoder.weight": values(decoder.T),
            "decoder.bias": values(bias),
        },
        "loss": loss.item(),
        "prediction": prediction.item(),
        "similarity": similarity.item(),
        "gradients": {
            "input": values(last(x.grad)),
            "similarity.weight": values(layout(weight.grad)),
            "decoder.weight": values(decoder.grad.T),
            "decoder.bias": values(bias.grad),
        },
    }


def main():
    torch.manual_seed(1)
    b, c, i, j = torch.meshgrid(*(torch.arange(n) for n in (3, 4, 2, 2)), indexing="ij")
    golden = torch.sin(1.0 + 16 * b + 4 * c + 2 * i + j)
    labels = torch.tensor([0, 1, 0])
    tied = torch.tensor([[1.0, 2, 3], [3, 2, 1], [1, 0, 2]])
    flat_channel = torch.randn(4, 5, 3, 3)
    flat_channel[1, 2] = 0.5
    flat_channel[2, 0] = 0
    sparse = torch.randn(5, 6).clamp(min=0)
    sparse[3] = sparse[1]
    cases = [
        loss_case("golden map", golden, labels, 10),
        loss_case("golden map of three channels", golden[:, :3], labels, 10),
        loss_case("golden rows", tied, torch.tensor([0, 0, 3]), 10),
        loss_case("constant channels", flat_channel, torch.tensor([0, 1, 1, 2]), 3),
        loss_case("zeros, and two equal rows of different classes", sparse, torch.tensor([0, 1, 1, 2, 0]), 4),
        loss_case("one sample", torch.randn(1, 6), torch.tensor([2]), 3),
        loss_case("map of one row", torch.randn(3, 5, 1, 4), torch.tensor([0, 1, 1]), 2),
        loss_case("one class", torch.randn(3, 4), torch.tensor([0, 0, 0]), 1),
    ]
    heads = [
        head_case("map, pooled", torch.randn(4, 5, 8, 8), torch.tensor([0, 2, 2, 1]), 3, 100, 0.99),
        head_case("map, pooled with padding", torch.randn(3, 4, 7, 7), torch.tensor([0, 1, 1]), 2, 40, 0.7),
        head_case("map, not pooled", torch.randn(3, 4, 2, 2), torch.tensor([3, 1, 1]), 4, 2048, 0.99),
        head_case("vectors", torch.randn(5, 7), torch.tensor([3, 1, 1, 0, 2]), 4, 2048, 0.99),
    ]
    windows = [
        {"size": size, "channels": channels, "inputs": inputs, "window": list(window(size, channels, inputs)[0])}
        for size, channels, inputs in [(7, 4, 40), (28, 64, 1024), (14, 128, 512), (3, 512, 600), (6, 64, 512)]
    ]
    print(json.dumps({"torch": torch.__version__, "losses": cases, "heads": heads, "windows": windows}))


main()
