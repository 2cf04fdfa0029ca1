"""Writes small image files, Parquet files and archives with PIL, pyarrow, scipy and tarfile.

    pip install numpy scipy pillow pyarrow
    python3 packages/image-data/scripts/image_fixtures.py
    python3 packages/image-data/scripts/color_fixtures.py
    python3 packages/image-data/scripts/format_fixtures.py
    python3 packages/image-data/scripts/scaled_crop_fixtures.py

The expectations are what PIL decodes and resizes.
"""
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
from PIL import Image

folder = Path(__file__).parent.parent / "src" / "fixtures"
random = np.random.default_rng(7)
expected = {"images": {}, "parquet": {}, "resized": {}}


def picture(height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(3):
        phase, across, down = random.uniform(0, 6), random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2)
        planes.append(127.5 + 120 * np.sin(phase + across * columns + down * rows))
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


def encode(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def describe(image):
    values = np.asarray(image)
    return {"shape": list(values.shape), "sha256": hashlib.sha256(values.tobytes()).hexdigest()}


def write(path, content):
    path = folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def image_folder():
    files = {
        "cat/color.png": encode(picture(20, 30), "PNG"),
        "cat/photo.jpg": encode(picture(40, 56), "JPEG", quality=90),
        "cat/progressive.jpeg": encode(picture(33, 47), "JPEG", quality=75, progressive=True, subsampling=0),
        "dog/gray.png": encode(picture(24, 24).convert("L"), "PNG"),
        "dog/palette.png": encode(picture(24, 18).quantize(32), "PNG"),
        "dog/transparent.png": None,
        "dog/gray.jpg": encode(picture(32, 25).convert("L"), "JPEG", quality=95),
        # An ImageNet file of this kind has a wrong extension.
        "dog/png-in-truth.jpg": encode(picture(16, 16), "PNG"),
    }
    transparent = picture(16, 20).convert("RGBA")
    transparent.putalpha(100)
    files["dog/transparent.png"] = encode(transparent, "PNG")
    for path, content in files.items():
        image = Image.open(write(f"folder/{path}", content))
        expected["images"][path] = describe(image.convert("RGB"))


def resized():
    """A photograph as torchvision prepares it for evaluation: shorter side 48, central 32."""
    image = picture(150, 201)
    write("resize/photo.png", encode(image, "PNG"))
    small = image.resize((64, 48), Image.BILINEAR)
    top, left = round((48 - 32) / 2), round((64 - 32) / 2)
    np_values = np.asarray(small.crop((left, top, left + 32, top + 32)))
    write("resize/center-48-32.bin", np_values.tobytes())
    region = image.resize((32, 32), Image.BILINEAR, box=(20, 10, 20 + 100, 10 + 77))
    write("resize/region-32.bin", np.asarray(region).tobytes())


def parquet():
    names = ["airplane", "automobile", "bird"]
    features = {"img": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [("img", image_type), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    for compression in ["snappy", "zstd", "gzip"]:
        for part, count in [("train", 5), ("test", 2)]:
            pictures = [picture(8, 8) for _ in range(count)]
            labels = [int(label) for label in random.integers(0, 3, count)]
            rows = [{"bytes": encode(image, "PNG"), "path": f"{i}.png"} for i, image in enumerate(pictures)]
            table = pa.table({"img": pa.array(rows, image_type), "label": pa.array(labels)}, schema=schema)
            path = write(f"parquet-{compression}/{part}-00000-of-00001.parquet", b"")
            pq.write_table(table, path, compression=compression, row_group_size=2)
            read = pq.read_table(path).to_pylist()
            values = np.stack([np.asarray(Image.open(io.BytesIO(row["img"]["bytes"]))) for row in read])
            sha256 = hashlib.sha256(values.tobytes()).hexdigest()
            found = {"shape": list(values.shape), "sha256": sha256, "labels": [row["label"] for row in read]}
            expected["parquet"].setdefault(compression, {})[part] = found


def tar(files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def imagenet():
    ids = {"n01440764": 449, "n01443537": 450}
    classes, described = {}, []
    for name in ids:
        pictures = {f"{name}_{number}.JPEG": picture(12 + number, 15) for number in [2, 1]}
        encoded = {path: encode(image, "JPEG", quality=95) for path, image in pictures.items()}
        classes[f"{name}.tar"] = tar(encoded)
        for path in sorted(encoded):
            described.append({"name": path, **describe(Image.open(io.BytesIO(encoded[path])))})
    write("imagenet/ILSVRC2012_img_train.tar", tar(classes))
    test = {f"ILSVRC2012_val_0000000{i}.JPEG": encode(picture(14, 13), "JPEG") for i in [3, 1, 2]}
    write("imagenet/ILSVRC2012_img_val.tar", tar(test))
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O"), ("children", "O")]
    rows = [(float(number), name, f"fish {number}", 0.0, np.zeros((0, 0))) for name, number in ids.items()]
    rows.append((1001.0, "n00001740", "entity", 2.0, np.array([[1.0, 2.0]])))
    content = io.BytesIO()
    scipy.io.savemat(content, {"synsets": np.array(rows, kind).reshape(-1, 1)}, do_compression=True)
    kit = "ILSVRC2012_devkit_t12/data"
    truth = b"450\n449\n450\n"
    import gzip

    files = {f"{kit}/meta.mat": content.getvalue(), f"{kit}/ILSVRC2012_validation_ground_truth.txt": truth}
    write("imagenet/ILSVRC2012_devkit_t12.tar.gz", gzip.compress(tar(files), mtime=0))
    expected["imagenet"] = {"train": described, "test": [1, 0, 1]}


image_folder()
resized()
parquet()
imagenet()
(folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
