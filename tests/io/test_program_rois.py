"""ROIs of CaImAn, minian and NWB: the masks, the traces, and what is refused."""

from __future__ import annotations

import pickle
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_cebra.io import (
    read_caiman,
    read_minian,
    read_nwb_rois,
    read_roi_file,
    recognise_rois,
    sniff,
    write_imagej_rois,
)
from napari_cebra.pipeline import (
    PipelineConfig,
    exhaust,
    load_recording,
    program_traces,
)
from napari_cebra.pipeline.config import SourceConfig
from napari_cebra.recording import InvalidInput


def same(samples, read, places=slice(None)) -> None:
    np.testing.assert_allclose(
        samples.images_of(read.rois), samples.images[places], rtol=1e-6
    )


def test_caiman(tmp_path, samples) -> None:
    read = read_roi_file(samples.caiman(tmp_path / "c.hdf5"), samples.shape)
    assert read.program == "CaImAn" and read.rate == 15
    same(samples, read)
    assert read.rois.source_ids.tolist() == [0, 1, 2, 3, 4]
    assert read.rois.accepted.tolist() == [True, False, True, True, False]
    assert set(read.traces) == {"dff", "other", "events"}
    for kind, values in (
        ("dff", samples.dff),
        ("other", samples.C + samples.residual),
        ("events", samples.S),
    ):
        np.testing.assert_array_equal(
            read.traces[kind].values, values.T.astype(np.float32)
        )
    assert read.notes == ("3 of 5 ROIs are accepted in the file.",)


def test_what_caiman_did_not_compute_is_said(tmp_path, samples) -> None:
    none = b"NoneType"
    path = samples.caiman(
        tmp_path / "c.hdf5",
        **{
            "estimates/F_dff": none,
            "estimates/YrA": none,
            "estimates/S": none,
            "estimates/idx_components": none,
            "params/data/fr": none,
        },
    )
    read = read_caiman(path)
    assert read.rois.accepted.all() and read.rate is None
    np.testing.assert_array_equal(
        read.traces["other"].values, samples.C.T.astype(np.float32)
    )
    assert set(read.traces) == {"other"}
    for part in ("not evaluated", "no dF/F", "frame rate"):
        assert any(part in note for note in read.notes), part
    assert read_caiman(path, rate=20).rate == 20


def test_components_without_a_pixel_take_their_traces_along(tmp_path, samples) -> None:
    images = samples.images.copy()
    images[1] = 0
    read = read_caiman(samples.caiman(tmp_path / "c.hdf5", images))
    same(samples, read, [0, 2, 3, 4])
    assert read.rois.source_ids.tolist() == [0, 2, 3, 4]
    assert read.traces["dff"].n_rois == 4
    np.testing.assert_array_equal(
        read.traces["dff"].values[:, 1], samples.dff[2].astype(np.float32)
    )
    assert "1 ROIs without a pixel were left out." in read.notes


def test_traces_with_gaps_leave_the_masks(tmp_path, samples) -> None:
    gap = samples.dff.copy()
    gap[2, 3] = np.nan
    read = read_caiman(samples.caiman(tmp_path / "c.hdf5", **{"estimates/F_dff": gap}))
    assert "dff" not in read.traces and len(read.rois) == 5
    assert any("dff traces were left out" in note for note in read.notes)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"params/data/dims": np.array([37, 24])}, "axes Y and X of one .* swapped"),
        ({"params/data/dims": np.array([24, 37, 5])}, "not in one plane"),
        ({"params/data/dims": np.array([25, 37])}, "choose the ROIs of this recording"),
        ({"params/data/dims": None}, "does not say the size"),
        ({"estimates/A/shape": np.array([900, 5])}, "not 888 pixels × 5 components"),
        ({"estimates/A/indices": None}, "not a sparse matrix"),
        ({"estimates/A/indptr": np.arange(6) * 1000}, "outside their own lists"),
        ({"estimates/idx_components": np.array([7])}, "accepts component 7 of 5"),
        ({"estimates/S": np.ones((5, 9))}, "different numbers of frames"),
    ],
)
def test_caiman_files_that_do_not_fit(tmp_path, samples, changed, reason) -> None:
    path = samples.caiman(tmp_path / "c.hdf5", **changed)
    with pytest.raises(InvalidInput, match=reason) as caught:
        read_caiman(path, samples.shape)
    assert "c.hdf5" in str(caught.value)


def test_weights_that_are_none(tmp_path, samples) -> None:
    path = samples.caiman(tmp_path / "c.hdf5")
    with h5py.File(path, "r+") as file:
        file["estimates/A/data"][3] = np.nan
    with pytest.raises(InvalidInput, match=r"ROI number 1 in c.hdf5 .* not finite"):
        read_caiman(path)


@pytest.mark.parametrize("turned", [False, True])
def test_minian(tmp_path, samples, turned) -> None:
    folder = samples.minian(
        tmp_path / "minian", turned=turned, order=np.array([3, 0, 4, 1, 2])
    )
    for place in (folder, folder / "A.zarr"):
        read = read_roi_file(place, samples.shape, rate=20)
        same(samples, read)
        assert read.program == "minian" and read.rate == 20 and not read.notes
        assert read.rois.source_ids.tolist() == [3, 4, 5, 6, 7]
        for kind, values in (("other", samples.C), ("events", samples.S)):
            np.testing.assert_array_equal(
                read.traces[kind].values, values.T.astype(np.float32)
            )
    assert "does not keep the frame rate" in read_minian(folder).notes[0]


@pytest.mark.parametrize("turned", [False, True])
def test_every_version_of_minian(tmp_path, samples, turned) -> None:
    places = (
        samples.minian(tmp_path / "v2", turned=turned),
        samples.minian(tmp_path / "v3", turned=turned, version=3),
        samples.minian_file(tmp_path / "minian.nc", turned=turned),
    )
    for place in places:
        assert sniff(place).kind == "rois"
        read = read_roi_file(place, samples.shape, rate=20)
        same(samples, read)
        assert read.program == "minian" and not read.notes
        assert read.rois.source_ids.tolist() == [3, 4, 5, 6, 7]
        np.testing.assert_allclose(read.traces["other"].values, samples.C.T, rtol=1e-6)
        np.testing.assert_allclose(read.traces["events"].values, samples.S.T, rtol=1e-6)


def test_a_file_of_minian_that_does_not_fit(tmp_path, samples) -> None:
    path = samples.minian_file(tmp_path / "m.nc", start=(10, 20), C=None)
    read = read_roi_file(path, (64, 80))
    images = samples.images_of(read.rois)
    np.testing.assert_allclose(images[:, 10:34, 20:57], samples.images, rtol=1e-6)
    assert "There is no C in the file; its traces are not read." in read.notes
    with pytest.raises(InvalidInput, match="lie on 34×57 pixels but the stack is 30"):
        read_roi_file(path, (30, 80))
    weights = np.array(samples.images)
    weights[0, 3, 4] = -1
    path = samples.minian_file(tmp_path / "w.nc", A=weights)
    with pytest.raises(InvalidInput, match=r"ROI number 1 .* weights that are neg"):
        read_roi_file(path)


def test_minian_on_a_part_of_the_field(tmp_path, samples) -> None:
    folder = samples.minian(tmp_path / "m", start=(10, 20))
    read = read_minian(folder, (64, 80))
    images = samples.images_of(read.rois)
    np.testing.assert_allclose(images[:, 10:34, 20:57], samples.images, rtol=1e-6)
    assert np.count_nonzero(images) == np.count_nonzero(samples.images)
    assert "from pixel (10, 20)" in read.notes[0]
    # A stack cut in the same way has the field that minian saw.
    same(samples, read_minian(folder, samples.shape))
    with pytest.raises(InvalidInput, match="lie on 34×57 pixels but the stack is 30"):
        read_minian(folder, (30, 80))


def test_minian_folders_that_do_not_fit(tmp_path, samples) -> None:
    folder = samples.minian(tmp_path / "m")
    with pytest.raises(InvalidInput, match="Y and X of one of them are swapped"):
        read_minian(folder, samples.shape[::-1])
    shutil.rmtree(folder / "C.zarr" / "C")
    read = read_minian(folder, samples.shape)
    assert set(read.traces) == {"events"}
    assert any("no C.zarr" in note for note in read.notes)
    unit = zarr.open_array(str(folder / "S.zarr" / "unit_id"), mode="r+")
    unit[0] = 99
    with pytest.raises(InvalidInput, match=r"S.zarr in m lacks units"):
        read_minian(folder)
    names = zarr.open_array(str(folder / "A.zarr" / "A"), mode="r+")
    names.attrs["_ARRAY_DIMENSIONS"] = ["unit_id", "frame", "width"]
    with pytest.raises(InvalidInput, match="has the axes unit_id, frame, width"):
        read_minian(folder)
    shutil.rmtree(folder / "A.zarr")
    with pytest.raises(InvalidInput, match="is not a folder of minian"):
        read_minian(folder)


@pytest.mark.parametrize("place", [4, 8, 12])
def test_minian_chunks_that_announce_too_much(tmp_path, samples, place) -> None:
    # numcodecs ends the process where blosc's lengths do not fit the chunk.
    folder = samples.minian(tmp_path / "m")
    chunk = folder / "C.zarr" / "C" / "0.0"
    content = bytearray(chunk.read_bytes())
    content[place : place + 4] = b"\xff\xff\xff\x7f"
    chunk.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"m cannot be read .*chunk 0.0 is not"):
        read_minian(folder)


@pytest.mark.parametrize("masks", ["pixel", "image"])
@pytest.mark.parametrize("order", ["xy", "yx"])
def test_nwb(tmp_path, samples, masks, order) -> None:
    path = samples.nwb(tmp_path / "n.nwb", masks, order)
    read = read_roi_file(path, samples.shape)
    same(samples, read)
    assert read.program == "NWB" and read.rate == 30
    assert read.rois.source_ids.tolist() == [10, 11, 12, 13, 14]
    assert read.rois.accepted.tolist() == [True, True, False, True, False]
    told = any("against the schema" in note for note in read.notes)
    assert told == (order == "yx")
    for kind, values in (
        ("raw", samples.C),
        ("neuropil", samples.residual),
        ("dff", samples.dff),
    ):
        np.testing.assert_array_equal(
            read.traces[kind].values, values.T.astype(np.float32)
        )


def test_nwb_against_the_schema(tmp_path, samples) -> None:
    path = samples.nwb(tmp_path / "n.nwb", turned=True, ids=np.zeros(5, int))
    read = read_nwb_rois(path)
    np.testing.assert_array_equal(
        read.traces["raw"].values, samples.C.T.astype(np.float32)
    )
    assert sum("(ROI, time)" in note for note in read.notes) == 3
    assert any("numbers are repeated" in note for note in read.notes)
    assert read.rois.source_ids.tolist() == [1, 2, 3, 4, 5]
    # Nothing but the person knows the order of a square field.
    image = samples.nwb(tmp_path / "i.nwb", "image", "yx")
    assert "order" in " ".join(read_nwb_rois(image).notes)
    same(samples, read_nwb_rois(image, order="yx"))
    alone = samples.nwb(tmp_path / "a.nwb", dimension=False)
    assert any(
        "as far as the ROIs reach" in note for note in read_nwb_rois(alone).notes
    )


def test_pixels_and_traces_of_nwb_that_take_care(tmp_path, samples) -> None:
    path = samples.nwb(tmp_path / "n.nwb")
    with h5py.File(path, "r+") as file:
        pixels = file["processing/ophys/ImageSegmentation/PlaneSegmentation/pixel_mask"]
        pixels[1] = pixels[0]
        series = file["processing/ophys"]
        series.move("Fluorescence/RoiResponseSeries", "Fluorescence/Part")
        del series["Fluorescence/Part/rois"]
        series["Fluorescence/Part/rois"] = np.arange(3)
        del series["DfOverF"]
    read = read_nwb_rois(path)
    assert "1 masks list a pixel more than once" in " ".join(read.notes)
    assert read.rois.indptr[1] == 47
    # Neuropil alone is no activity of cells.
    assert set(read.traces) == {"neuropil"} and read.activity is None
    with pytest.raises(InvalidInput, match=r"n.nwb holds ROIs but no traces of them"):
        program_traces(read)


def test_nwb_with_several_tables(tmp_path, samples) -> None:
    path = samples.nwb(tmp_path / "n.nwb")
    with h5py.File(path, "r+") as file:
        tables = file["processing/ophys/ImageSegmentation"]
        file.copy(tables["PlaneSegmentation"], tables, "Second")
    read = read_nwb_rois(path)
    assert "2 tables of ROIs (PlaneSegmentation, Second)" in read.notes[0]
    assert read.traces
    assert not read_nwb_rois(path, table="Second").traces
    with pytest.raises(InvalidInput, match="no PlaneSegmentation 'x'; choose one of"):
        read_nwb_rois(path, table="x")


def test_nwb_files_that_do_not_fit(tmp_path, samples) -> None:
    voxels = samples.nwb(tmp_path / "v.nwb", "voxel")
    with pytest.raises(InvalidInput, match=r"v.nwb are voxels of a volume"):
        read_nwb_rois(voxels)
    with pytest.raises(InvalidInput, match="have no masks"):
        read_nwb_rois(samples.nwb(tmp_path / "0.nwb", "none"))
    small = samples.nwb(tmp_path / "s.nwb")
    with pytest.raises(InvalidInput, match="outside the 10×12 field of view"):
        read_nwb_rois(small, (10, 12))
    with h5py.File(tmp_path / "e.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
    with pytest.raises(InvalidInput, match="NWB file without ROIs"):
        read_roi_file(tmp_path / "e.nwb")
    with h5py.File(tmp_path / "l.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        table = file.create_group("PlaneSegmentation")
        table.attrs["neurodata_type"] = "PlaneSegmentation"
        table["id"] = np.arange(900)
        table.create_dataset("image_mask", (900, 9000, 9000), "f4", chunks=(1, 99, 99))
    with pytest.raises(InvalidInput, match="does not hold what it announces"):
        read_roi_file(tmp_path / "l.nwb")


def test_kinds_are_told_by_content_not_by_name(tmp_path, samples) -> None:
    read = read_caiman(samples.caiman(tmp_path / "results.dat"))
    write_imagej_rois(tmp_path / "rois.zip", read.rois)
    (tmp_path / "rois.zip").rename(tmp_path / "rois.bin")
    tifffile.imwrite(tmp_path / "masks.mask", read.rois.to_labels().astype(np.uint16))
    samples.nwb(tmp_path / "n.h5")
    samples.minian(tmp_path / "m")
    kinds = {
        "results.dat": "CaImAn file",
        "rois.bin": "ImageJ ROIs",
        "masks.mask": "label image",
        "n.h5": "NWB file",
        "m": "minian folder",
    }
    # A label image is one wherever it lies, and each of suite2p's files its folder.
    plane = tmp_path / "plane0"
    plane.mkdir()
    for name in ("stat.npy", "F.npy", "labels.npy"):
        np.save(plane / name, np.eye(4, dtype=int))
    assert recognise_rois(plane / "F.npy").name == "suite2p folder"
    assert recognise_rois(plane / "labels.npy").name == "label image"
    for name, kind in kinds.items():
        assert recognise_rois(tmp_path / name).name == kind
        assert read_roi_file(tmp_path / name).rois.ids.tolist() == [1, 2, 3, 4, 5]


def test_what_holds_no_rois_is_named(tmp_path) -> None:
    (tmp_path / "p.pkl").write_bytes(pickle.dumps([1]))
    (tmp_path / "m.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    (tmp_path / "e.txt").write_text("x,y")
    (tmp_path / "folder").mkdir()
    h5py.File(tmp_path / "h.h5", "w").close()
    zipfile.ZipFile(tmp_path / "z.zip", "w").writestr("a.txt", "a")
    for name, what in {
        "p.pkl": "a Python pickle",
        "m.mat": "a MATLAB file",
        "e.txt": "no ROIs of a known kind",
        "folder": "neither suite2p nor minian",
        "h.h5": "neither CaImAn nor NWB",
        "z.zip": "without ROIs of ImageJ",
        "missing": "no ROIs at",
    }.items():
        with pytest.raises(InvalidInput, match=what) as caught:
            read_roi_file(tmp_path / name)
        assert name in str(caught.value) and "choose a label image" in str(caught.value)


def test_sniffing(tmp_path, samples) -> None:
    read = read_caiman(samples.caiman(tmp_path / "c.hdf5"))
    write_imagej_rois(tmp_path / "r.zip", read.rois)
    samples.minian(tmp_path / "m")
    for name in ("c.hdf5", "r.zip", "m"):
        assert sniff(tmp_path / name).kind == "rois"
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["estimates"] = np.ones((30, 4))
    assert sniff(tmp_path / "t.h5").kind == "traces"
    samples.nwb(tmp_path / "n.nwb", "image")
    found = sniff(tmp_path / "n.nwb")
    assert found.kind == "rois" and found.also == ("traces",)


def config(**source) -> PipelineConfig:
    return PipelineConfig(source=SourceConfig(**source))


def test_recordings_from_what_a_program_saved(tmp_path, samples) -> None:
    path = str(samples.caiman(tmp_path / "c.hdf5"))
    made = exhaust(load_recording(config(rois=path)))
    assert made.traces.kind == "dff" and made.rate == 15 and made.raw is None
    np.testing.assert_array_equal(
        made.traces.values, samples.dff[[0, 2, 3]].T.astype(np.float32)
    )
    assert made.rois.source_ids.tolist() == [0, 2, 3]
    everything = exhaust(load_recording(config(rois=path, accepted_only=False)))
    assert everything.traces.n_rois == 5
    nwb = str(samples.nwb(tmp_path / "n.nwb"))
    made = exhaust(load_recording(config(rois=nwb)))
    # Raw traces come along, so that F0 can be fitted without held-out rows.
    assert made.traces.kind == "dff" and made.raw.n_rois == made.neuropil.n_rois == 3
    samples.minian(tmp_path / "m")
    made = exhaust(load_recording(config(rois=str(tmp_path / "m"), rate=20.0)))
    assert made.traces.kind == "other" and made.rate == 20


def test_recordings_from_a_stack_and_rois(tmp_path, samples) -> None:
    frames = np.random.default_rng(0).integers(0, 900, (40, *samples.shape))
    tifffile.imwrite(tmp_path / "s.tif", frames.astype(np.uint16))
    path = samples.caiman(tmp_path / "c.hdf5")
    rois = read_caiman(path).rois
    write_imagej_rois(tmp_path / "r.zip", rois)
    source = {"stack": str(tmp_path / "s.tif"), "rate": 30.0}
    made = exhaust(load_recording(config(rois=str(tmp_path / "r.zip"), **source)))
    y, x, _ = rois.mask(2)
    np.testing.assert_allclose(
        made.raw.values[:, 1], frames[:, y, x].mean(axis=1), rtol=1e-5
    )
    with_own = exhaust(load_recording(config(rois=str(path), **source)))
    assert with_own.raw is None
    again = exhaust(load_recording(config(rois=str(path), reextract=True, **source)))
    y, x, weights = rois.mask(3)
    np.testing.assert_allclose(
        again.raw.values[:, 1],
        np.average(frames[:, y, x], axis=1, weights=weights),
        rtol=1e-5,
    )
    tifffile.imwrite(tmp_path / "s.tif", frames[:30].astype(np.uint16))
    with pytest.raises(InvalidInput, match="traces of 40 frames but the stack has 30"):
        exhaust(load_recording(config(rois=str(path), **source)))
    with pytest.raises(InvalidInput, match=r"r.zip holds ROIs but no traces"):
        exhaust(load_recording(config(rois=str(tmp_path / "r.zip"))))


def test_a_file_that_accepts_nothing(tmp_path, samples) -> None:
    none = {"estimates/idx_components": np.array([], int)}
    read = read_caiman(samples.caiman(tmp_path / "c.hdf5", **none))
    with pytest.raises(InvalidInput, match=r"CaImAn accepts no cell in c.hdf5"):
        program_traces(read)
    assert program_traces(read, accepted_only=False).recording.traces.n_rois == 5


@pytest.mark.parametrize("program", ["caiman", "minian", "nwb"])
def test_what_programs_saved_is_loaded_by_clicking(tmp_path, samples, program) -> None:
    """Without a stack: what is recognised in step 1, and what that opens."""
    pytest.importorskip("napari")
    from napari_cebra.pipeline.trace_report import notes_of, trace_report
    from napari_cebra.widgets.behaviour_form import BehaviourChoice
    from napari_cebra.widgets.opening import opening, source_config
    from napari_cebra.widgets.recognise import recognising
    from napari_cebra.widgets.source_form import SourceChoice

    name = {"caiman": "c.hdf5", "minian": "m", "nwb": "n.nwb"}[program]
    path = getattr(samples, program)(tmp_path / name)
    read = read_roi_file(path)
    found = exhaust(recognising(path))
    assert found.kind == "program" and found.notes == read.notes
    assert found.lengths == (read.activity.n_frames,) and read.program in found.facts
    rate = found.rate or 12.0
    choice = source_config(path, SourceChoice("program", rate=rate), BehaviourChoice())
    opened = exhaust(opening(choice, BehaviourChoice().columns))
    recording = opened.recording
    accepted = read.rois.accepted
    assert opened.stack is None
    assert opened.rois.accepted.tolist() == accepted.tolist(), "none is lost"
    np.testing.assert_array_equal(
        recording.rois.source_ids, read.rois.source_ids[accepted]
    )
    assert recording.rate == rate and recording.n_frames == read.activity.n_frames
    told = read_roi_file(path, rate=rate).notes
    assert set(told) <= set(notes_of(recording))
    assert trace_report(recording).quality.snr.shape == (int(accepted.sum()),)
