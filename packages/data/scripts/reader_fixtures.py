"""Writes small files in the original formats of the papers' data sets, with numpy, scipy and tarfile.

    pip install numpy scipy
    python3 packages/data/scripts/reader_fixtures.py

The expectations (SHA-256 of the images as height x width x channels, and the labels) are computed from what these
libraries read back, so that the readers are compared with an independent implementation.
"""
import gzip
import hashlib
import io
import json
import pickle
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse

folder = Path(__file__).parent.parent / "src" / "readers" / "fixtures"
folder.mkdir(exist_ok=True)
random = np.random.default_rng(20261126)
expected = {}


def images(count, side):
    """Smooth images with a little noise: every pixel matters, and they compress."""
    rows, columns = np.mgrid[0:side, 0:side]
    result = np.empty((count, side, side, 3), np.uint8)
    for index in range(count):
        for channel in range(3):
            slopes = random.integers(-3, 4, 2)
            plane = 128 + slopes[0] * rows + slopes[1] * columns + 31 * channel
            plane[random.integers(side), random.integers(side)] = random.integers(256)
            result[index, :, :, channel] = plane % 256
    return result


def labels(count, classes):
    return random.integers(0, classes, count)


def describe(values, targets):
    values = np.ascontiguousarray(values)
    return {
        "shape": list(values.shape),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "labels": [int(label) for label in targets],
    }


def write_tar(name, files, style=tarfile.USTAR_FORMAT):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=style) as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (folder / name).write_bytes(gzip.compress(content.getvalue(), mtime=0))


class Python2Pickler(pickle._Pickler):
    """Protocol 2 as cPickle of Python 2 wrote CIFAR: byte strings, and numpy under its old module names."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, value):
        data = value.encode("latin1") if isinstance(value, str) else value
        if len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + struct.pack("<B", len(data)) + data)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[str] = save_text
    dispatch[bytes] = save_text

    def save_global(self, value, name=None):
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[type(pickle.dumps)] = save_global
    dispatch[type] = save_global


def pickled(value, protocol):
    content = io.BytesIO()
    if protocol == "python2":
        Python2Pickler(content, 2).dump(value)
    else:
        pickle.dump(value, content, protocol)
    return content.getvalue()


def planes(values):
    return values.transpose(0, 3, 1, 2).reshape(len(values), -1)


def cifar(name, classes, key):
    train, test = images(10, 32), images(2, 32)
    train_labels, test_labels = labels(10, classes), labels(2, classes)
    names = [f"class {index}" for index in range(classes)]
    fine = classes == 100
    parts = [("test", test, test_labels, "test" if fine else "test_batch")]
    if fine:
        parts.append(("train", train, train_labels, "train"))
    else:
        for batch in range(5):
            rows = slice(2 * batch, 2 * batch + 2)
            parts.append(("train", train[rows], train_labels[rows], f"data_batch_{batch + 1}"))
    binary, binary_folder = {}, "cifar-100-binary" if fine else "cifar-10-batches-bin"
    for _, values, targets, file in parts:
        records = b"".join(
            (bytes([int(label) // 5]) if fine else b"") + bytes([int(label)]) + row.tobytes()
            for label, row in zip(targets, planes(values))
        )
        binary[f"{binary_folder}/{file}.bin"] = records
    lines = "\n".join(names) + "\n"
    binary[f"{binary_folder}/{'fine_label_names' if fine else 'batches.meta'}.txt"] = lines.encode()
    write_tar(f"{name}-binary.tar.gz", binary)
    for protocol in ["python2", 2, 4, 5]:
        python, python_folder = {}, "cifar-100-python" if fine else "cifar-10-batches-py"
        for part, values, targets, file in parts:
            content = {"batch_label": f"{part} batch", key: [int(label) for label in targets], "data": planes(values)}
            content["filenames"] = [f"{index}.png" for index in range(len(values))]
            if fine:
                content["coarse_labels"] = [int(label) // 5 for label in targets]
            python[f"{python_folder}/{file}"] = pickled(content, protocol)
        names_key = "fine_label_names" if fine else "label_names"
        meta = pickled({names_key: names, "num_vis": 3072}, protocol)
        python[f"{python_folder}/{'meta' if fine else 'batches.meta'}"] = meta
        style = tarfile.PAX_FORMAT if protocol == 4 else tarfile.GNU_FORMAT
        write_tar(f"{name}-python-{protocol}.tar.gz", python, style)
    expected[name] = {"train": describe(train, train_labels), "test": describe(test, test_labels)}


def svhn():
    for compressed in [True, False]:
        for part, count in [("train", 5), ("test", 3), ("extra", 2)]:
            path = folder / f"{part}_32x32{'' if compressed else '_plain'}.mat"
            targets = random.integers(1, 11, count)
            targets[0] = 10
            kind = np.uint8 if compressed else np.float64
            content = {"X": images(count, 32).transpose(1, 2, 3, 0), "y": targets.astype(kind).reshape(-1, 1)}
            scipy.io.savemat(path, content, do_compression=compressed)
            read = scipy.io.loadmat(path)
            key = f"svhn-{'compressed' if compressed else 'plain'}"
            found = describe(read["X"].transpose(3, 0, 1, 2), read["y"].ravel() % 10)
            expected.setdefault(key, {})[part] = found


def annotated_svhn():
    """The training file with variables of other kinds, which a reader need not understand, and labels of 64 bits."""
    content = scipy.io.loadmat(folder / "train_32x32.mat")
    others = {
        "note": "saved again",
        "source": {"url": "http://ufldl.stanford.edu/housenumbers", "version": 2.0},
        "names": np.array(["train", np.arange(3)], object),
        "weights": scipy.sparse.eye(3).tocsc(),
        "phases": np.array([1 + 2j]),
        "X": content["X"],
        "y": content["y"].astype(np.int64),
    }
    scipy.io.savemat(folder / "train_32x32_annotated.mat", others, do_compression=True)


def stl10():
    files = {}
    for part, count in [("train", 6), ("test", 4)]:
        values, targets = images(count, 96), labels(count, 10)
        # Channels, then columns, then rows.
        files[f"stl10_binary/{part}_X.bin"] = values.transpose(0, 3, 2, 1).tobytes()
        files[f"stl10_binary/{part}_y.bin"] = bytes(int(label) + 1 for label in targets)
        raw = np.frombuffer(files[f"stl10_binary/{part}_X.bin"], np.uint8).reshape(-1, 3, 96, 96)
        expected.setdefault("stl10", {})[part] = describe(raw.transpose(0, 3, 2, 1), targets)
    files["stl10_binary/class_names.txt"] = "".join(f"class {index}\n" for index in range(10)).encode()
    folds = [[int(i) for i in random.permutation(6)[:2]] for _ in range(10)]
    files["stl10_binary/fold_indices.txt"] = "".join(" ".join(map(str, fold)) + " \n" for fold in folds).encode()
    files["stl10_binary/unlabeled_X.bin"] = images(1, 96).tobytes()
    expected["stl10"]["folds"] = folds
    write_tar("stl10_binary.tar.gz", files)


def idx():
    for part, count in [("train", 4), ("t10k", 2)]:
        values, targets = images(count, 28)[..., :1], labels(count, 10)
        header = struct.pack(">IIII", 0x803, count, 28, 28)
        path = folder / f"{part}-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))
        path = folder / f"{part}-labels-idx1-ubyte.gz"
        path.write_bytes(gzip.compress(struct.pack(">II", 0x801, count) + bytes(map(int, targets)), mtime=0))
        expected.setdefault("idx", {})[part] = describe(values, targets)


cifar("cifar10", 10, "labels")
cifar("cifar100", 100, "fine_labels")
svhn()
annotated_svhn()
stl10()
idx()
expected["versions"] = {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__}
(folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
