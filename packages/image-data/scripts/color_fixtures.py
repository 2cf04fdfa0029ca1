"""Writes images whose colors have to be converted, and enlarged ones, with what PIL makes of them.

    pip install numpy pillow
    python3 packages/image-data/scripts/color_fixtures.py
"""
import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

folder = Path(__file__).parent.parent / "src" / "fixtures" / "colors"
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(11)


def swatches():
    """Saturated and gray colors, 8 by 6."""
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (100, 150, 200), (37, 37, 37), (250, 128, 3), (9, 99, 199)]
    values = np.array(colors, np.uint8)[np.newaxis].repeat(6, 0)
    return Image.fromarray(values)


def wide_gamut_profile():
    """A display profile whose red and green swap places with sRGB's: whoever applies it changes every color."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    entries = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 136 + 12 * i for i in range(count)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red : red + 8], profile[green : green + 8] = profile[green : green + 8], profile[red : red + 8]
    return bytes(profile)


def encode(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


profile = wide_gamut_profile()
files = {
    "plain.png": encode(swatches(), "PNG"),
    "profile.png": encode(swatches(), "PNG", icc_profile=profile),
    "profile.jpg": encode(swatches(), "JPEG", quality=95, icc_profile=profile),
    "cmyk.jpg": encode(swatches().convert("CMYK"), "JPEG", quality=95),
    "gray.jpg": encode(swatches().convert("L"), "JPEG", quality=95),
}
expected = {}
for name, content in files.items():
    (folder / name).write_bytes(content)
    image = Image.open(io.BytesIO(content))
    expected[name] = {mode: np.asarray(image.convert(mode)).ravel().tolist() for mode in ["RGB", "L"]}

noise = Image.fromarray(random.integers(0, 256, (9, 7, 3), np.uint8))
(folder / "noise.png").write_bytes(encode(noise, "PNG"))
sizes = {"both": (24, 20), "height": (24, 7), "width": (9, 30), "mixed": (5, 21)}
enlarged = {
    name: np.asarray(noise.resize((width, height), Image.BILINEAR)).ravel().tolist()
    for name, (height, width) in sizes.items()
}


def see_through(channels):
    """Colors that change where nothing is seen of them: whoever weights them by their transparency changes them."""
    values = np.random.default_rng(12).integers(0, 256, (12, 16, channels), np.uint8)
    values[..., -1] = np.where(np.arange(16) % 4 < 2, 0, 255)
    return values


palette = swatches().resize((16, 12), Image.BILINEAR).quantize(16)
palette.info.clear()
turned = Image.fromarray(see_through(4)[..., :3])
transparent = {
    "color.png": encode(Image.fromarray(see_through(4), "RGBA"), "PNG"),
    "color.webp": encode(Image.fromarray(see_through(4), "RGBA"), "WEBP", lossless=True, exact=True),
    "gray.png": encode(Image.fromarray(see_through(2), "LA"), "PNG"),
    "palette.png": encode(palette, "PNG", transparency=3),
    "key.png": encode(Image.fromarray(see_through(4)[..., :3]), "PNG", transparency=(0, 0, 0)),
    # PIL turns images of this format only.
    "turned.tif": encode(turned, "TIFF", tiffinfo={274: 6}),
}
shrunk = {}
for name, content in transparent.items():
    (folder / f"transparent-{name}").write_bytes(content)
    image = Image.open(io.BytesIO(content)).convert("RGB")
    small = image.resize((image.width // 2, image.height // 3), Image.BILINEAR)
    shrunk[name] = {"size": [image.height, image.width], "small": np.asarray(small).ravel().tolist()}

document = {"converted": expected, "sizes": sizes, "enlarged": enlarged, "transparent": shrunk}
(folder / "expected.json").write_text(json.dumps(document) + "\n")
