"""Holds the literal procedure's gradients against those of the plan's losses, one by one, by autograd alone."""

import torch

from .errors import PeerError


def check_gradients(step):
    """
    Every loss is computed by itself from the output of the module before its span, without a graph below; gradients are
    weighted and summed. @returns the largest relative difference of a parameter's gradient, and how many were compared
    """
    network = step.network.double()
    step.images = step.images.double()
    step.targets = {name: value.double() if name == "images" else value for name, value in step.targets.items()}
    # Both procedures would need the same random numbers.
    for dropout in (layer for layer in network.modules() if isinstance(layer, torch.nn.Dropout)):
        dropout.p = 0.0
    named = dict(network.named_parameters())
    step.optimizer.zero_grad(set_to_none=True)
    step.gradients()
    literal = {name: parameter.grad for name, parameter in named.items()}
    expected = {}
    for objective in network.objectives:
        with torch.no_grad():
            x = step.images
            for part in network.parts[: objective.start]:
                x = part(x)
        for part in network.parts[objective.start : objective.end + 1]:
            x = part(x)
        loss = objective.weight * objective.head(x, step.targets)
        trained = {name: parameter for name, parameter in named.items() if parameter.requires_grad}
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        for name, gradient in zip(trained, found):
            if gradient is not None:
                expected[name] = expected[name] + gradient if name in expected else gradient
    reached = {name for name, gradient in literal.items() if gradient is not None}
    if reached != expected.keys():
        raise PeerError(f"gradients reach {sorted(reached ^ expected.keys())} in one procedure, but not in the other.")
    # Some gradients are zero but for rounding: a bias before batch norm.
    smallest = 1e-6 * max(gradient.norm() for gradient in expected.values())
    differences = [
        (literal[name] - gradient).norm() / gradient.norm().clamp(min=smallest) for name, gradient in expected.items()
    ]
    return max(float(difference) for difference in differences), len(differences)
