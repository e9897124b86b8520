"""Recordings without a stack: trace matrices, spike times, label images."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile

from napari_cebra.io import (
    SpikeRecording,
    bin_spikes,
    read_label_image,
    read_spikes,
    read_trace_matrix,
    read_traces,
)
from napari_cebra.recording import InvalidInput

RNG = np.random.default_rng(3)
VALUES = RNG.normal(size=(120, 7)).astype(np.float32)


def test_every_format_gives_the_same_traces(tmp_path) -> None:
    times = np.arange(120) / 12.5
    np.save(tmp_path / "t.npy", VALUES)
    np.savez(tmp_path / "t.npz", traces=VALUES, time_s=times, other=np.zeros((3, 3)))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["a/dff"] = VALUES
        file["a/time"] = times[:, None]
    names = [f"cell{k}" for k in range(7)]
    rows = np.column_stack([times, VALUES]).astype(str)
    lines = [",".join(["time_s", *names]), *[",".join(row) for row in rows]]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    for suffix in ("npy", "npz", "h5", "csv"):
        read = read_trace_matrix(tmp_path / f"t.{suffix}")
        np.testing.assert_array_equal(read.traces.values, VALUES)
        if suffix == "npy":
            assert read.frame_times is None and read.traces.rate is None
            continue
        np.testing.assert_allclose(read.frame_times, times)
        assert read.traces.rate == pytest.approx(12.5)
    assert read.names == tuple(names)
    assert read_traces(tmp_path / "t.npy", rate=20, kind="events").rate == 20


def test_time_axis_is_the_longer_one_and_said(tmp_path) -> None:
    np.save(tmp_path / "t.npy", VALUES.T)
    read = read_trace_matrix(tmp_path / "t.npy")
    np.testing.assert_array_equal(read.traces.values, VALUES)
    assert "7×120; its columns are taken as time points" in read.notes[0]
    as_given = read_traces(tmp_path / "t.npy", time_axis=0)
    np.testing.assert_array_equal(as_given.values, VALUES.T)
    # A clock decides, even for fewer frames than ROIs.
    np.savez(tmp_path / "t.npz", traces=VALUES, time=np.arange(7) * 0.5)
    assert read_traces(tmp_path / "t.npz").values.shape == (7, 120)


def test_nan_is_refused_with_its_place(tmp_path) -> None:
    broken = VALUES.copy()
    broken[33, 4] = np.nan
    np.save(tmp_path / "t.npy", broken)
    with pytest.raises(InvalidInput, match="column 4 at time point 33"):
        read_traces(tmp_path / "t.npy")
    lines = [",".join(f"c{k}" for k in range(7))]
    lines += [",".join("" if np.isnan(v) else str(v) for v in row) for row in broken]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(InvalidInput, match=r"column 4 \('c4'\) at time point 33"):
        read_traces(tmp_path / "t.csv")


def test_what_holds_no_traces(tmp_path) -> None:
    np.save(tmp_path / "v.npy", np.zeros(5))
    with pytest.raises(InvalidInput, match="no numeric matrix"):
        read_traces(tmp_path / "v.npy")
    np.savez(tmp_path / "v.npz", a=VALUES)
    with pytest.raises(InvalidInput, match="no matrix 'b'; it has 'a'"):
        read_traces(tmp_path / "v.npz", key="b")
    (tmp_path / "w.csv").write_text("a,b\n1,left\n2,right\n")
    with pytest.raises(InvalidInput, match=r"'b' of w\.csv holds words"):
        read_traces(tmp_path / "w.csv")
    np.save(tmp_path / "o.npy", np.array([{}, {}], object), allow_pickle=True)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_traces(tmp_path / "o.npy")


def test_bins_count_spikes_where_they_are(tmp_path) -> None:
    clock = np.arange(0, 60, 0.04) + 100
    walked = np.column_stack([5 * (clock - 100), np.zeros(clock.size)])
    walked[200:210] = np.nan  # a short gap, bridged
    walked[800:900] = np.nan  # a long one, set aside
    times = np.sort(RNG.uniform(100, 159.9, 500))
    spikes = SpikeRecording((times, np.zeros(0)), ("a", "b"), walked, clock, "cm")
    recording = bin_spikes(spikes, 0.1)
    assert recording.traces.kind == "rates" and recording.rate == pytest.approx(10)
    assert recording.traces.values.shape == (599, 1)
    edges = 100 + 0.1 * np.arange(600)
    by_hand = [np.sum((times >= a) & (times < a + 0.1)) for a in edges[:-1]]
    assert np.abs(recording.traces.values[:, 0] - by_hand).sum() <= 2  # on an edge
    np.testing.assert_allclose(recording.frame_times, edges[:-1] + 0.05)
    position, speed = recording.variables
    np.testing.assert_allclose(position.values[:, 0], 5 * (edges[:-1] - 99.95))
    inner = speed.values[15:-15]
    np.testing.assert_allclose(inner, 5, rtol=1e-6)
    assert speed.units == "cm/s"
    lost = ~recording.valid
    assert 35 <= lost.sum() <= 41 and lost[325:355].all()
    assert "no position" in recording.reasons
    with_silent = bin_spikes(spikes, 0.1, min_spikes=0)
    assert with_silent.traces.n_rois == 2
    assert recording.provenance[-1].parameters["dropped_units"] == ["b"]
    slow = bin_spikes(spikes, 0.1, min_speed=20)
    assert not slow.valid.any() and "not running" in slow.reasons


def test_bin_settings_that_do_not_fit() -> None:
    spikes = SpikeRecording((np.array([1.0, 2.0, 4.0]),), ("a",))
    with pytest.raises(InvalidInput, match="choose a length"):
        bin_spikes(spikes, 100)
    with pytest.raises(InvalidInput, match="must be positive"):
        bin_spikes(spikes, 0)
    with pytest.raises(InvalidInput, match="most: 3"):
        bin_spikes(spikes, 0.1, min_spikes=50)
    with pytest.raises(InvalidInput, match="no spike at all"):
        SpikeRecording((np.zeros(0),), ("a",))


def test_npz_of_spikes(tmp_path) -> None:
    np.savez(
        tmp_path / "s.npz", spike_times=np.array([0.5, 0.1, 0.9, 2.5]),
        spike_units=np.array([3, 3, 8, 8]), position=np.arange(11.0),
        position_times=np.arange(11) / 10,
    )  # fmt: skip
    spikes = read_spikes(tmp_path / "s.npz")
    assert spikes.unit_names == ("3", "8")
    np.testing.assert_array_equal(spikes.times[0], [0.1, 0.5])
    np.testing.assert_array_equal(spikes.times[1], [0.9])
    assert "1 spikes outside" in spikes.notes[0]
    recording = bin_spikes(spikes, 0.1)
    assert recording.variables[0].values.ndim == 1
    np.savez(tmp_path / "n.npz", spike_times=np.zeros(3))
    with pytest.raises(InvalidInput, match="lacks spike_units"):
        read_spikes(tmp_path / "n.npz")


def test_label_images(tmp_path) -> None:
    labels = np.zeros((30, 40), np.uint16)
    labels[3:9, 5:9], labels[20:, 30:] = 4, 900
    tifffile.imwrite(tmp_path / "l.tif", labels, compression="zlib")
    np.save(tmp_path / "l.npy", labels)
    for name in ("l.tif", "l.npy"):
        np.testing.assert_array_equal(read_label_image(tmp_path / name), labels)
    from skimage.io import imsave

    imsave(tmp_path / "l.png", (labels > 0).astype(np.uint8), check_contrast=False)
    assert set(np.unique(read_label_image(tmp_path / "l.png"))) == {0, 1}
    for bad, says in [
        (labels.astype(np.float32), "not a label image"),
        (labels * 0, "holds no ROI"),
        (labels.astype(np.int32) - 1, "negative labels"),
        (np.stack([labels] * 5), "has 5 pages"),
    ]:
        tifffile.imwrite(tmp_path / "bad.tif", bad)
        with pytest.raises(InvalidInput, match=says):
            read_label_image(tmp_path / "bad.tif")
    with pytest.raises(InvalidInput, match="There is no file"):
        read_label_image(tmp_path / "none.tif")


@pytest.mark.real_data
def test_worm_traces(real_data) -> None:
    path = next((real_data / "worm_wholebrain").glob("*.npz"))
    read = read_trace_matrix(path)
    assert read.traces.values.shape == (1600, 98)
    assert read.traces.rate == pytest.approx(1.6666, abs=1e-4)
    assert read.frame_times[-1] == pytest.approx(961.9, abs=0.05)


# Units, silent units, spikes, and units of at least 50 spikes, from the README.
ALME = {
    "17724_fambegin2": (58, 10, 9298, 18, 885.1),
    "18237_novel7begin2": (66, 16, 11933, 16, 909.4),
    "17894_novel4begin2": (66, 9, 9425, 19, 997.0),
    "19251_novel2begin2": (38, 5, 9291, 16, 900.4),
    "17769_novel4begin2": (35, 1, 11021, 25, 878.1),
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", ALME)
def test_rat_spikes(real_data, name) -> None:
    units, silent, total, many, seconds = ALME[name]
    spikes = read_spikes(real_data / "alme_ca3" / f"{name}.h5")
    assert len(spikes.times) == units
    assert (spikes.counts == 0).sum() == silent
    assert spikes.counts.sum() == total
    assert (spikes.counts >= 50).sum() == many
    assert spikes.span[1] - spikes.span[0] == pytest.approx(seconds, abs=0.06)
    assert spikes.position_units == "cm"
    recording = bin_spikes(spikes, 0.1, min_spikes=50)
    assert recording.traces.n_rois == many
    assert np.abs(recording.variables[0].values).max() <= 50 + 1e-9
    kept = spikes.counts[spikes.counts >= 50].sum()
    assert kept - 5 <= recording.traces.values.sum() <= kept


@pytest.mark.real_data
def test_recording_without_a_spike_is_refused(real_data) -> None:
    with pytest.raises(InvalidInput, match="holds no spike at all in its 35 units"):
        read_spikes(real_data / "alme_ca3" / "17769_fambegin1.h5")
