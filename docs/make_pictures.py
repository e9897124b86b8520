"""Make the guide's pictures by driving the real window through the demo.

Run it with ``make pictures``; it takes as long as the demo does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from napari_cebra.widgets.launch import open_demo

IMAGES = Path(__file__).resolve().parent / "images"
PICTURES = {
    "3_rois": "traces",
    "4_training": "training",
    "6_decoded": "window",
    "8_error": "error",
}


def main() -> int:
    """Write the pictures; return 1 if the demo failed."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if open_demo(out=folder, screenshots=True):
            return 1
        for state, name in PICTURES.items():
            with Image.open(Path(folder, f"{state}.png")) as picture:
                # 256 colours are plenty for a window and a quarter of the bytes.
                small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
                small.save(IMAGES / f"{name}.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
