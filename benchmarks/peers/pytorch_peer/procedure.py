"""The literal procedure: what reference implementations of local learning do in a step."""

import torch
from torch.utils.checkpoint import checkpoint


class Path:
    """One run forward through the modules of a span, and the losses at its end."""

    def __init__(self, start, end):
        self.start, self.end, self.losses = start, end, []


def paths_of(network):
    """
    The paths that end at each module, its own first. That one is run whether or not a loss stands there, unless no module
    lies in two spans (end to end, DGL): then there is nothing to repeat.
    """
    spans = {(objective.start, objective.end) for objective in network.objectives}
    modules = range(len(network.parts))
    overlap = any(sum(start <= module <= end for start, end in spans) > 1 for module in modules)
    result = []
    for module in modules:
        paths = {module: Path(module, module)}
        for objective in network.objectives:
            if objective.end == module:
                paths.setdefault(objective.start, Path(objective.start, module)).losses.append(objective)
        result.append([path for path in paths.values() if overlap or path.losses])
    return result


class LiteralStep:
    """
    A training step. For each module: every path that ends there is run forward for itself from the detached output of the
    module before it, then each of its losses is evaluated and the path is run backward; gradients add up until one SGD
    step, after which averages move. `recompute` keeps the inputs of all modules of a path but the last one alone.
    """

    def __init__(self, network, images, targets, recompute, learning_rate=0.01):
        self.network, self.images, self.targets, self.recompute = network, images, targets, recompute
        self.paths = paths_of(network)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=learning_rate, momentum=0.9, nesterov=True, weight_decay=1e-4)
        network.train()

    def forward(self, path, x):
        for module in range(path.start, path.end + 1):
            part = self.network.parts[module]
            keeps = not self.recompute or module == path.end
            x = part(x) if keeps else checkpoint(part, x, use_reentrant=False)
        return x

    def gradients(self):
        """Leaves gradients in the parameters. @returns the last loss"""
        inputs, loss = [self.images], None
        for module, paths in enumerate(self.paths):
            output, last = self.train_paths(paths, inputs)
            loss = loss if last is None else last
            inputs.append(output)
            # What no later path starts from is let go.
            later = {path.start for ending in self.paths[module + 1 :] for path in ending}
            inputs = [x if index in later else None for index, x in enumerate(inputs)]
        return loss

    def train_paths(self, paths, inputs):
        """@returns the module's detached output, and the last loss; a function of its own so that graphs end with it"""
        outputs = [self.forward(path, inputs[path.start]) for path in paths]
        loss = None
        for path, output in zip(paths, outputs):
            losses = [(entry.weight, entry.head(output, self.targets)) for entry in path.losses]
            if losses:
                sum(weight * value for weight, value in losses).backward()
                loss = losses[-1][1].detach()
        # All paths compute the same output; the first is the module's own where it has one.
        return (outputs[0].detach() if outputs else None), loss

    def update(self):
        self.optimizer.step()
        for averages, live, momentum in self.network.averages:
            with torch.no_grad():
                torch._foreach_mul_(averages, momentum)
                torch._foreach_add_(averages, live, alpha=1 - momentum)

    def launch(self):
        """@returns the last loss, which stays on the device"""
        loss = self.gradients()
        self.update()
        return loss

    def run(self):
        """@returns the last loss, as a number: the step is over when it can be read"""
        loss = self.launch()
        # Not at the start: gradients of the last step are no part of what rests.
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def resting_bytes(self):
        """Weights, averages, statistics, optimizer state and batch."""
        state = [value for slots in self.optimizer.state.values() for value in slots.values() if torch.is_tensor(value)]
        kept = [*self.network.parameters(), *self.network.buffers(), *state, self.images, *self.targets.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in kept)


class GraphStep(LiteralStep):
    """The same step, captured as a CUDA graph at its first run, and replayed from then on."""

    graph = None

    def run(self):
        if self.graph is None:
            self.capture()
        self.graph.replay()
        return self.loss.item()

    def capture(self):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        # Libraries choose their kernels, and the optimizer makes its state, before the capture.
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.launch()
                self.optimizer.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = self.launch()
