"""Writes src/serialization/fixtures/safetensors-verdicts.json: files, whole or damaged, and whether the reference reader
(Rust, through its Python package) accepts each.

    pip install safetensors && python packages/nn/scripts/safetensors-verdicts.py
"""

import base64
import json
import pathlib
import random
import struct

import safetensors

U64 = 2**64


def packed(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype="U8", shape=(1,), offsets=(0, 1), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def entry(text, data=b"0"):
    """A header of one tensor, written by hand."""
    return packed('{"a":%s}' % text, data)


def nested(levels):
    return entry('{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":%s1%s}' % ("[" * levels, "]" * levels))


one = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
cases = {
    "no bytes": b"",
    "seven bytes": b"\0" * 7,
    "a header of no bytes": packed(b""),
    "no tensors": packed("{}"),
    "no tensors, spaces around": packed(" \t\r\n{} \n"),
    "a byte-order mark": packed("\ufeff{}"),
    "a form feed": packed("\f{}"),
    "zeros after the header": packed("{}\0"),
    "no UTF-8": packed(b'{"\xff":%s}' % one.encode(), b"0"),
    "a list": packed("[]"),
    "null": packed("null"),
    "a header length beyond the file": packed("{}", length=3),
    "a header length of 100,000,001": packed("{}", length=100_000_001),
    "a header length of 2**63": packed("{}", length=2**63),
    "metadata": packed({"__metadata__": {"a": "b"}}),
    "metadata null": packed('{"__metadata__":null}'),
    "metadata null beside a tensor": packed('{"__metadata__":null,"a":%s}' % one, b"0"),
    "metadata twice": packed('{"__metadata__":{},"__metadata__":{}}'),
    "metadata with a key twice": packed('{"__metadata__":{"a":"1","a":"2"}}'),
    "metadata with a number": packed('{"__metadata__":{"a":1}}'),
    "metadata with null": packed('{"__metadata__":{"a":null}}'),
    "metadata list": packed('{"__metadata__":[]}'),
    "metadata text": packed('{"__metadata__":"x"}'),
    "metadata as a tensor": packed('{"__metadata__":%s}' % one, b"0"),
    "an empty tensor": packed({"a": tensor(shape=[0], offsets=[0, 0])}),
    "an empty tensor after another": packed({"a": tensor(), "b": tensor(shape=[0], offsets=[1, 1])}, b"0"),
    "an empty tensor named later, lying first": packed({"b": tensor(), "a": tensor(shape=[0], offsets=[0, 0])}, b"0"),
    "an empty tensor inside another": packed({"a": tensor(shape=[2], offsets=[0, 2]), "b": tensor(shape=[0], offsets=[1, 1])}, b"00"),
    "an empty tensor beyond the end": packed({"a": tensor(shape=[0], offsets=[5, 5])}),
    "a scalar": packed({"a": tensor(shape=[])}, b"0"),
    "a hole": packed({"a": tensor(), "b": tensor(offsets=[2, 3])}, b"000"),
    "a hole at the start": packed({"a": tensor(offsets=[1, 2])}, b"00"),
    "an overlap": packed({"a": tensor(shape=[2], offsets=[0, 2]), "b": tensor(shape=[2], offsets=[1, 3])}, b"000"),
    "one range for two tensors": packed({"a": tensor(), "b": tensor()}, b"0"),
    "data after the last tensor": packed({"a": tensor()}, b"00"),
    "data without tensors": packed("{}", b"0"),
    "too little data": packed({"a": tensor(shape=[2], offsets=[0, 2])}, b"0"),
    "tensors out of order": packed({"b": tensor(offsets=[1, 2]), "a": tensor()}, b"00"),
    "a range that ends before it starts": packed({"a": tensor(offsets=[1, 0])}, b"0"),
    "a size that does not match": packed({"a": tensor(shape=[2])}, b"0"),
    "a tensor named __proto__": packed('{"__proto__":%s}' % one, b"0"),
    "a tensor named constructor": packed('{"constructor":%s}' % one, b"0"),
    "a tensor without a name": packed('{"":%s}' % one, b"0"),
    "a tensor twice": packed('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', b"00"),
    "half a surrogate pair": packed('{"a\\ud800":%s}' % one, b"0"),
    "a surrogate pair": packed('{"a\\ud83d\\ude00":%s}' % one, b"0"),
    "a control character in a name": packed('{"a\x01":%s}' % one, b"0"),
    "an escaped control character in a name": packed('{"a\\u0001":%s}' % one, b"0"),
    "a wrong escape": packed('{"a\\x":%s}' % one, b"0"),
    "a comma too many": packed('{"a":%s,}' % one, b"0"),
    "a tensor null": entry("null"),
    "a tensor without a type": entry('{"shape":[1],"data_offsets":[0,1]}'),
    "a tensor without a shape": entry('{"dtype":"U8","data_offsets":[0,1]}'),
    "a tensor with more keys": entry('{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":{"x":[null,true,1.5]}}'),
    "a type twice": entry('{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}'),
    "a further key twice": entry('{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1,"more":2}'),
    "a number out of range in a further key": entry('{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1e999}'),
    "a shape of 1.0": entry('{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}'),
    "a shape of 1e0": entry('{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}'),
    "a shape of -1": entry('{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}'),
    "a shape of -0": entry('{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}', b""),
    "a shape of 01": entry('{"dtype":"U8","shape":[01],"data_offsets":[0,1]}'),
    "a shape of '1'": entry('{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}'),
    "a shape that is a number": entry('{"dtype":"U8","shape":1,"data_offsets":[0,1]}'),
    "one offset": entry('{"dtype":"U8","shape":[1],"data_offsets":[0]}'),
    "three offsets": entry('{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}'),
    "a shape of 0 and 2**64 - 1": entry('{"dtype":"U8","shape":[0,%d],"data_offsets":[0,0]}' % (U64 - 1), b""),
    "a shape of 0 and 2**64": entry('{"dtype":"U8","shape":[0,%d],"data_offsets":[0,0]}' % U64, b""),
    "a shape that overflows before its 0": entry('{"dtype":"U8","shape":[%d,2,0],"data_offsets":[0,0]}' % (U64 - 1), b""),
    "a size in bits that overflows": entry('{"dtype":"F64","shape":[%d],"data_offsets":[0,%d]}' % (2**58, 2**61)),
    "a type that is not there": entry('{"dtype":"F99","shape":[1],"data_offsets":[0,1]}'),
    "a type in small letters": entry('{"dtype":"u8","shape":[1],"data_offsets":[0,1]}'),
    "a type that is null": entry('{"dtype":null,"shape":[1],"data_offsets":[0,1]}'),
    "half a byte": packed({"a": tensor("F4", [1], [0, 1])}, b"0"),
}
for levels in (1, 100, 125, 126, 127, 5000):
    cases[f"{levels} levels in a further key"] = nested(levels)
bits = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8}
bits |= {"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16}
bits |= {"I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64, "C128": 128, "I4": 4}
for dtype, width in bits.items():
    cases[f"type {dtype}"] = packed({"a": tensor(dtype, [8], [0, width])}, b"\0" * width)

# A file of five tensors, mutated: bytes of the header replaced, removed, inserted, doubled; numbers replaced.
whole = packed(
    {
        "__metadata__": {"format": "pt"},
        "conv1.weight": tensor("F32", [2, 1, 1, 2], [0, 16]),
        "empty": tensor("F32", [0, 3], [16, 16]),
        "fc.bias": tensor("F64", [1], [16, 24]),
        "count": tensor("I64", [], [24, 32]),
        "mask": tensor("BOOL", [4], [32, 36]),
    },
    bytes(36),
)
cases["five tensors"] = whole
generator = random.Random(1)
header, data = whole[8:-36], whole[-36:]
for index in range(400):
    mutated = bytearray(header)
    for _ in range(generator.choice((1, 1, 2))):
        at = generator.randrange(len(mutated))
        kind = generator.randrange(5)
        if kind == 0:
            mutated[at] = generator.choice(b'0123456789{}[],:"-. efEnul\\\n\t\x7f\xc3')
        elif kind == 1:
            del mutated[at]
        elif kind == 2:
            mutated.insert(at, generator.choice(b'0123456789{}[],:"-. e'))
        elif kind == 3:
            digits = [i for i, byte in enumerate(mutated) if 48 <= byte <= 57]
            mutated[generator.choice(digits)] = generator.choice(b"0123456789")
        else:
            end = min(len(mutated), at + generator.randrange(1, 40))
            mutated[at:at] = mutated[at:end]
    rest = generator.choice((data, data, data, data[:-1], data + b"0"))
    cases[f"mutation {index}"] = packed(bytes(mutated), rest)


def verdict(content):
    try:
        safetensors.deserialize(content)
        return True
    except Exception:
        return False


out = pathlib.Path(__file__).parent.parent / "src/serialization/fixtures/safetensors-verdicts.json"
lines = [
    json.dumps({"name": name, "accepted": verdict(content), "file": base64.b64encode(content).decode()})
    for name, content in cases.items()
]
out.write_text('{"reader":"safetensors %s","cases":[\n%s\n]}\n' % (safetensors.__version__, ",\n".join(lines)))
print(len(lines), "cases,", sum('"accepted": true' in line for line in lines), "accepted")
