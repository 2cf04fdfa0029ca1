"""Vision transformers. Between blocks, tokens are [batch, tokens, width]."""

import torch
from torch import nn
from torch.nn import functional

sizes = {"vit-tiny": (192, 3), "vit-small": (384, 6), "vit-base": (768, 12)}
epsilon = 1e-6


class PatchEmbedding(nn.Module):
    """Embeds patches, puts the class token before them, and adds positions."""

    def __init__(self, image, width, patch, has_norm):
        super().__init__()
        height, columns, channels = image
        tokens = 1 + (height // patch) * (columns // patch)
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.norm = nn.LayerNorm(width, epsilon) if has_norm else nn.Identity()
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, tokens, width) * 0.02)

    def forward(self, x):
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        return torch.cat((self.token.expand(len(x), -1, -1), x), 1) + self.positions


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inputs, self.outputs = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        query, key, value = self.inputs(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self.outputs(attended.transpose(1, 2).reshape(batch, tokens, width))


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then the same with a perceptron."""

    def __init__(self, width, heads):
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width, epsilon), Attention(width, heads))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width, epsilon), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.perceptron(x)


class ClassToken(nn.Module):
    """Class scores of the normalized class token."""

    def __init__(self, width, classes):
        super().__init__()
        self.norm, self.scores = nn.LayerNorm(width, epsilon), nn.Linear(width, classes)

    def forward(self, x):
        return self.scores(self.norm(x[:, 0]))


def vision_transformer(*, name, image, classes, width=None, heads=None, depth=12, patch=16, patchNorm=False):
    width, heads = sizes.get(name, (width, heads))
    blocks = {(0, 0): PatchEmbedding(image, width, patch, patchNorm)}
    for index in range(depth):
        blocks[(1, index)] = TransformerBlock(width, heads)
    return blocks, ClassToken(width, classes)
