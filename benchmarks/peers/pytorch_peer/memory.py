"""Peak bytes of a step beyond what rests between steps."""

import torch
from torch.profiler import ProfilerActivity, profile


def cpu_step_bytes(step):
    """Highest sum of what PyTorch's CPU allocator gives out and takes back in a step: exact, temporaries included."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step.run()
    live = peak = 0
    for change in allocations(profiler):
        live += change
        peak = max(peak, live)
    return peak


def allocations(profiler):
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    clock = "start_ns" if events and hasattr(events[0], "start_ns") else "start_us"
    # A stable sort, because microseconds do not distinguish neighboring events, but their recording order does.
    return [event.nbytes() for event in sorted(events, key=lambda event: getattr(event, clock)())]


class CudaStepBytes:
    """`torch.cuda.max_memory_allocated` during a step, without what was allocated before it."""

    def __enter__(self):
        torch.cuda.reset_peak_memory_stats()
        self.before = torch.cuda.memory_allocated()
        return self

    def __exit__(self, *_):
        self.bytes = torch.cuda.max_memory_allocated() - self.before
