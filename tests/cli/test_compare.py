"""Variables are compared without a window, with the numbers a script gets."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from napari_cebra import pipeline
from napari_cebra.cli import main


@pytest.fixture
def arguments(tmp_path) -> list[str]:
    """One of two variables drives the cells."""
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(size=(300, 2)), axis=0) / 5
    cells = np.exp(-((walks[:, :1] - rng.uniform(-2, 2, 12)) ** 2))
    np.save(tmp_path / "traces.npy", cells + rng.normal(0, 0.1, cells.shape))
    rows = ["\n".join(f"{a:.5f},{b:.5f}" for a, b in walks)]
    (tmp_path / "table.csv").write_text("\n".join(["driven,other", *rows]))
    settings = pipeline.PipelineConfig(
        decoding=pipeline.DecodingConfig(ks=(1, 9), n_blocks=3, calcium_decay_s=0.2),
        training_changes={"model_architecture": "offset1-model", "threads": 1},
    )
    (tmp_path / "settings.json").write_text(settings.to_json())
    return [
        *("compare", "--traces", str(tmp_path / "traces.npy"), "--rate", "10"),
        *("--variables", str(tmp_path / "table.csv"), "--steps", "10"),
        *("--seeds", "2", "--controls", "1", "--device", "cpu"),
        *("--config", str(tmp_path / "settings.json"), "--out", str(tmp_path / "out")),
    ]


def test_the_table_is_that_of_a_script(arguments, tmp_path, capsys):
    assert main([*arguments, "--candidates", "driven", "driven+other"]) == 0
    said = capsys.readouterr()
    assert "driven + other" in said.out and "time alone" in said.out
    assert "over its control" in said.out and "block 1 of 3" in said.err
    with open(tmp_path / "out" / "comparison.csv", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    config = pipeline.PipelineConfig.from_json(
        (tmp_path / "out" / "config.json").read_text()
    )
    recording = pipeline.exhaust(pipeline.load_recording(config))
    candidates = ["driven", ("driven", "other")]
    found = pipeline.exhaust(
        pipeline.compare_hypotheses(recording, candidates, config, 2, 1)
    )
    for line, row in zip(lines, found.table(), strict=True):
        assert line["name"] == row["name"] and float(line["bits"]) == row["bits"]
        for name in set(row) - {"name", "kind"}:
            assert (float(line[name]) if line[name] else np.nan) == pytest.approx(
                row[name], nan_ok=True, rel=0, abs=0
            )


def test_every_variable_is_compared_where_none_is_named(arguments, tmp_path):
    assert main(arguments) == 0
    text = (tmp_path / "out" / "comparison.csv").read_text()
    names = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert names == ["driven", "driven", "other", "other", "time"]


def test_a_variable_that_is_not_there_is_named(arguments, capsys):
    assert main([*arguments, "--candidates", "speed"]) == 2
    assert "speed" in capsys.readouterr().err
