"""Whole stacks on disk: as they are, once, and never over anything."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.io import open_stack, stack_from_array
from napari_cebra.io.stack_writer import write_stack
from napari_cebra.pipeline import exhaust
from napari_cebra.recording import InvalidInput


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 60000, (40, 20, 30))


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("ending", ["tif", "zarr"])
def test_what_is_written_is_read_again(frames, tmp_path, dtype, ending) -> None:
    stack = stack_from_array(frames.astype(dtype), "TYX", "made", 12.5)
    path = exhaust(write_stack(tmp_path / f"a.{ending}", stack))
    with open_stack(path) as again:
        assert (again.shape, again.dtype, again.rate) == ((40, 20, 30), dtype, 12.5)
        np.testing.assert_array_equal(again.read(0, 40), frames.astype(dtype))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["tif", "zarr"])
def test_cancelling_leaves_nothing(frames, tmp_path, ending) -> None:
    work = write_stack(tmp_path / f"a.{ending}", stack_from_array(frames, "TYX"))
    next(work)
    assert len(list(tmp_path.iterdir())) == 1  # under another name
    work.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["tif", "zarr"])
def test_nothing_is_written_over(frames, tmp_path, ending) -> None:
    (tmp_path / f"raw.{ending}").write_bytes(b"raw data")
    stack = stack_from_array(frames, "TYX")
    with pytest.raises(InvalidInput, match="no movie is ever written over"):
        exhaust(write_stack(tmp_path / f"raw.{ending}", stack))
    assert (tmp_path / f"raw.{ending}").read_bytes() == b"raw data"
