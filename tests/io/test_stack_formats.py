"""Every format gives the frames that were written, and says what it found."""

from __future__ import annotations

import json
import sys
import types
import uuid
from fractions import Fraction

import av
import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_cebra.io import inspect_stack, open_stack, sniff
from napari_cebra.io.binary import BinaryLayout, registered_movie
from napari_cebra.recording import InvalidInput

RNG = np.random.default_rng(2)
FRAMES = RNG.integers(-400, 4000, (24, 20, 30)).astype(np.int16)
GREY = RNG.integers(0, 255, (26, 32, 48)).astype(np.uint8)


def same(path, expected, **options):
    with open_stack(path, **options) as stack:
        assert stack.shape == expected.shape
        assert stack.dtype == expected.dtype
        np.testing.assert_array_equal(stack.read(0, stack.n_frames), expected)
        np.testing.assert_array_equal(stack.read(5, 11), expected[5:11])
        np.testing.assert_array_equal(np.asarray(stack.lazy[-1]), expected[-1])
        np.testing.assert_array_equal(np.asarray(stack.lazy[3]), expected[3])


def refused(path, **options) -> str:
    with pytest.raises(InvalidInput) as caught:
        open_stack(path, **options)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


# -- TIFF ---------------------------------------------------------------------


def scanimage(path, frames, channels=1, stamps=None, **settings):
    said = {"SI.hChannels.channelSave": list(range(1, channels + 1))} | settings
    software = "\n".join(
        f"{key} = {'[' + ';'.join(map(str, v)) + ']' if isinstance(v, list) else v}"
        for key, v in {"SI.VERSION_MAJOR": "'2020'", **said}.items()
    )
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for k, frame in enumerate(frames):
            said = None if stamps is None else f"frameTimestamps_sec = {stamps[k]:.6f}"
            tif.write(
                frame, contiguous=False, metadata=None, software=software,
                description=said,
            )  # fmt: skip


FLYBACK = {
    "SI.hRoiManager.scanFrameRate": 30,
    "SI.hRoiManager.scanVolumeRate": 6,
    "SI.hFastZ.enable": "true",
    "SI.hStackManager.numSlices": 4,
    "SI.hFastZ.numFramesPerVolume": 5,
}


def test_scanimage_frames_of_the_flyback_are_planes_of_their_own(tmp_path) -> None:
    pages = RNG.integers(-50, 900, (120, 8, 10)).astype(np.int16)
    path = tmp_path / "fly.tif"
    # 120 pages divide by 4 planes too, which would shift all of them.
    scanimage(path, pages, 2, **FLYBACK)
    info = inspect_stack(path)
    assert (info.axes, info.shape, info.rate) == ("TZCYX", (12, 5, 2, 8, 10), 6)
    assert "The last 1 of 5 planes" in info.notes[0]
    expected = pages.reshape(12, 5, 2, 8, 10)[:, 2, 1]
    same(path, expected, select={"Z": 2, "C": 1})


def test_whether_the_flyback_was_written_is_told_by_the_time_stamps(tmp_path) -> None:
    pages = RNG.integers(-50, 900, (120, 8, 10)).astype(np.int16)
    path = tmp_path / "fly.tif"
    said = FLYBACK | {"SI.hFastZ.discardFlybackFrames": "true"}
    frame = np.arange(120) // 2
    # Nothing was discarded, whatever the setting says.
    scanimage(path, pages, 2, stamps=frame / 30, **said)
    assert inspect_stack(path).shape == (12, 5, 2, 8, 10)
    # Every fifth frame is missing.
    scanimage(path, pages, 2, stamps=(frame + frame // 4) / 30, **said)
    assert inspect_stack(path).shape == (15, 4, 2, 8, 10)
    expected = pages.reshape(15, 4, 2, 8, 10)[:, 3, 0]
    same(path, expected, select={"Z": 3, "C": 0})
    # Without time stamps, the number of volumes tells.
    scanimage(path, pages, 2, **said, **{"SI.hFastZ.numVolumes": 15})
    assert inspect_stack(path).shape == (15, 4, 2, 8, 10)
    scanimage(path, pages, 2, **said, **{"SI.hFastZ.numVolumes": 12})
    assert inspect_stack(path).shape == (12, 5, 2, 8, 10)


def test_scanimage_of_2020_and_later(tmp_path) -> None:
    pages = RNG.integers(-50, 900, (70, 8, 10)).astype(np.int16)
    path = tmp_path / "new.tif"
    said = {
        "SI.hStackManager.enable": "true", "SI.hStackManager.stackMode": "'fast'",
        "SI.hStackManager.numSlices": 11, "SI.hStackManager.actualNumSlices": 3,
        "SI.hStackManager.framesPerSlice": 2, "SI.hRoiManager.scanVolumeRate": 4.5,
        "SI.hStackManager.numFramesPerVolume": 6,
        "SI.hStackManager.numFramesPerVolumeWithFlyback": 7,
    }  # fmt: skip
    scanimage(path, pages, 1, **said)
    info = inspect_stack(path)
    assert (info.axes, info.shape, info.rate) == ("TZYX", (10, 7, 8, 10), 4.5)
    assert "3 planes was recorded 2 times" in info.notes[0]
    assert "The last 1 of 7 planes" in info.notes[0]
    same(path, pages[4::7], select={"Z": 4})
    off = said | {"SI.hStackManager.enable": "false"}
    scanimage(path, pages, 1, **off)  # what is left over from before does not count
    assert inspect_stack(path).axes == "TYX"


def test_scanimage_stopped_in_the_middle_keeps_its_channels_apart(tmp_path) -> None:
    pages = RNG.integers(-50, 900, (59, 8, 10)).astype(np.int16)
    path = tmp_path / "stopped.tif"
    scanimage(path, pages, 2)
    info = inspect_stack(path)
    assert (info.axes, info.shape) == ("TCYX", (29, 2, 8, 10))
    assert "The last 1 of 59 pages" in info.notes[0]
    same(path, pages[1:58:2], select={"C": 1})


def test_scanimage_frames_may_begin_in_one_file_and_end_in_the_next(tmp_path) -> None:
    pages = RNG.integers(-50, 900, (59, 8, 10)).astype(np.int16)
    for k, (start, stop) in enumerate([(0, 21), (21, 42), (42, 59)]):
        part = pages[start:stop]
        scanimage(tmp_path / f"run_{k + 1:05}.tif", part, 2,
                  **{"SI.hRoiManager.mroiEnable": 1})  # fmt: skip
    same(tmp_path, pages[1:58:2], select={"C": 1})
    fields, left = inspect_stack(tmp_path).notes
    assert "mROI" in fields
    assert left == (
        "The last 1 of 59 pages are of a frame of 2 pages (channels × planes) that was "
        "not finished; they are left out."
    )


def test_scanimage_slow_stack_and_fields_and_pixels(tmp_path) -> None:
    pages = RNG.integers(-50, 900, (60, 8, 10)).astype(np.int16)
    path = tmp_path / "slow.tif"
    scanimage(
        path, pages, 1,
        **{"SI.hStackManager.enable": "true", "SI.hStackManager.numSlices": 4,
           "SI.hStackManager.framesPerSlice": 15,
           "SI.hRoiManager.imagingFovUm": "[-50 -20;50 -20;50 20;-50 20]"},
    )  # fmt: skip
    info = inspect_stack(path)
    assert (info.axes, info.shape) == ("ZTYX", (4, 15, 8, 10))
    assert info.pixel_um == (5, 10)
    same(path, pages[15:30], select={"Z": 1})
    scanimage(path, pages, 1, **{"SI.hRoiManager.mroiEnable": 1})
    assert "mROI" in inspect_stack(path).notes[0]
    same(path, pages)


@pytest.mark.parametrize("first", [0, 1])
def test_ome_stack_over_several_files(tmp_path, first) -> None:
    data = RNG.integers(0, 999, (6, 2, 20, 30)).astype(np.uint16)
    ids = [f"urn:uuid:{uuid.uuid4()}" for _ in range(2)]
    places = "".join(
        f'<TiffData IFD="{k % 6}" FirstC="{k % 2}" FirstT="{k // 2}" FirstZ="0" '
        f'PlaneCount="1"><UUID FileName="m_{k // 6}.ome.tif">{ids[k // 6]}</UUID>'
        "</TiffData>"
        for k in range(12)
    )
    channels = "".join(f'<Channel ID="Channel:0:{c}"/>' for c in range(2))
    for number in range(2):
        text = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
            f'OME/2016-06" UUID="{ids[number]}"><Image ID="Image:0"><Pixels ID="P:0" '
            'DimensionOrder="XYCZT" Type="uint16" SizeX="30" SizeY="20" SizeC="2" '
            'SizeZ="1" SizeT="6" PhysicalSizeX="1.2" PhysicalSizeY="1300" '
            f'PhysicalSizeYUnit="nm">{channels}{places}</Pixels></Image></OME>'
        )
        with tifffile.TiffWriter(tmp_path / f"m_{number}.ome.tif") as tif:
            for k in range(6):
                tif.write(
                    data.reshape(12, 20, 30)[number * 6 + k], contiguous=False,
                    metadata=None, description=None if k else text.encode(),
                )  # fmt: skip
    path = tmp_path / f"m_{first}.ome.tif"
    np.testing.assert_array_equal(tifffile.imread(path), data)
    info = inspect_stack(path)
    assert (info.axes, info.shape) == ("TCYX", data.shape)
    assert info.n_files == 2
    assert info.pixel_um == pytest.approx((1.3, 1.2))
    for place in (path, tmp_path):
        with open_stack(place, select={"C": 1}) as stack:
            np.testing.assert_array_equal(stack.read(0, 6), data[:, 1])
    (tmp_path / "m_1.ome.tif").unlink()
    assert "other files are missing" in refused(tmp_path / "m_0.ome.tif")


@pytest.mark.parametrize(
    "axes", ["TYX", "ZYX", "CYX", "TCYX", "ZCYX", "TZYX", "CTYX", "TZCYX", "ZTCYX"]
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome_axes_are_those_of_tifffile(tmp_path, axes, compression) -> None:
    lengths = [{"T": 6, "C": 2, "Z": 3, "Y": 8, "X": 10}[axis] for axis in axes]
    data = RNG.integers(0, 999, lengths).astype(np.uint16)
    path = tmp_path / "m.ome.tif"
    tifffile.imwrite(path, data, metadata={"axes": axes}, compression=compression)
    with tifffile.TiffFile(path) as tif:
        order, stored = tif.series[0].axes, tif.asarray()
    info = inspect_stack(path)
    assert info.shape == stored.shape
    if "T" in axes:
        assert info.axes == order
        select = {axis: 1 for axis in axes if axis in "CZ"}
        key = tuple(1 if axis in "CZ" else slice(None) for axis in order)
        with open_stack(path, select=select) as stack:
            np.testing.assert_array_equal(stack.read(0, 6), stored[key])
    else:  # what changes is read as time
        assert info.axes == order.replace("Z" if "Z" in axes else "C", "T")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"images=24", b"images=-4"), (b"images=24", b"images=99"),
     (b"frames=24", b"frames=xx"), (b"hyperstack=true", b"hyperstack=\xff\xfe\xfde"),
     (b"ImageJ=1.11a", b"ImageJ=\0\0\0\0\0")],
)  # fmt: skip
def test_corrupt_imagej_metadata_costs_no_frame(tmp_path, old, new) -> None:
    frames = FRAMES.astype(np.uint16)
    path = tmp_path / "ij.tif"
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX"})
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, new))
    same(path, frames)


def test_imagej_pixel_size(tmp_path) -> None:
    for unit, size in (("um", (0.5, 0.25)), ("mm", (500, 250)), ("inch", None)):
        tifffile.imwrite(
            tmp_path / "ij.tif", FRAMES.astype(np.uint16), imagej=True,
            resolution=(4, 2), metadata={"axes": "TYX", "unit": unit},
        )  # fmt: skip
        assert inspect_stack(tmp_path / "ij.tif").pixel_um == size
    with open_stack(tmp_path / "ij.tif", pixel_um=(1, 2)) as stack:
        assert stack.pixel_um == (1, 2)
    with pytest.raises(InvalidInput, match="two positive numbers of µm"):
        open_stack(tmp_path / "ij.tif", pixel_um=(0, 2))


def test_a_channel_that_is_not_there_is_not_taken_for_the_only_one(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", FRAMES)
    same(tmp_path / "one.tif", FRAMES, select={"C": 0})
    assert "has only one channel" in refused(tmp_path / "one.tif", select={"C": 1})


# -- Binary -------------------------------------------------------------------


def test_suite2p_binary_beside_its_settings(tmp_path) -> None:
    path = tmp_path / "data.bin"
    FRAMES.tofile(path)
    settings = {"Ly": 20, "Lx": 30, "fs": 7.5, "nframes": 24}
    np.save(tmp_path / "ops.npy", settings, allow_pickle=True)
    info = inspect_stack(path)
    assert (info.shape, info.rate, info.dataset) == ((24, 20, 30), 7.5, "int16 20x30")
    assert sniff(path).kind == "stack"
    same(path, FRAMES)
    assert registered_movie(tmp_path, (20, 30), 24) == (
        path,
        BinaryLayout("int16", 20, 30),
    )
    assert registered_movie(tmp_path, (20, 30), 23) is None
    path.write_bytes(path.read_bytes()[:-7])
    assert "not hold a whole number of frames" in refused(path)
    assert registered_movie(tmp_path, (20, 30), 24) is None


@pytest.mark.parametrize("stored", ["int16", "uint16", "uint8", "float32", ">i2"])
def test_binary_of_a_given_layout(tmp_path, stored) -> None:
    frames = np.abs(FRAMES).astype(stored)
    path = tmp_path / "movie.raw"
    path.write_bytes(b"h" * 64 + frames.tobytes())
    expected = frames.astype(np.dtype(stored).newbyteorder("="))
    same(path, expected, dataset=f"{stored} 20x30+64")
    assert "does not say the size of its frames" in refused(path)
    assert "bytes are left over" in refused(path, dataset=f"{stored} 20x30")
    assert "described by type, rows and columns" in refused(path, dataset="20x30")
    assert "out of range" in refused(path, dataset="int16 0x30")
    assert "use the axes TYX" in refused(path, dataset=f"{stored} 20x30+64", axes="YXT")


# -- Video --------------------------------------------------------------------


def video(path, frames, codec="ffv1", pixels="gray", rate=20):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        kind = {2: "gray16le", 1: "gray"}[frames.itemsize]
        kind = "rgb24" if frames.ndim == 4 else kind
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format=kind)
            container.mux(stream.encode(picture.reformat(format=pixels)))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("ffv1", "gray"),
        ("ffv1", "gray16le"),
        ("rawvideo", "gray"),
        ("rawvideo", "bgr24"),
    ],
)
def test_lossless_video_as_a_stack(tmp_path, codec, pixels) -> None:
    frames = GREY.astype(np.uint16) * 200 if pixels == "gray16le" else GREY
    video(tmp_path / "m.avi", frames, codec, pixels)
    same(tmp_path / "m.avi", frames)
    assert inspect_stack(tmp_path / "m.avi").rate == 20
    found = sniff(tmp_path / "m.avi")
    assert (found.kind, found.also) == ("movie", ("stack",))
    assert "pictures of a video" in refused(tmp_path / "m.avi", axes="YXT")


def test_lossy_video_gives_what_ffmpeg_decodes(tmp_path) -> None:
    path = tmp_path / "m.mp4"
    video(path, GREY, "libx264", "yuv420p")
    with av.open(str(path)) as container:
        decoded = [f.to_ndarray(format="gray") for f in container.decode(video=0)]
    same(path, np.stack(decoded))
    colours = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)
    video(path, colours, "libx264", "yuv420p")
    assert inspect_stack(path).notes == (
        "The video is in colour; its brightness is read.",
    )


def miniscope_3(folder, numbers=range(1, 12)):
    ends = np.minimum(np.arange(12) * 2, 26)
    ends[-1] = 26
    for k in numbers:
        video(folder / f"msCam{k}.avi", GREY[ends[k - 1] : ends[k]])
    video(folder / "behavCam1.avi", GREY[:5, :20, :20])
    rows = [f"0\t{k}\t{k * 33}\t1" for k in range(5)]
    rows += [f"1\t{k}\t{k * 50}\t1" for k in range(26)]
    text = "\n".join(["camNum\tframeNum\tsysClock\tbuffer", *rows])
    (folder / "timestamp.dat").write_text(text)


def test_miniscope_files_are_one_recording_in_the_order_of_their_numbers(
    tmp_path,
) -> None:
    miniscope_3(tmp_path)
    first = tmp_path / "msCam1.avi"
    for path in (first, tmp_path):
        same(path, GREY)
        info = inspect_stack(path)
        assert (info.n_files, info.rate) == (11, 20)
        assert "timestamp.dat" in info.notes[0]
        assert sniff(path).kind == "stack"
    assert inspect_stack(first, series=False).shape[0] == 2
    assert inspect_stack(tmp_path / "msCam2.avi").shape[0] == 2
    with open_stack(first) as stack:
        source = stack.source
    assert source.series and source.matches(first)
    (tmp_path / "msCam4.avi").unlink()
    assert "misses 1 of its files (first: number 4)" in refused(first)
    video(tmp_path / "msCam4.avi", GREY[:2, :20])
    assert "msCam4.avi does not continue its series" in refused(first)
    (tmp_path / "msCam4.avi").write_bytes(b"RIFF nothing")
    assert "msCam4.avi cannot be read as a video" in refused(first)


def test_a_later_video_with_fewer_frames_than_its_header_says_is_told(tmp_path) -> None:
    for k in range(3):
        video(tmp_path / f"{k}.avi", GREY[k * 8 : k * 8 + 8], "rawvideo")
    whole = (tmp_path / "2.avi").read_bytes()
    (tmp_path / "2.avi").write_bytes(whole[: len(whole) // 2])
    with open_stack(tmp_path / "0.avi") as stack:
        np.testing.assert_array_equal(stack.read(0, 16), GREY[:16])
        with pytest.raises(InvalidInput, match=r"2\.avi"):
            stack.read(14, 18)


def test_clock_of_miniscope_4(tmp_path) -> None:
    for k in range(2):
        video(tmp_path / f"{k}.avi", GREY[k * 13 : k * 13 + 13])
    (tmp_path / "metaData.json").write_text(json.dumps({"frameRate": "15FPS"}))
    assert inspect_stack(tmp_path / "0.avi").rate == 15
    rows = "".join(f"{k},{k * 40},0\n" for k in range(26))
    head = "Frame Number,Time Stamp (ms),Buffer Index\n"
    (tmp_path / "timeStamps.csv").write_text(head + rows)
    assert inspect_stack(tmp_path / "0.avi").rate == 25
    (tmp_path / "timeStamps.csv").write_text(head + "0,x,0\n" + rows[:20])
    (tmp_path / "metaData.json").write_text("{")
    assert inspect_stack(tmp_path / "0.avi").rate == 20


# -- NWB, HDF5, zarr ----------------------------------------------------------


def nwb(path, data, dimension=None, rate=12.5, external=None):
    with h5py.File(path, "w") as file:
        file.attrs.update(nwb_version="2.6.0", neurodata_type="NWBFile")
        series = file.create_group("acquisition/movie")
        series.attrs["neurodata_type"] = "TwoPhotonSeries"
        series["data"] = data
        series.create_dataset("starting_time", data=0.0).attrs["rate"] = rate
        if dimension is not None:
            series["dimension"] = np.array(dimension, np.int32)
        if external is not None:
            series["external_file"] = [external]
        plane = file.create_group("general/optophysiology/plane")
        plane["imaging_rate"] = 8.0
        spacing = plane.create_dataset("grid_spacing", data=[2e-6, 3e-6])
        spacing.attrs["unit"] = "meters"
        series["imaging_plane"] = h5py.SoftLink(plane.name)
        # A larger array, that is no movie.
        file["processing/masks/image_mask"] = np.zeros((50, 40, 40), np.float32)


def test_nwb_movie(tmp_path) -> None:
    path = tmp_path / "m.nwb"
    nwb(path, FRAMES.transpose(0, 2, 1))
    info = inspect_stack(path)
    assert (info.kind, info.axes, info.shape) == ("nwb", "TXY", (24, 30, 20))
    assert info.dataset == "acquisition/movie/data"
    assert info.rate == 12.5
    assert info.pixel_um == pytest.approx((3, 2))
    assert sniff(path).kind == "stack"
    same(path, FRAMES)
    nwb(path, FRAMES, dimension=(30, 20), rate=0.0)
    assert "stored as (y, x)" in inspect_stack(path).notes[0]
    assert inspect_stack(path).rate == 8
    same(path, FRAMES)
    nwb(path, np.zeros((0, 0, 0), np.uint8), external="raw/movie_1.tif")
    assert "in another file, raw/movie_1.tif" in refused(path)
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
    assert "without a movie" in refused(path)


def test_scales_of_hdf5_and_of_ome_zarr(tmp_path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["m"] = FRAMES
        file["m"].attrs["element_size_um"] = [1.0, 0.5, 0.7]
    assert inspect_stack(tmp_path / "m.h5").pixel_um == (0.5, 0.7)
    group = zarr.open_group(tmp_path / "m.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=FRAMES, chunks=(4, 10, 10))
    group.create_array("1", data=FRAMES[:, ::2, ::2], chunks=(4, 10, 10))
    units = [("t", "millisecond"), ("y", "micrometer"), ("x", "micrometer")]
    group.attrs["multiscales"] = [{
        "axes": [{"name": name, "unit": unit} for name, unit in units],
        "datasets": [{"path": "0", "coordinateTransformations": [
            {"type": "scale", "scale": [40, 0.5, 0.25]}]}],
    }]  # fmt: skip
    info = inspect_stack(tmp_path / "m.zarr")
    assert (info.axes, info.rate, info.pixel_um) == ("TYX", 25, (0.5, 0.25))
    assert info.datasets == ("0", "1")
    same(tmp_path / "m.zarr", FRAMES)


@pytest.mark.parametrize("axis", [0, -1])
def test_channels_of_an_unnamed_array_are_not_taken_for_frames(tmp_path, axis) -> None:
    data = np.stack([FRAMES, FRAMES + 1], axis=axis)
    np.save(tmp_path / "m.npy", data)
    info = inspect_stack(tmp_path / "m.npy")
    assert info.to_choose == {"C": 2}
    same(tmp_path / "m.npy", FRAMES + 1, select={"C": 1})


# -- Scanbox ------------------------------------------------------------------


def scanbox(path, frames, channels=2, scanmode=1, **more):
    from scipy.io import savemat

    (65535 - frames).astype("<u2").tofile(path)
    info = {
        "channels": channels, "scanmode": scanmode, "resfreq": 7930, "sz": [20, 30],
        "recordsPerBuffer": 20 if scanmode else 10, "scanbox_version": 2,
    }  # fmt: skip
    savemat(path.with_suffix(".mat"), {"info": info | more})


def test_scanbox(tmp_path) -> None:
    frames = np.abs(FRAMES).astype(np.uint16)
    path = tmp_path / "m.sbx"
    scanbox(path, frames)
    assert inspect_stack(path).rate == 7930 / 20
    same(path, frames)
    scanbox(path, frames, scanmode=0)
    assert inspect_stack(path).rate == 2 * 7930 / 20
    same(path, frames)
    scanbox(path, frames[:23], volscan=1, otwave=np.arange(4))
    info = inspect_stack(path)
    assert (info.axes, info.shape) == ("TZYX", (5, 4, 20, 30))
    assert "last 3 frames belong to an unfinished volume" in info.notes[0]
    with open_stack(path, select={"Z": 2}) as stack:
        np.testing.assert_array_equal(stack.read(0, 5), frames[2:20:4])
    both = np.stack([frames, frames + 1], axis=-1)
    scanbox(path, both, channels=1)
    same(path, frames + 1, select={"C": 1})
    path.write_bytes(path.read_bytes()[:-4])
    assert "ends in the middle of a frame" in refused(path)
    path.with_suffix(".mat").write_bytes(b"no")
    assert "Scanbox's description" in refused(path)
    path.with_suffix(".mat").unlink()
    assert "needs m.mat" in refused(path)


# -- Through roiextractors ----------------------------------------------------


class Extractor:
    """What is asked of an imaging extractor of roiextractors 0.10."""

    made: list[dict[str, object]] = []  # noqa: RUF012

    def __init__(self, **how) -> None:
        self.made.append(how)
        self._frames = FRAMES + (how.get("channel_name") == "Red")

    def get_num_samples(self) -> int:
        return len(self._frames)

    def get_sampling_frequency(self) -> float:
        return 15.0

    def get_series(self, start_sample=None, end_sample=None) -> np.ndarray:
        return self._frames[start_sample:end_sample]

    @staticmethod
    def get_available_channel_names(file_path) -> list[str]:
        return ["Green", "Red"]


def bruker(folder):
    folder.mkdir()
    frames = "".join(
        f'<Frame relativeTime="{k / 10}" absoluteTime="{k / 10}" index="{k + 1}">'
        + "".join(
            f'<File channel="{c}" channelName="{name}" page="1" '
            f'filename="T_Cycle00001_Ch{c}_{k + 1:06}.ome.tif"/>'
            for c, name in ((1, "Red"), (2, "Green"))
        )
        + "</Frame>"
        for k in range(24)
    )
    (folder / f"{folder.name}.xml").write_text(
        '<?xml version="1.0"?><PVScan version="5.5.64.100"><Sequence '
        f'type="TSeries Timed Element" cycle="1">{frames}</Sequence></PVScan>'
    )
    for k, frame in enumerate(FRAMES):
        for c in (1, 2):
            name = f"T_Cycle00001_Ch{c}_{k + 1:06}.ome.tif"
            tifffile.imwrite(folder / name, frame + (c == 1), metadata={"axes": "YX"})
    return folder


@pytest.fixture
def extractors(monkeypatch):
    """Stand in for roiextractors, which is an optional extra."""
    module, known = types.ModuleType("roiextractors"), types.ModuleType("known")
    for maker in ("BrukerTiff", "ThorTiff", "Inscopix", "Femtonics"):
        setattr(known, f"{maker}ImagingExtractor", Extractor)
    module.extractorlist = known
    monkeypatch.setitem(sys.modules, "roiextractors", module)
    monkeypatch.setattr(Extractor, "made", [])


@pytest.mark.usefixtures("extractors")
def test_microscopes_are_asked_for_the_channel_that_is_chosen(tmp_path) -> None:
    folder = bruker(tmp_path / "TSeries-1")
    info = inspect_stack(folder)
    assert (info.kind, info.rate, info.axes) == ("Bruker", 15, "TYX")
    assert info.datasets == ("Red", "Green")
    assert sniff(folder).kind == "stack"
    same(folder, FRAMES + 1)
    same(folder, FRAMES, dataset="Green")
    assert "no data set 'Blue'" in refused(folder, dataset="Blue")
    assert Extractor.made[-1] == {"folder_path": folder, "channel_name": "Green"}
    thor = tmp_path / "thor"
    thor.mkdir()
    (thor / "Experiment.xml").write_text("<x/>")
    tifffile.imwrite(thor / "Image_001_001.tif", FRAMES)
    same(thor, FRAMES + 1, dataset="Red")
    (tmp_path / "m.isxd").write_bytes(b"x")
    same(tmp_path / "m.isxd", FRAMES)
    assert sniff(tmp_path / "m.isxd").kind == "stack"


def test_without_roiextractors_the_command_that_installs_it_is_told(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "roiextractors", None)
    for name in ("m.isxd", "m.mesc"):
        (tmp_path / name).write_bytes(b"x")
        assert 'pip install "napari-cebra[formats]"' in refused(tmp_path / name)
    assert "pip install" in refused(bruker(tmp_path / "TSeries-1"))


def test_roiextractors_itself(tmp_path) -> None:
    pytest.importorskip("roiextractors")
    folder = bruker(tmp_path / "TSeries-1")
    assert inspect_stack(folder).rate == pytest.approx(10)
    same(folder, FRAMES + 1)
    same(folder, FRAMES, dataset="Green")
    path = tmp_path / "m.mesc"

    def text(letters):
        return np.array([*map(ord, letters), 0], np.int16)

    with h5py.File(path, "w") as file:
        unit = file.create_group("MSession_0/MUnit_0")
        unit.attrs["VecChannelsSize"] = 2
        for k, name in enumerate(("UG", "UR")):
            unit.attrs[f"Channel_{k}_Name"] = text(name)
            unit[f"Channel_{k}"] = FRAMES + k
        unit.attrs["ZAxisConversionConversionLinearScale"] = 32.0
        unit.attrs["ZAxisConversionUnitName"] = text("ms")
    assert inspect_stack(path).rate == 31.25
    same(path, FRAMES + 1, dataset="MSession_0/MUnit_0/UR")
    path.write_bytes(b"no")
    assert "cannot be read as a recording of Femtonics" in refused(path)
