"""Writes what OpenCV and NumPy make of images that MMSegmentation scales and distorts.

    pip install numpy opencv-python-headless
    python3 packages/image-data/scripts/scaled_crop_fixtures.py

Rows of 64 pixels fill the vectors of OpenCV's conversion to colors, which truncates; it rounds the rest of other rows.
"""
import base64
import json
from pathlib import Path

import cv2
import numpy as np

fixtures = Path(__file__).parent.parent / "src" / "fixtures"
folder = fixtures / "scaled-crops"
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(5)


def encoded(values):
    return base64.b64encode(np.ascontiguousarray(values, np.uint8).tobytes()).decode()


def linear(image, factor, addend):
    return np.clip(image.astype(np.float32) * np.float32(factor) + np.float32(addend), 0, 255).astype(np.uint8)


def in_hsv(image, change):
    converted = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    change(converted)
    return cv2.cvtColor(converted, cv2.COLOR_HSV2RGB)


def saturate(factor):
    def change(pixels):
        pixels[..., 1] = linear(pixels[..., 1], factor, 0)

    return lambda image: in_hsv(image, change)


def turn(by):
    def change(pixels):
        pixels[..., 0] = (pixels[..., 0].astype(int) + by) % 180

    return lambda image: in_hsv(image, change)


def distorted(image, brightness=None, contrast=None, isContrastFirst=False, saturation=None, hue=None):
    if brightness is not None:
        image = linear(image, 1, brightness)
    if contrast is not None and isContrastFirst:
        image = linear(image, contrast, 0)
    if saturation is not None:
        image = saturate(saturation)(image)
    if hue is not None:
        image = turn(hue)(image)
    if contrast is not None and not isContrastFirst:
        image = linear(image, contrast, 0)
    return image


# Random colors, grays, and primaries.
colors = random.integers(0, 256, (12, 64, 3), np.uint8)
colors[8] = np.arange(0, 256, 4)[:, np.newaxis]
colors[9:] = random.choice([0, 1, 128, 254, 255], (3, 64, 3))
cases = [
    dict(brightness=17.3),
    dict(brightness=-31.9),
    dict(contrast=1.37),
    dict(saturation=0.55),
    dict(saturation=1.4872),
    dict(hue=-18),
    dict(hue=17),
    dict(brightness=11.25, isContrastFirst=True, contrast=0.61, saturation=1.21, hue=7),
    dict(brightness=-8.5, contrast=1.49, saturation=0.83, hue=-3),
]

photo = cv2.cvtColor(cv2.imread(str(fixtures / "resize" / "photo.png")), cv2.COLOR_BGR2RGB)
scaled = []
for height, width in [(78, 105), (120, 161), (251, 336)]:
    top, left = 31, 52
    image = cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)[top : top + 24, left : left + 40]
    scaled.append({"resize": [height, width], "top": top, "left": left, "pixels": encoded(image)})

document = {
    "colors": encoded(colors),
    "distorted": [{"distortion": case, "pixels": encoded(distorted(colors, **case))} for case in cases],
    "crop": {"height": 24, "width": 40},
    "scaled": scaled,
}
(folder / "expected.json").write_text(json.dumps(document) + "\n")
