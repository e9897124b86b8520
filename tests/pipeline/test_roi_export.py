"""ROIs go to other programs and come back."""

import csv

import numpy as np
import pytest

from napari_cebra.io import read_roi_file
from napari_cebra.pipeline.roi_export import write_rois
from napari_cebra.pipeline.trace_report import trace_report
from napari_cebra.recording import InvalidInput


@pytest.fixture
def rois(made):
    rois = made.recording().rois
    rois.accepted[[1, 4]] = False
    return rois


@pytest.mark.parametrize("name", ["RoiSet.zip", "labels.tif"])
def test_accepted_rois_come_back_with_the_same_pixels(rois, tmp_path, name):
    assert write_rois(tmp_path / name, rois) == ()
    read = read_roi_file(tmp_path / name, rois.shape).rois
    kept = rois.select(rois.accepted)
    np.testing.assert_array_equal(read.to_labels() > 0, kept.to_labels() > 0)
    assert len(read) == 10


def test_the_table_has_all_rois_with_measures_and_curation(made, rois, tmp_path):
    report = trace_report(made.recording())
    write_rois(tmp_path / "rois.csv", rois, report)
    with open(tmp_path / "rois.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["roi"]) for row in rows] == list(range(1, 13))
    assert [int(row["accepted"]) for row in rows].count(0) == 2
    assert float(rows[0]["snr"]) == pytest.approx(report.quality.snr[0], rel=1e-4)
    assert rows[0]["size"].startswith("36") and rows[0]["neuropil_correlation"] == ""


def test_another_ending_and_no_accepted_roi_are_refused(rois, tmp_path):
    with pytest.raises(InvalidInput, match="end the name in"):
        write_rois(tmp_path / "rois.mat", rois)
    rois.accepted[:] = False
    with pytest.raises(InvalidInput, match="accept at least one"):
        write_rois(tmp_path / "rois.zip", rois)
    assert not list(tmp_path.iterdir())
