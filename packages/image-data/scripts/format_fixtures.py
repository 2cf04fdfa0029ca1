"""Writes images of all kinds of pixels that the formats allow, with the colors that PIL reads from them.

    pip install numpy pillow tifffile
    python3 packages/image-data/scripts/format_fixtures.py

Gray images of 16 bits are the exception: PIL makes all values above 255 white, so numpy scales them.
"""
import hashlib
import io
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageCms

warnings.simplefilter("ignore")
folder = Path(__file__).parent.parent / "src" / "fixtures" / "formats"
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(21)
height, width = 6, 8
orientation = 274


def values(*channels, bits=8):
    return random.integers(0, 2**bits, (height, width, *channels)).astype(np.uint8 if bits <= 8 else np.uint16)


def encode(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png(values, color, bits, transparent=None, palette=None):
    """PIL writes no colors of 16 bits and no single values of transparency for them."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = values.reshape(height, -1)
    if bits < 8:
        ones = (rows[..., np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1
        rows = np.packbits(ones.reshape(height, -1), axis=1)
    data = b"".join(b"\0" + row.astype(">u2" if bits == 16 else np.uint8).tobytes() for row in rows)
    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    if palette is not None:
        parts += chunk(b"PLTE", palette.tobytes())
    if transparent is not None:
        parts += chunk(b"tRNS", transparent)
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def tiff(values, photometric, **options):
    content = io.BytesIO()
    tifffile.imwrite(content, values, photometric=photometric, metadata=None, software=None, **options)
    return content.getvalue()


def move_frame(content, left, top, size):
    """A GIF file whose frame does not cover the image."""
    content = bytearray(content)
    content[6:10] = struct.pack("<HH", *size)
    at = 13 + (3 * 2 ** ((content[10] & 7) + 1) if content[10] & 0x80 else 0)
    while content[at] == 0x21:
        at += 2
        while content[at]:
            at += content[at] + 1
        at += 1
    content[at + 1 : at + 5] = struct.pack("<HH", left, top)
    return bytes(content)


colors = Image.fromarray(values(3))
see_through = np.dstack([values(3), np.where(np.arange(width) % 4 < 2, 0, 200)[np.newaxis].repeat(height, 0)]).astype(np.uint8)
palette = colors.quantize(16)
# LZW codes of more than one length need more pixels.
large = Image.fromarray(random.integers(0, 200, (60, 70)).astype(np.uint8)).convert("P")
large.putpalette(random.integers(0, 256, 768).astype(np.uint8).tobytes())
exif = Image.Exif()
exif[orientation] = 6
wide = values(bits=16)
wide_gray = {
    "wide-gray.png": encode(Image.fromarray(wide), "PNG"),
    "wide-gray-key.png": png(wide, 0, 16, struct.pack(">H", wide[0, 0])),
    "wide-gray.tif": encode(Image.fromarray(wide), "TIFF"),
    "wide-gray-big-endian.tif": tiff(wide, "minisblack", byteorder=">"),
}
files = {
    **{f"gray-{bits}.png": png(values(bits=bits), 0, bits) for bits in [1, 2, 4]},
    "gray-key-4.png": png(values(bits=4), 0, 4, struct.pack(">H", 5)),
    "palette-2.png": png(values(bits=2), 3, 2, palette=values(3)[0, :4], transparent=bytes([0, 255, 90])),
    "wide-gray-alpha.png": png(values(2, bits=16), 4, 16),
    "wide-colors.png": png(values(3, bits=16), 2, 16),
    "wide-colors-alpha.png": png(values(4, bits=16), 6, 16),
    "turned.png": encode(colors, "PNG", exif=exif),
    "animated.png": encode(colors, "PNG", save_all=True, append_images=[Image.fromarray(values(3))]),
    "turned.jpg": encode(colors, "JPEG", exif=exif),
    "cmyk-adobe-2.jpg": encode(colors.convert("CMYK"), "JPEG").replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2"),
    "animated.webp": encode(colors, "WEBP", save_all=True, append_images=[Image.fromarray(values(3))], lossless=True),
    "plain.gif": encode(palette, "GIF", interlace=0),
    "large.gif": encode(large, "GIF", optimize=False),
    "transparent.gif": encode(palette, "GIF", transparency=3),
    "alpha.gif": encode(Image.fromarray(see_through), "GIF"),
    "animated.gif": encode(palette, "GIF", save_all=True, append_images=[Image.fromarray(values(3)).quantize(16)]),
    "small-frame.gif": move_frame(encode(palette, "GIF", interlace=0), 3, 2, (width + 5, height + 4)),
    "small-transparent-frame.gif": move_frame(encode(palette, "GIF", transparency=3), 3, 2, (width + 5, height + 4)),
    "outside.gif": move_frame(encode(palette, "GIF"), 3, 2, (width, height)),
    "gray.gif": encode(colors.convert("L"), "GIF"),
    "ycbcr.tif": encode(colors.convert("YCbCr"), "TIFF"),
    "ycbcr-turned.tif": encode(colors.convert("YCbCr"), "TIFF", tiffinfo={orientation: 6}),
    "ycbcr-jpeg.tif": encode(Image.fromarray(np.kron(values(3), np.ones((4, 4, 1), np.uint8))).convert("YCbCr"), "TIFF", compression="jpeg"),
    "cmyk.tif": encode(colors.convert("CMYK"), "TIFF"),
    "cmyk-turned.tif": encode(colors.convert("CMYK"), "TIFF", tiffinfo={orientation: 5}),
    "cmyk-wide.tif": tiff(values(4, bits=16), "separated"),
    "one-bit.tif": encode(colors.convert("1"), "TIFF", compression="group4"),
    "white-is-zero.tif": tiff(values(), "miniswhite"),
    "gray-4.tif": tiff(values(bits=4), "minisblack", bitspersample=4),
    "gray-alpha.tif": tiff(values(2), "minisblack", extrasamples=["unassalpha"], planarconfig="contig"),
    "palette.tif": encode(palette, "TIFF"),
    "colors-wide.tif": tiff(values(3, bits=16), "rgb"),
    "alpha.tif": tiff(see_through, "rgb", extrasamples=["unassalpha"]),
    "planes.tif": tiff(values(3).transpose(2, 0, 1).copy(), "rgb", planarconfig="separate"),
    "bigtiff.tif": tiff(values(3), "rgb", bigtiff=True),
}
profiles = [ImageCms.createProfile(name) for name in ["sRGB", "LAB"]]
plain_tiff = tiff(values(3), "rgb")
rejected = {
    "lab.tif": encode(ImageCms.profileToProfile(colors, *profiles, outputMode="LAB"), "TIFF"),
    "float.tif": encode(Image.fromarray(random.random((height, width)).astype(np.float32)), "TIFF"),
    "signed.tif": tiff(values(bits=15).astype(np.int16), "minisblack"),
    "twelve-bits.tif": tiff(values(bits=12), "minisblack", bitspersample=12),
    "zstandard.tif": encode(colors, "TIFF", compression="zstd"),
    "truncated.tif": encode(colors, "TIFF")[:-20],
    "subsampled.tif": tiff(values(3), "ycbcr", subsampling=(1, 1)).replace(struct.pack("<HHIHH", 530, 3, 2, 1, 1), struct.pack("<HHIHH", 530, 3, 2, 2, 2)),
    "truncated.gif": encode(large, "GIF")[:2000],
}
expected = {}
for name, content in {**files, **wide_gray}.items():
    (folder / name).write_bytes(content)
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    if name in wide_gray:
        pixels = np.rint(wide.astype(np.float64) * 255 / 65535).astype(np.uint8)[..., np.newaxis].repeat(3, 2)
    expected[name] = {"shape": list(pixels.shape), "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}
for name, content in rejected.items():
    (folder / name).write_bytes(content)
# AVIF decoders differ slightly; the pixels are stored.
frames = [Image.fromarray(np.kron(values(3), np.ones((8, 8, 1), np.uint8))) for _ in range(2)]
content = encode(frames[0], "AVIF", quality=90, subsampling="4:4:4", save_all=True, append_images=frames[1:])
(folder / "animated.avif").write_bytes(content)
first = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[::4, ::4]
document = {"formats": expected, "avif": first.ravel().tolist()}
(folder / "expected.json").write_text(json.dumps(document) + "\n")
