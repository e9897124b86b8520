"""Stimulus movies in, decoded sequences out; each checked by reading it back."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
import tifffile

from napari_cebra.io import (
    open_movie,
    open_stack,
    replacing,
    write_decoded_csv,
    write_decoded_mp4,
    write_decoded_tiff,
    write_embedding,
)
from napari_cebra.io.export import as_fraction
from napari_cebra.recording import InvalidInput, Progress

RNG = np.random.default_rng(1)


def finish(generator):
    """Run to the end; return the result and the reports."""
    reports = []
    while True:
        try:
            reports.append(next(generator))
        except StopIteration as end:
            return end.value, reports


def coloured(n=60, h=48, w=64):
    """Frames told apart by their brightness, smooth enough to survive coding."""
    x = np.arange(w)
    level = 20 + 3 * np.arange(n)[:, None, None]
    return np.broadcast_to(level + 20 * (x > w / 2), (n, h, w)).astype(np.uint8)


def video(path, frames, rate=25, codec="libx264", options=None, stamps=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = options or {}
        if codec == "mpeg4":
            stream.bit_rate = 8_000_000
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, frame in enumerate(frames):
            rgb = np.repeat(frame[..., None], 3, axis=2)
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            if stamps is not None:
                picture.pts, picture.time_base = int(stamps[k]), Fraction(1, 1000)
            else:
                picture.pts, picture.time_base = k, Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


CODECS = {
    "mp4 with b-frames": ("m.mp4", "libx264", {"bf": "3", "g": "20"}),
    "mp4, one key frame": ("m.mp4", "libx264", {"g": "999", "sc_threshold": "0"}),
    "avi": ("m.avi", "mpeg4", {"g": "12"}),
    "avi with b-frames": ("m.avi", "libx264", {"bf": "2", "g": "15"}),
    "mov": ("m.mov", "mjpeg", {}),
    "mkv, open groups": ("m.mkv", "libx264", {"bf": "2", "g": "15",
                                              "x264-params": "open-gop=1"}),
}  # fmt: skip


@pytest.mark.parametrize("how", CODECS)
def test_video_frames_in_any_order_are_the_frames_shown(tmp_path, how) -> None:
    frames = coloured()
    name, codec, options = CODECS[how]
    if codec == "mjpeg":
        options = {"strict": "unofficial"}
    video(tmp_path / name, frames, codec=codec, options=options)
    movie = open_movie(tmp_path / name)
    assert movie.array.shape == (60, 48, 64, 3) and movie.array.dtype == np.uint8
    assert movie.rate == pytest.approx(25)
    np.testing.assert_allclose(movie.frame_times, np.arange(60) / 25, atol=1e-3)
    with av.open(str(tmp_path / name)) as container:
        straight = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    for k in [0, 59, 30, 31, 29, 5, 5, 58, *RNG.integers(0, 60, 40).tolist()]:
        np.testing.assert_array_equal(movie.array[k], straight[k])
        assert abs(movie.array[k][:, :20].mean() - frames[k, 0, 0]) < 3
    np.testing.assert_array_equal(movie.array[40:44], straight[40:44])
    movie.close()


def test_uneven_time_stamps_are_kept(tmp_path) -> None:
    stamps = np.cumsum([0, *RNG.integers(15, 60, 39)])
    video(tmp_path / "v.mp4", coloured(40), stamps=stamps)
    movie = open_movie(tmp_path / "v.mp4")
    np.testing.assert_allclose(movie.frame_times, stamps / 1000, atol=1e-3)


def test_movies_from_arrays(tmp_path) -> None:
    frames = coloured(20)
    np.save(tmp_path / "m.npy", frames)
    tifffile.imwrite(tmp_path / "m.tif", frames)
    rgb = RNG.integers(0, 255, (6, 32, 40, 3)).astype(np.uint8)
    np.save(tmp_path / "c.npy", rgb)
    tifffile.imwrite(tmp_path / "c.tif", rgb, photometric="rgb")
    tifffile.imwrite(tmp_path / "z.tif", rgb, photometric="rgb", compression="zlib")
    for name in ("m.npy", "m.tif"):
        movie = open_movie(tmp_path / name, rate=30)
        np.testing.assert_array_equal(np.asarray(movie.array[7]), frames[7])
        assert movie.frame_times[15] == 0.5
    for name in ("c.npy", "c.tif", "z.tif"):
        movie = open_movie(tmp_path / name)
        assert movie.array.shape == rgb.shape and movie.frame_times is None
        np.testing.assert_array_equal(np.asarray(movie.array[3]), rgb[3])


def test_what_is_not_a_movie(tmp_path) -> None:
    (tmp_path / "m.mp4").write_bytes(b"not a video" * 50)
    with pytest.raises(InvalidInput, match="cannot be read as a video"):
        open_movie(tmp_path / "m.mp4")
    video(tmp_path / "w.mp4", coloured())
    whole = (tmp_path / "w.mp4").read_bytes()
    (tmp_path / "w.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="cannot be read as a video"):
        open_movie(tmp_path / "w.mp4")
    with av.open(str(tmp_path / "f.mp4"), "w", options={"movflags": "faststart"}) as c:
        stream = c.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in RNG.integers(0, 255, (50, 48, 64, 3)).astype(np.uint8):
            c.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        c.mux(stream.encode(None))
    whole = (tmp_path / "f.mp4").read_bytes()
    (tmp_path / "f.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="cut short: it announces 50 frames"):
        open_movie(tmp_path / "f.mp4")
    np.save(tmp_path / "m.npy", np.zeros((5, 5)))
    with pytest.raises(InvalidInput, match="not a movie"):
        open_movie(tmp_path / "m.npy")
    with pytest.raises(InvalidInput, match="There is no file"):
        open_movie(tmp_path / "none.mp4")


# -- Export -------------------------------------------------------------------

SHOWN = np.arange(60)
PREDICTED = np.where(SHOWN < 10, -1, np.roll(SHOWN, 4))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int16", "rgb"])
def test_decoded_tiff_holds_the_frames_looked_up(tmp_path, dtype) -> None:
    if dtype == "rgb":
        movie = RNG.integers(0, 255, (60, 20, 30, 3)).astype(np.uint8)
    else:
        movie = RNG.integers(0, 255, (60, 20, 30)).astype(dtype)
    path, reports = finish(
        write_decoded_tiff(tmp_path / "d.tif", movie, PREDICTED, rate=7.5)
    )
    assert isinstance(reports[-1], Progress) and reports[-1].done == 60
    with tifffile.TiffFile(path) as tif:
        assert tif.series[0].axes == ("TYXS" if dtype == "rgb" else "TYX")
        written = tif.asarray()
    assert not written[:10].any()
    np.testing.assert_array_equal(written[10:], movie[PREDICTED[10:]])
    if dtype != "rgb":
        with open_stack(path) as stack:
            assert stack.rate == pytest.approx(7.5)
            np.testing.assert_array_equal(stack.read(0, 99), written)


@pytest.mark.parametrize("rate", [30.0, 29.97, 7.5, 15.49, 6.1])
def test_decoded_mp4_has_both_sides_and_the_true_rate(tmp_path, rate) -> None:
    movie = coloured(60, 33, 47)  # odd sizes, as movies cut by hand have
    path, reports = finish(
        write_decoded_mp4(tmp_path / "d.mp4", movie, SHOWN, PREDICTED, rate)
    )
    assert reports[-1].done == reports[-1].total == 60
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == pytest.approx(rate, rel=2e-5)
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert len(pictures) == 60
    h, w = pictures[0].shape[:2]
    assert h % 2 == w % 2 == 0 and h >= 288
    for k, picture in enumerate(pictures):
        side = (
            picture[20 : h - 20, 20 : w // 4 - 20],
            picture[20 : h - 20, w // 2 + 30 : 3 * w // 4 - 20],
        )
        left, right = (part.astype(float).mean() for part in side)
        assert abs(left - movie[SHOWN[k], 0, 0]) < 2.5
        expected = 0 if PREDICTED[k] < 0 else movie[PREDICTED[k], 0, 0]
        assert abs(right - expected) < 2.5
    times = open_movie(path).frame_times
    np.testing.assert_allclose(times, np.arange(60) / rate, atol=2e-3)


def test_movies_of_other_types_are_scaled_to_their_range(tmp_path) -> None:
    movie = coloured(60).astype(np.float32) * 4 - 900
    path, _ = finish(write_decoded_mp4(tmp_path / "d.mp4", movie, SHOWN, SHOWN, 30))
    brightness = [open_movie(path).array[k][50:80, 50:80].mean() for k in (0, 30, 59)]
    assert all(b > a + 30 for a, b in pairwise(brightness))


def test_rates_become_the_ratios_video_files_keep() -> None:
    assert as_fraction(29.97) == as_fraction(30 / 1.001) == Fraction(30000, 1001)
    assert as_fraction(23.976) == Fraction(24000, 1001)
    assert as_fraction(30) == 30 and as_fraction(7.5) == Fraction(15, 2)
    for rate in (30.0004, 15.49, 6.061, 0.52, 96.3):
        assert float(as_fraction(rate)) == pytest.approx(rate, rel=2e-5)


@pytest.mark.parametrize("kind", ["tif", "mp4"])
def test_stopping_an_export_leaves_nothing_behind(tmp_path, kind) -> None:
    path = tmp_path / f"d.{kind}"
    path.write_text("what was there")
    movie = coloured()
    if kind == "tif":
        export = write_decoded_tiff(path, movie, PREDICTED)
    else:
        export = write_decoded_mp4(path, movie, SHOWN, PREDICTED, 30)
    next(export)
    assert len(list(tmp_path.iterdir())) == 2
    export.close()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "what was there"


def test_export_refuses_what_does_not_fit(tmp_path) -> None:
    movie = coloured(30)
    cases = [
        (write_decoded_tiff(tmp_path / "d.tif", movie, SHOWN), "has 30 frames"),
        (write_decoded_tiff(tmp_path / "d.png", movie, SHOWN[:9]), "must end in"),
        (write_decoded_tiff(tmp_path / "d.tif", movie, SHOWN / 2.0), "whole number"),
        (
            write_decoded_mp4(tmp_path / "d.mp4", movie, SHOWN[:9], SHOWN[:8], 30),
            "9 shown but 8",
        ),
        (
            write_decoded_mp4(tmp_path / "d.mp4", movie, SHOWN[:9], SHOWN[:9], None),
            "needs the frame rate",
        ),
        (
            write_decoded_tiff(tmp_path / "no" / "d.tif", movie, SHOWN[:9]),
            "does not exist",
        ),
    ]
    for generator, says in cases:
        with pytest.raises(InvalidInput, match=says):
            finish(generator)
    assert not list(tmp_path.iterdir())


def test_unwritable_folder(tmp_path) -> None:
    if sys.platform == "win32" or os.geteuid() == 0:
        pytest.skip("this user may write anywhere")
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(InvalidInput, match="is not writable"):
            finish(write_decoded_tiff(tmp_path / "d.tif", coloured(), SHOWN))
    finally:
        tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs a closed folder")
def test_folder_that_takes_no_files() -> None:
    # /proc refuses new files even to the administrator.
    with pytest.raises(InvalidInput) as caught:
        finish(write_decoded_tiff("/proc/d.tif", coloured(), SHOWN))
    assert str(caught.value).startswith("Cannot write d.tif:")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_said(tmp_path) -> None:
    with pytest.raises(InvalidInput, match=r"disk of .* is full"):
        with replacing(tmp_path / "x.bin"), open("/dev/full", "wb", 0) as full:
            full.write(b"x")
    assert not list(tmp_path.iterdir())


def test_replacing_keeps_the_old_file_when_something_fails(tmp_path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as draft:
        draft.write_text("new, but not finished")
        raise RuntimeError
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with replacing(path) as draft:
        assert draft.suffix == ".txt" and draft.parent == path.parent
        draft.write_text("new")
    assert path.read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_decoded_csv(tmp_path) -> None:
    columns = {
        "time_s": np.array([0.0, 0.1, 0.2]),
        "frame": np.arange(3),
        "shown": np.array([4, 5, 6]),
        "decoded": np.ma.masked_less(np.array([-1, 5, 9]), 0),
        "error_s": None,
        "confidence": np.array([np.nan, 0.5, 1 / 3], np.float32),
        "split": np.array(["train", "test", "test"]),
    }
    path = write_decoded_csv(tmp_path / "d.csv", columns)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(columns)
    assert [r["decoded"] for r in rows] == ["", "5", "9"]
    assert [r["error_s"] for r in rows] == ["", "", ""]
    assert np.float32(rows[2]["confidence"]) == np.float32(1 / 3)
    assert [r["split"] for r in rows] == ["train", "test", "test"]
    with pytest.raises(InvalidInput, match="different lengths"):
        write_decoded_csv(path, {"a": np.zeros(2), "b": np.zeros(3)})


def test_embedding_files_read_back_bit_for_bit(tmp_path) -> None:
    latents = RNG.normal(size=(40, 3)).astype(np.float32)
    latents[7] = np.nan
    times = np.arange(40) / 29.97
    repeat = np.arange(40) // 10
    write_embedding(tmp_path / "e.csv", latents, times, {"repeat": repeat})
    with open(tmp_path / "e.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "time_s", "frame", "repeat", "latent_0", "latent_1", "latent_2",
    ]  # fmt: skip
    read = [[np.float32(r[f"latent_{k}"] or "nan") for k in range(3)] for r in rows]
    np.testing.assert_array_equal(np.array(read), latents)
    assert [float(r["time_s"]) for r in rows] == times.tolist()
    write_embedding(tmp_path / "e.npz", latents, times, made_by={"seed": 3})
    with np.load(tmp_path / "e.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["latents"], latents)
        assert json.loads(str(stored["made_by"])) == {"seed": 3}
    with pytest.raises(InvalidInput, match="must end in"):
        write_embedding(tmp_path / "e.mat", latents)
    with pytest.raises(InvalidInput, match="39 values of time_s"):
        write_embedding(tmp_path / "e.csv", latents, times[:-1])
