"""The box of the first step shows what a file says, and gives it back unchanged."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cebra.io.binary import BinaryLayout
from napari_cebra.pipeline import exhaust
from napari_cebra.widgets.opening import opening, source_config
from napari_cebra.widgets.recognise import recognising
from napari_cebra.widgets.source_form import Recognised, SourceForm

pytestmark = pytest.mark.gui
FRAMES = np.arange(12 * 20 * 30, dtype=np.uint16).reshape(12, 20, 30)


@pytest.fixture
def form(qtbot) -> SourceForm:
    box = SourceForm()
    qtbot.addWidget(box)
    return box


def types(field, text: str) -> None:
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def test_detected_values_are_given_back_to_the_last_digit(form) -> None:
    rate, pixel = 7930 / 256, (1 / 3, 2 / 3)
    found = Recognised("stack", "…", "TYX", rate=rate, pixel_um=pixel)
    form.set_recognised(found)
    assert (form.value().rate, form.value().pixel_um) == (rate, pixel)
    types(form._rate, "30.5")
    types(form._pixel.y, "2")
    assert form.value().rate == 30.5
    assert form.value().pixel_um == (2, 0.667)
    types(form._pixel.x, "0")
    assert form.value().pixel_um is None
    form.set_recognised(Recognised("stack", "…", "TYX"))
    assert (form.value().rate, form.value().pixel_um) == (None, None)
    types(form._pixel.y, "1.5")
    assert form.value().pixel_um == (1.5, 1.5)


def test_a_binary_file_is_looked_at_again_with_the_size_that_was_entered(
    form, tmp_path
) -> None:
    path = tmp_path / "movie.bin"
    FRAMES.tofile(path)
    found = exhaust(recognising(path))
    form.set_recognised(found)
    assert found.layout == BinaryLayout()
    assert any("enter rows, columns and type" in note for note in found.notes)
    asked: list[str] = []
    form.dataSetChanged.connect(asked.append)
    types(form._layout.rows, "20")
    types(form._layout.columns, "30")
    form._layout.dtype.setValue("uint16")
    assert asked[-1] == "uint16 20x30"
    form.set_recognised(exhaust(recognising(path, asked[-1])))
    assert form.n_frames() == 12
    assert len(asked) == 3, "showing what was found asks for nothing"
    assert form.value().data_set == "uint16 20x30"


def test_channel_rate_and_pixel_size_reach_the_stack(form, tmp_path) -> None:
    from napari_cebra.widgets.behaviour_form import BehaviourChoice

    path = tmp_path / "two.tif"
    tifffile.imwrite(
        path, FRAMES.reshape(6, 2, 20, 30), imagej=True, resolution=(4, 2),
        metadata={"axes": "TCYX", "finterval": 0.1, "unit": "um"},
    )  # fmt: skip
    form.set_recognised(exhaust(recognising(path)))
    types(form._positions["C"], "1")
    choice = form.value()
    config = source_config(path, choice, BehaviourChoice())
    columns = BehaviourChoice().columns
    opened = exhaust(opening(config, columns, None, choice.select, choice.pixel_um))
    with opened.stack as stack:
        assert (stack.rate, stack.pixel_um) == (10, (0.5, 0.25))
        np.testing.assert_array_equal(stack.read(0, 6), FRAMES[1::2])


def test_a_suite2p_folder_brings_its_movie_and_a_project_finds_it_again(
    form, tmp_path
) -> None:
    from napari_cebra.pipeline import StackReference
    from napari_cebra.widgets.behaviour_form import BehaviourChoice

    plane = tmp_path / "suite2p" / "plane0"
    plane.mkdir(parents=True)
    frames = FRAMES.astype(np.int16)
    y, x = np.meshgrid(np.arange(4, 9), np.arange(5, 11), indexing="ij")
    roi = {"ypix": y.ravel(), "xpix": x.ravel(), "lam": np.ones(y.size, np.float32)}
    np.save(plane / "stat.npy", np.array([roi, roi], object), allow_pickle=True)
    np.save(plane / "F.npy", np.full((2, 12), 7, np.float32))
    settings = {"Ly": 20, "Lx": 30, "fs": 9.5}
    np.save(plane / "ops.npy", settings, allow_pickle=True)
    frames.tofile(plane / "data.bin")
    folder = tmp_path / "suite2p"
    found = exhaust(recognising(folder))
    assert "Its movie, data.bin, is opened with it." in found.notes
    form.set_recognised(found)
    behaviour = BehaviourChoice()
    config = source_config(folder, form.value(), behaviour)
    opened = exhaust(opening(config, behaviour.columns))
    assert opened.recording.n_frames == 12
    with opened.stack as stack:
        assert stack.rate == 9.5
        np.testing.assert_array_equal(stack.read(0, 12), frames)
    (plane / "ops.npy").unlink()  # the size is kept
    reference = StackReference(stack.source, stack.axes, opened.source.dataset)
    with reference.open() as again:
        np.testing.assert_array_equal(again.read(0, 12), frames)
    (plane / "data.bin").write_bytes(frames[:5].tobytes())
    np.save(plane / "ops.npy", settings, allow_pickle=True)
    assert "left out" in exhaust(recognising(folder)).notes[-1]
    assert exhaust(opening(config, behaviour.columns)).stack is None
