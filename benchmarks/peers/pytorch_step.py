"""Times training steps of a localgrad plan in plain PyTorch.

The plan is what `localgrad explain --json` prints: blocks, losses with the windows that they train, heads and leap chains.
Losses over several modules are trained by the literal procedure of reference code: a forward and a backward for each.

    localgrad explain --backbone resnet32 --modules 16 --method 'mlaan(greedy)' --json > plan.json
    python3 benchmarks/peers/pytorch_step.py plan.json --threads 2
    python3 benchmarks/peers/pytorch_step.py plan.json --self-check

With --serve it is a contestant of `localgrad bench step --include pytorch`: it reads the plan from the first line, greets
with one line of JSON, and answers each further line with one step's measurement.
"""

import argparse
import json
import os
import statistics
import sys
import time


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", nargs="?", default="-", help="a file, or - for standard input (default)")
    parser.add_argument("--batch", type=int, help="instead of the plan's")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ...; auto (default): cuda where it is there")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2, help="untimed steps before them, one more at least")
    parser.add_argument("--tf32", action="store_true", help="let CUDA round products to 10 bits, as PyTorch does by default")
    parser.add_argument("--compile", action="store_true", help="compile modules and heads with TorchInductor, in the warm-up")
    parser.add_argument("--channels-last", action="store_true", help="store images and filters with channels last")
    parser.add_argument("--cuda-graphs", action="store_true", help="capture a step as a CUDA graph, and replay it")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--serve", action="store_true", help="steps on request, one for each line of standard input")
    mode.add_argument("--self-check", action="store_true", help="weights against the plan, gradients against autograd")
    arguments = parser.parse_args()
    for name in ("batch", "threads", "repeats"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            parser.error(f"--{name} must be 1 or more")
    if arguments.warmup < 0:
        parser.error("--warmup must be 0 or more")
    return arguments


def without_torch():
    """Debian's python3-torch serves the system's own Python only, which need not be the first one on the path."""
    system, mark = "/usr/bin/python3", "LOCALGRAD_PEER_ON_SYSTEM_PYTHON"
    if mark not in os.environ and os.path.exists(system) and not os.path.samefile(system, sys.executable):
        os.execve(system, [system, *sys.argv], {**os.environ, mark: "1"})
    sys.exit("PyTorch is not installed: `apt-get install python3-torch` on Debian, or `pip install torch`.")


arguments = parse()
# OpenBLAS reads its thread count once, when it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)
# Threads that wait for each other in a loop are no faster on an idle machine, and tens of times slower on a busy one.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
try:
    import torch
except ImportError:
    without_torch()

# The repository stays as it is.
sys.dont_write_bytecode = True
from pytorch_peer.errors import PeerError  # noqa: E402
from pytorch_peer.memory import CudaStepBytes, cpu_step_bytes  # noqa: E402
from pytorch_peer.network import Network, weights_of  # noqa: E402
from pytorch_peer.procedure import GraphStep, LiteralStep  # noqa: E402
from pytorch_peer.self_check import check_gradients  # noqa: E402


class Contestant:
    def __init__(self, plan):
        torch.manual_seed(1)
        torch.set_num_threads(arguments.threads)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = arguments.tf32
        device = arguments.device
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        if self.device.index is not None:
            torch.cuda.set_device(self.device)
        if arguments.cuda_graphs and self.device.type != "cuda":
            raise PeerError("has no CUDA device here, which --cuda-graphs needs.")
        self.network = Network(plan).to(self.device)
        self.batch = arguments.batch or plan["batch"]
        height, width, channels = plan["image"]
        images = torch.randn(self.batch, channels, height, width, device=self.device)
        targets = {"labels": torch.randint(plan["classes"], (self.batch,), device=self.device)}
        if "images" in self.network.reads:
            targets["images"] = torch.sigmoid(images)
        if arguments.channels_last:
            self.network, images = (one.to(memory_format=torch.channels_last) for one in (self.network, images))
        if arguments.compile:
            for part in (*self.network.parts, *self.network.heads.values()):
                part.compile()
        step = GraphStep if arguments.cuda_graphs else LiteralStep
        self.procedure = step(self.network, images, targets, plan["memory"] == "recompute")
        self.is_cuda = self.device.type == "cuda"
        self.step_bytes = None
        self.is_warm = False

    def warm_up(self):
        """The optimizer's state is made by the first step. Counting bytes takes time on a CPU: one step, never a timed one."""
        self.procedure.run()
        if not self.is_cuda:
            self.step_bytes = cpu_step_bytes(self.procedure)
        self.is_warm = True

    def measure(self):
        # Not earlier: contestants of a benchmark start together, but compute in turns.
        if not self.is_warm:
            self.warm_up()
        resting = self.procedure.resting_bytes()
        start = time.perf_counter()
        if self.is_cuda:
            with CudaStepBytes() as counted:
                self.procedure.run()
                torch.cuda.synchronize()
            self.step_bytes = counted.bytes
        else:
            self.procedure.run()
        milliseconds = 1000 * (time.perf_counter() - start)
        return {"milliseconds": milliseconds, "peakBytes": resting + self.step_bytes, "stepBytes": self.step_bytes}

    def greeting(self):
        return {
            "backend": f"pytorch-{self.device.type}",
            "parameters": weights_of(self.network),
            "details": {
                "framework": f"PyTorch {torch.__version__}",
                "device": torch.cuda.get_device_name(self.device) if self.is_cuda else "cpu",
                "threads": torch.get_num_threads(),
                "compile": int(arguments.compile),
                "channelsLast": int(arguments.channels_last),
                "cudaGraphs": int(arguments.cuda_graphs),
                "tf32": int(arguments.tf32 and self.is_cuda),
                "memory": "torch.cuda.max_memory_allocated" if self.is_cuda else "PyTorch's CPU allocator",
            },
        }


def read_plan():
    text = sys.stdin.readline() if arguments.serve else (sys.stdin if arguments.plan == "-" else open(arguments.plan)).read()
    return json.loads(text)


def answer(value):
    print(json.dumps(value), flush=True)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main():
    plan = read_plan()
    contestant = Contestant(plan)
    if arguments.self_check:
        error, compared = check_gradients(contestant.procedure)
        answer({**contestant.greeting(), "gradientsCompared": compared, "maxRelativeError": error})
        # Float64: what is left are orders of summation.
        return 0 if error < 1e-9 else 1
    if arguments.serve:
        answer(contestant.greeting())
        for _ in sys.stdin:
            answer(contestant.measure())
        return 0
    measured = [contestant.measure() for _ in range(arguments.warmup + arguments.repeats)][arguments.warmup :]
    answer(
        {
            **contestant.greeting(),
            "method": plan["method"],
            "backbone": plan["backbone"],
            "modules": len(plan["modules"]),
            "batch": contestant.batch,
            "stepMs": spread([step["milliseconds"] for step in measured]),
            "peakBytes": max(step["peakBytes"] for step in measured),
            "stepBytes": max(step["stepBytes"] for step in measured),
        }
    )
    return 0


try:
    sys.exit(main())
except (PeerError, json.JSONDecodeError, KeyError, OSError) as error:
    sys.exit(f"The PyTorch peer {error}" if isinstance(error, PeerError) else f"{type(error).__name__}: {error}")
