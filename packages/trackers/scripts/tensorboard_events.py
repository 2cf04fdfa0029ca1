"""TensorBoard's own code as the judge of the event files that src/tensorboard writes.

Needs TensorBoard: `pip install tensorboard`.

    python3 packages/trackers/scripts/tensorboard_events.py read FOLDER   prints what TensorBoard finds in a folder
    python3 packages/trackers/scripts/tensorboard_events.py write         writes src/tensorboard/fixtures,
                                                                             encoded by TensorBoard's own messages
"""

import base64
import bisect
import io
import json
import struct
import sys
import zlib
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import STORE_EVERYTHING_SIZE_GUIDANCE, EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter

TARGET = Path(__file__).parent.parent / "src/tensorboard/fixtures"
WALL_TIME = 1_700_000_000.25
HISTOGRAM = [-1.5, -1e-3, 0.0, 0.0, 2e-13, 0.5, 0.5001, 3.0, 1e25]
STEP = 2**40 + 7


def default_limits():
    positive = []
    limit = 1e-12
    while limit < 1e20:
        positive.append(limit)
        limit *= 1.1
    positive.append(sys.float_info.max)
    return [-limit for limit in reversed(positive)] + [0.0] + positive


def histogram(values):
    limits = default_limits()
    counts = [0.0] * len(limits)
    for value in values:
        counts[bisect.bisect_right(limits, value)] += 1
    message = HistogramProto(
        min=min(values), max=max(values), num=len(values), sum=left_to_right(values), sum_squares=left_to_right(v * v for v in values)
    )
    index = 0
    while index < len(limits):
        end, count = limits[index], counts[index]
        index += 1
        if count == 0:
            while index < len(limits) and counts[index] == 0:
                end = limits[index]
                index += 1
        message.bucket_limit.append(end)
        message.bucket.append(count)
    return message


def left_to_right(values):
    """Not `sum`, which corrects roundings since Python 3.12."""
    total = 0.0
    for value in values:
        total += value
    return total


def png():
    """2 × 3 pixels, RGB."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + bytes([row * 80, 100, 200] * 2) for row in range(3))
    header = struct.pack(">IIBBBBB", 2, 3, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write():
    image = png()
    scalars = [("loss/module0", 1.25), ("terms/module0/similarity", 0.0), ("learning-rate", 0.1)]
    events = [
        Event(wall_time=WALL_TIME, file_version="brain.Event:2"),
        Event(wall_time=WALL_TIME, step=1, session_log=SessionLog(status=SessionLog.START)),
        Event(
            wall_time=WALL_TIME,
            step=STEP,
            summary=Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]),
        ),
        Event(
            wall_time=WALL_TIME,
            summary=Summary(
                value=[
                    Summary.Value(
                        tag="module-map",
                        image=Summary.Image(height=3, width=2, colorspace=3, encoded_image_string=image),
                    )
                ]
            ),
        ),
        Event(
            wall_time=WALL_TIME,
            step=300,
            summary=Summary(value=[Summary.Value(tag="weights/stem", histo=histogram(HISTOGRAM))]),
        ),
    ]
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in events:
        writer.write(event.SerializeToString(deterministic=True))
    TARGET.mkdir(parents=True, exist_ok=True)
    golden = {
        "wallTime": WALL_TIME,
        "step": STEP,
        "scalars": [{"tag": tag, "value": value} for tag, value in scalars],
        "png": base64.b64encode(image).decode(),
        "histogram": HISTOGRAM,
        "file": base64.b64encode(buffer.getvalue()).decode(),
    }
    (TARGET / "tensorboard.json").write_text(json.dumps(golden, indent=2) + "\n")


def read(folder):
    accumulator = EventAccumulator(folder, size_guidance=STORE_EVERYTHING_SIZE_GUIDANCE)
    accumulator.Reload()
    tags = accumulator.Tags()
    found = {
        "scalars": {tag: [[e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
        "images": {
            tag: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in accumulator.Images(tag)]
            for tag in tags["images"]
        },
        "histograms": {
            tag: [
                {
                    "step": e.step,
                    "min": e.histogram_value.min,
                    "max": e.histogram_value.max,
                    "count": e.histogram_value.num,
                    "sum": e.histogram_value.sum,
                    "buckets": [
                        [limit, count]
                        for limit, count in zip(e.histogram_value.bucket_limit, e.histogram_value.bucket)
                        if count > 0
                    ],
                }
                for e in accumulator.Histograms(tag)
            ]
            for tag in tags["histograms"]
        },
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write"]:
            write()
        case ["read", folder]:
            read(folder)
        case _:
            sys.exit(__doc__)
