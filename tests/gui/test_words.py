"""What the steps say, in the number that it is about."""

import pytest

pytest.importorskip("napari")

from napari_cebra.pipeline.trace_report import counted, flagged_text

pytestmark = pytest.mark.gui


def test_one_roi_is_one():
    assert counted(1) == "1 ROI" and counted(12) == "12 ROIs"
    assert flagged_text(1, 5).startswith("1 of 5 ROIs is flagged: its baseline")
    assert flagged_text(2, 5).startswith("2 of 5 ROIs are flagged: their baseline")
