"""Builds what a plan describes, and holds its numbers of weights against the plan's."""

import copy

from torch import nn

from .backbone import build_blocks, output_shape
from .errors import PeerError
from .heads import build_head


class LeapBlock(nn.Module):
    """A block of a leap chain: a copy trained by gradient, an averaged one, or the sum of both."""

    def __init__(self, live, learnable, averaged):
        super().__init__()
        self.augmented = copy.deepcopy(live) if learnable else None
        self.average = copy.deepcopy(live).requires_grad_(False) if averaged else None

    def forward(self, x):
        outputs = [block(x) for block in (self.augmented, self.average) if block is not None]
        return outputs[0] if len(outputs) == 1 else outputs[0] + outputs[1]


class ChainedHead(nn.Module):
    """A head behind a leap chain."""

    def __init__(self, copies, head):
        super().__init__()
        self.chain, self.head = nn.Sequential(*copies), head

    def forward(self, x, targets):
        return self.head(self.chain(x), targets)


class Objective:
    def __init__(self, start, end, weight, head):
        self.start, self.end, self.weight, self.head = start, end, weight, head


class Network(nn.Module):
    """
    `plan`: what `localgrad explain --json` prints; `width` is that of the backbone's first stage where it is not 16.
    Raises PeerError for what cannot be built here, and where the result is not what the plan describes.
    """

    def __init__(self, plan):
        super().__init__()
        image, width = plan["image"], plan.get("width") or 16
        blocks = build_blocks(plan["backbone"], width, image)
        shapes = {reference: output_shape(reference, width, image) for reference in blocks}
        final_channels = list(shapes.values())[-1][0]
        self.parts = nn.ModuleList()
        ends = []
        for module in plan["modules"]:
            references = [tuple(reference) for reference in module["references"]]
            self.parts.append(nn.Sequential(*(blocks[reference] for reference in references)))
            ends.append(shapes[references[-1]])
            expect(f"module {module['index']}", weights_of(self.parts[-1]), module["parameters"])
        self.heads = nn.ModuleDict()
        self.objectives = []
        # (averages, live weights, momentum) of each chain whose averages move.
        self.averages = []
        # Names of the targets that the heads read.
        self.reads = set()
        for objective in plan["objectives"]:
            start, end = objective["span"]
            # nn.ModuleDict takes no dots.
            key = objective["headKey"].replace(".", "/")
            unknown = set(objective["reads"]) - {"labels", "images"}
            if unknown:
                raise PeerError(f"has no head that reads {', '.join(sorted(unknown))}, as '{objective['head']}' does.")
            self.reads.update(objective["reads"])
            if key not in self.heads:
                head = self.build_chained_head(objective, ends[end], blocks, shapes, image, final_channels, plan["classes"])
                expect(f"head '{objective['headKey']}'", weights_of(head), objective["parameters"])
                self.heads[key] = head
            self.objectives.append(Objective(start, end, objective["weight"], self.heads[key]))
        expect("the network", weights_of(self), plan["totals"]["parameters"])

    def build_chained_head(self, objective, shape, blocks, shapes, image, final_channels, classes):
        name, terms, chain = objective["head"], objective.get("terms"), objective.get("chain")
        if chain is None:
            return build_head(name, terms, shape, image, final_channels, classes)
        copies = []
        for entry in chain["blocks"]:
            reference = tuple(entry["reference"])
            live = blocks[reference]
            block = LeapBlock(live, entry["learnable"], entry["averaged"])
            if block.average is not None and chain["momentum"] < 1:
                self.averages.append((list(block.average.parameters()), list(live.parameters()), chain["momentum"]))
            copies.append(block)
            shape = shapes[reference]
        end = name[len("leap+") :] if name.startswith("leap+") else name
        return ChainedHead(copies, build_head(end, terms, shape, image, final_channels, classes))


def weights_of(module):
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def expect(what, found, wanted):
    if found != wanted:
        raise PeerError(f"built {what} with {found} weights, but the plan has {wanted}: it has an option unknown here.")
