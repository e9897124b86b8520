"""Damage in any stack is said in one sentence; the process lives, and stays small.

Codecs are written in C, so each kind of file is damaged in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

KINDS = (
    "zarr 2", "zarr 3", "zarr shards", "zarr zeros", "video", "raw video", "mp4",
    "miniscope", "binary", "nwb", "scanbox", "scanimage",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_stacks(tmp_path, kind) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, kind, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    assert done.stdout.strip() == "done"


def written(kind: str, folder: Path) -> tuple[Path, list[Path], dict[str, object]]:
    """Return a stack, the files that make it up, and how to open it."""
    import zarr
    from numcodecs import Blosc
    from test_stack_formats import FLYBACK, FRAMES, GREY, nwb, scanbox, scanimage, video

    frames = FRAMES[:8]
    if kind.startswith("zarr"):
        path = folder / "m.zarr"
        how = {
            "zarr 2": {"zarr_format": 2, "compressors": Blosc(cname="lz4")},
            "zarr 3": {"compressors": zarr.codecs.BloscCodec(cname="zstd")},
            "zarr shards": {
                "compressors": zarr.codecs.BloscCodec(cname="lz4"),
                "shards": (4, 20, 20),
            },
            "zarr zeros": {"zarr_format": 2, "compressors": Blosc(cname="blosclz")},
        }[kind]
        stored = np.zeros_like(frames) if kind == "zarr zeros" else frames
        how |= {"chunks": (2, 10, 10), "config": {"write_empty_chunks": True}}
        array = zarr.create_array(path, shape=frames.shape, dtype="i2", **how)
        array[:] = stored
        return path, [p for p in path.rglob("*") if p.is_file()], {}
    if kind in ("video", "raw video", "mp4"):
        path = folder / f"m.{'mp4' if kind == 'mp4' else 'avi'}"
        codec = {"video": "ffv1", "raw video": "rawvideo", "mp4": "libx264"}[kind]
        video(path, GREY[:12], codec, "yuv420p" if kind == "mp4" else "gray")
        return path, [path], {}
    if kind == "miniscope":
        for k in range(3):
            video(folder / f"{k}.avi", GREY[k * 4 : k * 4 + 4])
        rows = "".join(f"{k},{k * 40},0\n" for k in range(12))
        (folder / "timeStamps.csv").write_text("Frame,Time,Buffer\n" + rows)
        (folder / "metaData.json").write_text('{"frameRate": "15FPS"}')
        return folder / "0.avi", list(folder.iterdir()), {}
    if kind == "binary":
        path = folder / "data.bin"
        frames.tofile(path)
        settings = {"Ly": 20, "Lx": 30, "fs": 7.5, "nframes": 8}
        np.save(folder / "ops.npy", settings, allow_pickle=True)
        return path, [path, folder / "ops.npy"], {}
    if kind == "nwb":
        nwb(folder / "m.nwb", frames, dimension=(30, 20))
        return folder / "m.nwb", [folder / "m.nwb"], {}
    if kind == "scanbox":
        path = folder / "m.sbx"
        scanbox(path, np.abs(frames).astype(np.uint16))
        return path, [path, folder / "m.mat"], {}
    scanimage(folder / "m.tif", np.repeat(frames, 3, axis=0), 2, **FLYBACK)
    return folder / "m.tif", [folder / "m.tif"], {"select": {"Z": 1, "C": 1}}


def fuzz(kind: str, folder: Path) -> None:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    from conftest import EXAMPLES, damage, damaged, peak_memory
    from napari_cebra.io import open_stack, sniff
    from napari_cebra.recording import InvalidInput

    path, files, options = written(kind, folder)
    contents = {file: file.read_bytes() for file in files}

    def read() -> None:
        sniff(path)
        with open_stack(path, **options) as stack:
            stack.read(0, 1)
            np.asarray(stack.lazy[-1])
            stack.read(0, min(stack.n_frames, 40))

    read()  # The undamaged file is read.
    before = peak_memory()

    @settings(
        max_examples=2 * EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(files), damage())
    def try_one(file, steps) -> None:
        file.write_bytes(damaged(contents[file], steps))
        try:
            read()
        except InvalidInput as error:
            assert str(error).endswith(".") and "\n" not in str(error)
        finally:
            file.write_bytes(contents[file])

    try_one()
    assert peak_memory() - before < 300e6
    print("done")


@pytest.mark.parametrize(
    "codecs",
    [
        {"filters": [{"id": "pickle"}]},
        {"filters": [{"id": "delta", "dtype": "<i2"}, {"id": "pickle"}]},
        {"compressor": {"id": "pickle"}},
    ],
)
def test_chunks_that_would_run_code_are_refused(tmp_path, codecs) -> None:
    import json

    import zarr

    from napari_cebra.io import open_stack
    from napari_cebra.recording import InvalidInput

    path = tmp_path / "m.zarr"
    frames = np.zeros((4, 8, 8), np.int16)
    zarr.create_array(path, data=frames, zarr_format=2, compressors=None)
    described = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps(described | codecs))
    with pytest.raises(InvalidInput, match="pickle"):
        open_stack(path)


def test_a_zarr_shape_that_lies_is_not_believed(tmp_path) -> None:
    import zarr

    from napari_cebra.io import open_stack
    from napari_cebra.recording import InvalidInput

    for chunks in ((1, 64, 64), (1, 200_000, 200_000)):
        path = tmp_path / f"{chunks[1]}.zarr"
        shape = (10, 200_000, 200_000)
        zarr.create_array(path, shape=shape, chunks=chunks, dtype="u2")
        with pytest.raises(InvalidInput, match="no numeric data set"):
            open_stack(path)


if __name__ == "__main__":
    fuzz(sys.argv[1], Path(sys.argv[2]))
