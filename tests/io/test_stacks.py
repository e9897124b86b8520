"""Stacks of every stored form give the values tifffile, numpy, h5py and zarr give."""

from __future__ import annotations

import sys
import threading
import time

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_cebra.io import inspect_stack, open_stack, stack_from_array
from napari_cebra.recording import InvalidInput

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(-400, 4000, (23, 40, 56)).astype(np.int16)


def paged(path, frames, **options):
    with tifffile.TiffWriter(path, bigtiff=options.pop("bigtiff", False)) as tif:
        for frame in frames:
            tif.write(frame, contiguous=False, metadata=None, **options)


def same_frames(path, expected, **options):
    with open_stack(path, **options) as stack:
        assert stack.shape == expected.shape
        assert stack.dtype == expected.dtype.newbyteorder("=")
        assert stack.dtype.isnative
        whole = stack.read(0, stack.n_frames)
        assert whole.dtype == stack.dtype and whole.flags.c_contiguous
        np.testing.assert_array_equal(whole, expected)
        np.testing.assert_array_equal(stack.read(5, 11), expected[5:11])
        np.testing.assert_array_equal(np.asarray(stack.lazy[-1]), expected[-1])
        np.testing.assert_array_equal(np.asarray(stack.lazy[3:9:2]), expected[3:9:2])
        assert stack.lazy.shape == expected.shape and stack.lazy.ndim == 3


WRITERS = {
    "contiguous": lambda p, f: tifffile.imwrite(p, f),
    "imagej": lambda p, f: tifffile.imwrite(
        p, f, imagej=True, metadata={"axes": "TYX"}
    ),
    "bigtiff": lambda p, f: tifffile.imwrite(p, f, bigtiff=True),
    "big-endian": lambda p, f: tifffile.imwrite(p, f, byteorder=">"),
    "one directory": lambda p, f: tifffile.imwrite(p, f, truncate=True),
    "imagej, one directory": lambda p, f: tifffile.imwrite(
        p, f, imagej=True, truncate=True, metadata={"axes": "TYX"}
    ),
    "ome": lambda p, f: tifffile.imwrite(p, f, ome=True, metadata={"axes": "TYX"}),
    "paged": paged,
    "paged bigtiff": lambda p, f: paged(p, f, bigtiff=True),
    "strips": lambda p, f: paged(p, f, rowsperstrip=16),
    "zlib": lambda p, f: tifffile.imwrite(p, f, compression="zlib"),
    "zlib strips": lambda p, f: paged(p, f, compression="zlib", rowsperstrip=16),
    "predictor": lambda p, f: paged(p, f, compression="zlib", predictor=True),
    "lzw": lambda p, f: paged(p, f, compression="lzw"),
    "zstd, big-endian": lambda p, f: tifffile.imwrite(
        p, f, compression="zstd", byteorder=">"
    ),
    "tiled": lambda p, f: paged(p, f, tile=(32, 32)),
    "tiled zlib": lambda p, f: paged(p, f, tile=(32, 32), compression="zlib"),
}


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8", "float32"])
def test_tiff_values(tmp_path, how, dtype) -> None:
    if how.startswith("imagej") and dtype == "int16":
        pytest.skip("ImageJ has no int16")
    frames = FRAMES.astype(dtype)
    path = tmp_path / "stack.tif"
    WRITERS[how](path, frames)
    np.testing.assert_array_equal(tifffile.imread(path), frames)
    same_frames(path, frames)


def test_uneven_pages_are_all_found(tmp_path) -> None:
    path = tmp_path / "uneven.tif"
    with tifffile.TiffWriter(path) as tif:
        for k, frame in enumerate(FRAMES):
            text = "frame " + "x" * (k % 5 * 100)
            tif.write(frame, contiguous=False, metadata=None, description=text)
    same_frames(path, FRAMES)


def test_one_longer_page_far_inside_an_even_file_is_found(tmp_path) -> None:
    frames = RNG.integers(0, 255, (900, 8, 8)).astype(np.uint8)
    path = tmp_path / "odd.tif"
    with tifffile.TiffWriter(path) as tif:
        for k, frame in enumerate(frames):
            text = "a stimulus came on here" * 20 if k == 613 else "frame"
            tif.write(frame, contiguous=False, metadata=None, description=text)
    same_frames(path, frames)


def test_contiguous_frames_are_mapped_and_cannot_be_written(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", FRAMES)
    with open_stack(tmp_path / "s.tif") as stack:
        assert isinstance(stack.lazy, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            stack.lazy[0, 0, 0] = 1


@pytest.mark.parametrize("axes", ["YXT", "XYT", "YTX", "XTY", "TXY"])
@pytest.mark.parametrize("store", ["npy", "tif", "zlib.tif", "h5", "zarr", "array"])
def test_any_axis_order(tmp_path, axes, store) -> None:
    stored = np.ascontiguousarray(FRAMES.transpose(["TYX".index(a) for a in axes]))
    path = tmp_path / f"s.{store}"
    if store == "array":
        stack = stack_from_array(stored, axes)
        np.testing.assert_array_equal(stack.read(0, 99), FRAMES)
        np.testing.assert_array_equal(stack.lazy[7], FRAMES[7])
        return
    if store == "npy":
        np.save(path, stored)
    elif store == "h5":
        with h5py.File(path, "w") as file:
            file["movie"] = stored
    elif store == "zarr":
        zarr.create_array(str(path), data=stored, chunks=(8, 16, 16))
    else:
        tifffile.imwrite(path, stored, compression="zlib" if "zlib" in store else None)
    same_frames(path, FRAMES, axes=axes)


@pytest.mark.parametrize("imagej", [True, False])
def test_a_channel_must_be_chosen_and_then_is_the_right_one(tmp_path, imagej) -> None:
    data = RNG.integers(0, 999, (12, 2, 20, 30)).astype(np.uint16)
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, data, imagej=imagej, metadata={"axes": "TCYX"})
    info = inspect_stack(path)
    assert (info.axes, info.to_choose) == ("TCYX", {"C": 2})
    with pytest.raises(InvalidInput, match="has 2 channels"):
        open_stack(path)
    with pytest.raises(InvalidInput, match="positions 0 to 1"):
        open_stack(path, select={"C": 2})
    for channel in (0, 1):
        same_frames(path, data[:, channel], select={"C": channel})


def test_planes_called_z_are_read_as_time_and_said(tmp_path) -> None:
    path = tmp_path / "z.tif"
    tifffile.imwrite(
        path, FRAMES.astype(np.uint16), imagej=True, metadata={"axes": "ZYX"}
    )
    info = inspect_stack(path)
    assert info.axes == "TYX"
    assert "read as time" in info.notes[0]


def test_rates_from_metadata(tmp_path) -> None:
    frames = FRAMES.astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "ij.tif", frames, imagej=True,
        metadata={"axes": "TYX", "finterval": 0.125},
    )  # fmt: skip
    tifffile.imwrite(
        tmp_path / "o.ome.tif", frames,
        metadata={"axes": "TYX", "TimeIncrement": 40.0, "TimeIncrementUnit": "ms"},
    )  # fmt: skip
    tifffile.imwrite(tmp_path / "plain.tif", frames)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["a/movie"] = frames
        file["a/movie"].attrs["fs"] = 15.5
    assert inspect_stack(tmp_path / "ij.tif").rate == 8
    assert inspect_stack(tmp_path / "o.ome.tif").rate == pytest.approx(25)
    assert inspect_stack(tmp_path / "s.h5").rate == 15.5
    assert inspect_stack(tmp_path / "plain.tif").rate is None
    with open_stack(tmp_path / "ij.tif", rate=30) as stack:
        assert stack.rate == 30
    with pytest.raises(InvalidInput, match="positive number of Hz"):
        open_stack(tmp_path / "ij.tif", rate=0)


def scanimage(path, frames, channels, **settings):
    """A mimic of ScanImage 2016 and later: settings in the Software tag."""
    said = {"SI.hChannels.channelSave": list(range(1, channels + 1))} | settings
    software = "\n".join(
        f"{key} = {'[' + ';'.join(map(str, v)) + ']' if isinstance(v, list) else v}"
        for key, v in {"SI.VERSION_MAJOR": "'2020'", **said}.items()
    )
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for k, frame in enumerate(frames):
            tif.write(
                frame, contiguous=False, metadata=None, software=software,
                description=f"frameNumbers = {k + 1}\nacqTriggerTimestamps_sec = 0",
            )  # fmt: skip


def test_scanimage_channels_are_taken_apart(tmp_path) -> None:
    pages = RNG.integers(-50, 900, (24, 16, 16)).astype(np.int16)
    path = tmp_path / "si.tif"
    scanimage(path, pages, 2, **{"SI.hRoiManager.scanFrameRate": 30.25})
    info = inspect_stack(path)
    assert (info.axes, info.shape, info.rate) == ("TCYX", (12, 2, 16, 16), 30.25)
    same_frames(path, pages[1::2], select={"C": 1})
    scanimage(path, pages, 1, **{"SI.hRoiManager.scanFrameRate": 30.25})
    same_frames(path, pages)


def test_numbered_series(tmp_path) -> None:
    ends = [0, 7, 15, 23]
    for k in range(3):
        part = FRAMES[ends[k] : ends[k + 1]]
        tifffile.imwrite(tmp_path / f"run2_{k + 8}.tif", part)
    same_frames(tmp_path, FRAMES)
    info = inspect_stack(tmp_path / "run2_8.tif")
    assert info.shape[0] == 7 and info.begins_series_of == 3
    assert "open the folder" in info.notes[-1]
    same_frames(tmp_path / "run2_8.tif", FRAMES, series=True)
    with open_stack(tmp_path / "run2_10.tif") as stack:
        np.testing.assert_array_equal(stack.read(0, 99), FRAMES[15:])


def test_series_of_single_pages_is_one_stack_from_its_first_file(tmp_path) -> None:
    for k, frame in enumerate(FRAMES):
        tifffile.imwrite(tmp_path / f"Ch1_{k + 1:06d}.tif", frame)
        tifffile.imwrite(tmp_path / f"Ch2_{k + 1:06d}.tif", frame + 1)
    same_frames(tmp_path / "Ch1_000001.tif", FRAMES)
    same_frames(tmp_path / "Ch2_000001.tif", FRAMES + 1)
    with pytest.raises(InvalidInput, match="not one numbered series"):
        open_stack(tmp_path)
    with pytest.raises(InvalidInput, match="holds one picture"):
        open_stack(tmp_path / "Ch1_000004.tif")
    (tmp_path / "Ch1_000005.tif").unlink()
    with pytest.raises(InvalidInput, match=r"misses 1 of its files \(first: number 5"):
        open_stack(tmp_path / "Ch1_000001.tif")


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
def test_one_page_files_are_checked_when_they_are_read(tmp_path, options) -> None:
    for k, frame in enumerate(FRAMES):
        tifffile.imwrite(tmp_path / f"f{k:03}.tif", frame, **options)
    same_frames(tmp_path, FRAMES)
    tifffile.imwrite(tmp_path / "f004.tif", FRAMES[0, :20], **options)
    whole = (tmp_path / "f008.tif").read_bytes()
    (tmp_path / "f008.tif").write_bytes(whole[: len(whole) // 2])
    with open_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.read(0, 4), FRAMES[:4])
        with pytest.raises(
            InvalidInput, match=r"f004\.tif does not continue its series"
        ):
            stack.read(4, 5)
        with pytest.raises(InvalidInput, match=r"f008\.tif"):
            stack.read(8, 9)
        (tmp_path / "f011.tif").unlink()
        with pytest.raises(InvalidInput, match=r"f011\.tif cannot be opened"):
            stack.read(11, 12)


def test_a_description_that_lies_about_its_pages_is_said(tmp_path) -> None:
    path = tmp_path / "s.tif"
    text = "ImageJ=1.53\nimages=99\nframes=99\n"
    with tifffile.TiffWriter(path) as tif:
        for frame in FRAMES:
            tif.write(frame, contiguous=False, metadata=None, description=text)
    assert "announces 99 planes but holds 23 pages" in inspect_stack(path).notes[0]
    same_frames(path, FRAMES)


def test_series_of_ome_files_that_share_one_description(tmp_path) -> None:
    # As Bruker writes it: one page a file, and each claims the whole series.
    for k, frame in enumerate(FRAMES):
        path = tmp_path / f"t_Cycle00001_Ch2_{k + 1:06d}.ome.tif"
        tifffile.imwrite(path, FRAMES[:1], metadata={"axes": "TYX"})
        text = tifffile.tiffcomment(path).replace('SizeT="1"', 'SizeT="23"')
        with tifffile.TiffWriter(path) as tif:
            tif.write(frame, metadata=None, description=text.encode())
    same_frames(path.with_name("t_Cycle00001_Ch2_000001.ome.tif"), FRAMES)
    same_frames(tmp_path, FRAMES)


def test_series_whose_files_differ_is_refused(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a1.tif", FRAMES)
    tifffile.imwrite(tmp_path / "a2.tif", FRAMES[:, :20])
    with pytest.raises(InvalidInput, match=r"a2.tif does not continue the series"):
        open_stack(tmp_path)
    tifffile.imwrite(tmp_path / "a2.tif", FRAMES.astype(np.float32))
    with pytest.raises(InvalidInput, match=r"a2.tif does not continue the series"):
        open_stack(tmp_path)


def test_npy_and_hdf5_and_zarr(tmp_path) -> None:
    np.save(tmp_path / "s.npy", FRAMES)
    same_frames(tmp_path / "s.npy", FRAMES)
    np.save(tmp_path / "big.npy", FRAMES.astype(">i2"))
    same_frames(tmp_path / "big.npy", FRAMES.astype(">i2"))
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.create_dataset("small", data=FRAMES[:4])
        file.create_dataset("a/movie", data=FRAMES, chunks=(4, 40, 56), compression=4)
    info = inspect_stack(tmp_path / "s.h5")
    assert info.datasets == ("a/movie", "small") and info.dataset == "a/movie"
    same_frames(tmp_path / "s.h5", FRAMES)
    with open_stack(tmp_path / "s.h5", dataset="/small") as stack:
        np.testing.assert_array_equal(stack.read(0, 9), FRAMES[:4])
    with pytest.raises(InvalidInput, match="no data set 'other'"):
        open_stack(tmp_path / "s.h5", dataset="other")
    for version in (2, 3):
        path = tmp_path / f"s{version}.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=version)
        array = group.create_array("movie", shape=FRAMES.shape, dtype="i2",
                                   chunks=(8, 20, 20))  # fmt: skip
        array[:] = FRAMES
        same_frames(path, FRAMES)


def test_named_axes_of_zarr_are_used(tmp_path) -> None:
    # minian's layout: version 2, named by xarray.
    array = zarr.create_array(
        tmp_path / "s.zarr", data=np.moveaxis(FRAMES, 0, -1).copy(), zarr_format=2,
        attributes={"_ARRAY_DIMENSIONS": ["height", "width", "frame"]},
    )  # fmt: skip
    assert array.shape == (40, 56, 23)
    assert inspect_stack(tmp_path / "s.zarr").axes == "YXT"
    same_frames(tmp_path / "s.zarr", FRAMES)


def test_arrays_already_open() -> None:
    import dask.array as da

    for array in (FRAMES, da.from_array(FRAMES, chunks=(4, 20, 20))):
        stack = stack_from_array(array, name="layer", rate=10)
        np.testing.assert_array_equal(stack.read(2, 9), FRAMES[2:9])
        np.testing.assert_array_equal(np.asarray(stack.lazy[4]), FRAMES[4])
        assert stack.source is None
    with pytest.raises(InvalidInput, match="not an array"):
        stack_from_array([1, 2, 3], name="layer")
    with pytest.raises(InvalidInput, match="holds one picture"):
        stack_from_array(FRAMES[0], "YX", name="layer")


def test_napari_shows_the_lazy_frames(tmp_path) -> None:
    from napari.components import ViewerModel

    tifffile.imwrite(tmp_path / "s.tif", FRAMES, compression="zlib")
    with open_stack(tmp_path / "s.tif") as stack:
        viewer = ViewerModel()
        layer = viewer.add_image(stack.lazy, contrast_limits=(0, 4000))
        assert layer.data is stack.lazy
        for frame in (4, 0, 22):
            viewer.dims.set_current_step(0, frame)
            assert layer.get_value((frame, 3, 2)) == FRAMES[frame, 3, 2]


# -- What is not a stack ------------------------------------------------------


def refused(path, **options) -> str:
    with pytest.raises(InvalidInput) as caught:
        open_stack(path, **options)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


def test_what_is_not_a_stack(tmp_path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, FRAMES[0])
    assert "holds one picture (40×56)" in refused(path)
    tifffile.imwrite(path, np.zeros((40, 56, 3), np.uint8), photometric="rgb")
    assert "colour picture" in refused(path)
    path.write_text("this is no picture at all")
    assert "is not a TIFF file" in refused(path)
    path.write_bytes(b"")
    assert "empty (0 bytes)" in refused(path)
    path.write_bytes(b"II*\0\x08\0\0\0" + bytes(40))
    assert "no page" in refused(path)
    path.write_bytes(b"II*\0\0\0\0\0")
    assert "no page" in refused(path)
    tifffile.imwrite(path, FRAMES.astype(np.complex64))
    assert "not pixel counts" in refused(path)
    assert "There is no file" in refused(tmp_path / "none.tif")
    (tmp_path / "notes.docx").write_text("x")
    assert "not a stack that can be read" in refused(tmp_path / "notes.docx")
    (tmp_path / "empty").mkdir()
    assert "holds no TIFF file" in refused(tmp_path / "empty")


def test_mixed_pages(tmp_path) -> None:
    path = tmp_path / "mixed.tif"
    with tifffile.TiffWriter(path) as tif:
        for size in (32, 32, 32, 48):
            tif.write(np.zeros((size, 32), np.uint8), contiguous=False, metadata=None)
    assert "different sizes (32×32 pixels, but 48×32 on page 4)" in refused(path)
    with tifffile.TiffWriter(path) as tif:
        for dtype in ("u1", "u1", "u2"):
            tif.write(np.zeros((8, 8), dtype), contiguous=False, metadata=None)
    assert "different types" in refused(path)


@pytest.mark.parametrize("how", WRITERS)
def test_truncated_tiff(tmp_path, how) -> None:
    path = tmp_path / "cut.tif"
    frames = np.abs(FRAMES).astype(np.uint16)
    WRITERS[how](path, frames)
    whole = path.read_bytes()
    for share in (0.3, 0.75, 0.98):
        path.write_bytes(whole[: int(len(whole) * share)])
        text = refused(path)
        assert any(w in text for w in ("cut short", "damaged", "not finished")), text


def test_unfinished_tiff_whose_next_page_is_not_written_yet(tmp_path) -> None:
    path = tmp_path / "running.tif"
    paged(path, FRAMES)
    with tifffile.TiffFile(path) as tif:
        last = tif.pages[-2].offset
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[: last + 20])
    assert "cut short: only its first" in refused(path)


def test_axes_that_do_not_fit(tmp_path) -> None:
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, FRAMES)
    assert "name 2 axes" in refused(path, axes="TY")
    assert "T, Y and X once each" in refused(path, axes="TTX")
    assert "T, Y and X once each" in refused(path, axes="ZYX")


def test_damaged_npy_hdf5_zarr(tmp_path) -> None:
    np.save(tmp_path / "s.npy", FRAMES)
    whole = (tmp_path / "s.npy").read_bytes()
    (tmp_path / "s.npy").write_bytes(whole[:-100])
    assert "cannot be read as an npy array" in refused(tmp_path / "s.npy")
    np.save(tmp_path / "o.npy", np.array([{}, 1], object), allow_pickle=True)
    assert "cannot be read as an npy array" in refused(tmp_path / "o.npy")
    (tmp_path / "s.h5").write_bytes(b"no hdf5 here")
    assert "cannot be read as HDF5" in refused(tmp_path / "s.h5")
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["table"] = np.zeros((5, 5))
    assert "no numeric data set with three axes" in refused(tmp_path / "t.h5")
    (tmp_path / "s.zarr").mkdir()
    (tmp_path / "s.zarr" / "zarr.json").write_text("{broken")
    assert "cannot be read as zarr" in refused(tmp_path / "s.zarr")


def test_a_file_that_shrinks_while_open_is_said(tmp_path) -> None:
    path = tmp_path / "s.tif"
    paged(path, FRAMES)
    with open_stack(path) as stack:
        stack.read(0, 2)
        with open(path, "r+b") as file:
            file.truncate(20_000)
        with pytest.raises(InvalidInput, match="ends in the middle of a frame"):
            stack.read(0, 23)


# -- Size and speed -----------------------------------------------------------

sparse = pytest.mark.skipif(
    sys.platform == "win32", reason="files are not sparse by themselves on Windows"
)


@sparse
@pytest.mark.parametrize("kind", ["tif", "npy", "imagej"])
def test_first_frame_of_a_very_large_file_comes_at_once(tmp_path, kind) -> None:
    shape = (12_000, 512, 512)  # 6.3 GB, of which the disk holds almost nothing
    path = tmp_path / ("big.npy" if kind == "npy" else "big.tif")
    if kind == "npy":
        memory = np.lib.format.open_memmap(path, "w+", np.uint16, shape)
    else:
        memory = tifffile.memmap(
            path, shape=shape, dtype=np.uint16, bigtiff=kind == "tif",
            truncate=True, imagej=kind == "imagej", metadata={"axes": "TYX"},
        )  # fmt: skip
    memory[-1, 3, 4] = 77
    memory.flush()
    del memory
    assert path.stat().st_size > 6e9
    begun = time.perf_counter()
    with open_stack(path) as stack:
        assert stack.read(0, 1).shape == (1, 512, 512)
        assert stack.shape == shape
        assert np.asarray(stack.lazy[-1])[3, 4] == 77
        assert stack.read(shape[0] - 1, shape[0])[0, 3, 4] == 77
        assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("even", [True, False])
def test_first_frame_of_many_pages_comes_at_once(tmp_path, even) -> None:
    path = tmp_path / "many.tif"
    frame = np.zeros((4, 4), np.uint16)
    with tifffile.TiffWriter(path) as tif:
        for k in range(6000):
            frame[:] = k
            text = "f" if even else "f" * (k % 7 + 4)
            tif.write(frame, contiguous=False, metadata=None, description=text)
    begun = time.perf_counter()
    with open_stack(path) as stack:
        stack.read(0, 1)
        assert time.perf_counter() - begun < 2
        np.testing.assert_array_equal(stack.read(0, 6000)[:, 2, 2], np.arange(6000))


@pytest.mark.parametrize("how", ["contiguous", "paged", "zlib"])
def test_two_threads_read_what_one_reads(tmp_path, how) -> None:
    frames = RNG.integers(0, 60000, (300, 24, 32)).astype(np.uint16)
    path = tmp_path / "s.tif"
    WRITERS[how](path, frames)
    wrong: list[int] = []
    with open_stack(path) as stack:

        def scrub(seed: int) -> None:
            for k in np.random.default_rng(seed).integers(0, 290, 150).tolist():
                same = np.array_equal(stack.read(k, k + 8), frames[k : k + 8])
                same &= np.array_equal(np.asarray(stack.lazy[k]), frames[k])
                wrong.extend([] if same else [k])

        threads = [threading.Thread(target=scrub, args=(s,)) for s in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


# -- Real recordings ----------------------------------------------------------


@pytest.mark.real_data
def test_thunder_movie(real_data) -> None:
    path = real_data / "thunder_mouse_s1" / "mouse_s1_2p_500x64x64_int16.tif"
    expected = tifffile.imread(path)
    same_frames(path, expected)
    with open_stack(path) as stack:
        assert (stack.shape, stack.dtype) == ((500, 64, 64), np.int16)
        assert stack.rate is None
        assert stack.read(0, 500).max() == 909
        assert stack.source.matches(path)
    info = inspect_stack(path.parent)
    assert info.shape == (500, 64, 64)


@pytest.mark.parametrize(
    ("left", "said"),
    [(0.5, "first 11 pages are"), (1.5 / 23, "first page is"), (0.1 / 23, "none of")],
)
def test_pages_of_a_cut_run_are_counted_by_their_pixels(tmp_path, left, said) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, FRAMES)
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[0].dataoffsets[0]
    path.write_bytes(path.read_bytes()[: start + int(left * FRAMES.nbytes)])
    assert said in refused(path)
