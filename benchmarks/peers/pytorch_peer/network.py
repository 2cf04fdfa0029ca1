"""Builds what a plan describes, and compares weights and shapes with the plan's."""

import copy

from torch import nn

from .backbones import build_backbone, shape_after
from .errors import PeerError
from .heads import ChainedHead, Classification, HeadContext, build_head


class LeapBlock(nn.Module):
    """A block of a leap chain: a copy trained by gradient, an averaged one, or the sum of both."""

    def __init__(self, live, learnable, averaged):
        super().__init__()
        self.augmented = copy.deepcopy(live) if learnable else None
        self.average = copy.deepcopy(live).requires_grad_(False) if averaged else None

    def forward(self, x):
        outputs = [block(x) for block in (self.augmented, self.average) if block is not None]
        return outputs[0] if len(outputs) == 1 else outputs[0] + outputs[1]


class Objective:
    def __init__(self, start, end, weight, head):
        self.start, self.end, self.weight, self.head = start, end, weight, head


class Network(nn.Module):
    """
    `plan`: what `localgrad explain --json` prints.
    Raises PeerError for what cannot be built here, and where the result is not what the plan describes.
    """

    def __init__(self, plan):
        super().__init__()
        image, classes = plan["image"], plan["classes"]
        backbone = build_backbone(plan["backboneConfig"], image, classes)
        self.parts = nn.ModuleList()
        ends = []
        for module in plan["modules"]:
            references = [tuple(reference) for reference in module["references"]]
            self.parts.append(nn.Sequential(*(backbone.blocks[reference] for reference in references)))
            ends.append(backbone.shapes[references[-1]])
            what = f"module {module['index']}"
            expect(what, "weights", weights_of(self.parts[-1]), module["parameters"])
            expect(what, "as output shape", channels_last(ends[-1]), tuple(module["outputShape"]))
        self.context = HeadContext(image, channels_last(ends[-1])[2], classes)
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
                if key == "classifier":
                    head = Classification(backbone.classifier)
                else:
                    head = self.build_chained_head(objective, ends[end], backbone.blocks)
                expect(f"head '{objective['headKey']}'", "weights", weights_of(head), objective["parameters"])
                self.heads[key] = head
            self.objectives.append(Objective(start, end, objective["weight"], self.heads[key]))
        expect("the network", "weights", weights_of(self), plan["totals"]["parameters"])

    def build_chained_head(self, objective, shape, blocks):
        name, terms, chain = objective["head"], objective.get("terms"), objective.get("chain")
        if chain is None:
            return build_head(name, terms, shape, self.context)
        copies = []
        for entry in chain["blocks"]:
            live = blocks[tuple(entry["reference"])]
            block = LeapBlock(live, entry["learnable"], entry["averaged"])
            if block.average is not None and chain["momentum"] < 1:
                self.averages.append((list(block.average.parameters()), list(live.parameters()), chain["momentum"]))
            copies.append(block)
            shape = shape_after(live, shape)
        end = name[len("leap+") :] if name.startswith("leap+") else name
        return ChainedHead(copies, build_head(end, terms, shape, self.context))


def weights_of(module):
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def channels_last(shape):
    """Height, width and channels of a map [channels, height, width]; tokens [tokens, width] are a map of one row."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else (1, *shape)


def expect(what, quantity, found, wanted):
    if found != wanted:
        raise PeerError(f"built {what} with {found} {quantity}, but the plan has {wanted}: it has an option unknown here.")
