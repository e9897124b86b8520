"""Variables of any file, chosen alike from a script, JSON and the command line."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from napari_cebra.cli.arguments import parser
from napari_cebra.cli.commands import configuration
from napari_cebra.io import read_table
from napari_cebra.pipeline import (
    PipelineConfig,
    SourceConfig,
    TargetConfig,
    exhaust,
    load_recording,
)
from napari_cebra.pipeline.align_config import AlignConfig, LogConfig
from napari_cebra.pipeline.column_config import ColumnConfig
from napari_cebra.recording import InvalidInput

T, RATE = 60, 10.0


@pytest.fixture
def traces(tmp_path):
    values = np.random.default_rng(0).normal(size=(T, 3))
    np.save(tmp_path / "traces.npy", values)
    return tmp_path / "traces.npy"


@pytest.fixture
def mat(tmp_path):
    beh = {
        "pos": np.arange(T),
        "dir": np.arange(T) * 7 % 360,
        "lap": np.arange(T) // 20,
    }
    savemat(tmp_path / "b.mat", {"beh": beh, "video": {"x": np.arange(200.0)}})
    return tmp_path / "b.mat"


def load(traces, target=None, align=None, **changes):
    source = SourceConfig(traces=str(traces), rate=RATE, **changes)
    config = PipelineConfig(
        source=source,
        target=TargetConfig(target)
        if isinstance(target, str)
        else target or TargetConfig(),
        align=align or AlignConfig(),
    )
    return exhaust(load_recording(PipelineConfig.from_json(config.to_json())))


def kinds(recording):
    return {v.name: (v.kind, v.units, v.period) for v in recording.variables}


def test_all_columns_of_a_struct_or_those_that_are_named(traces, mat) -> None:
    part = "beh: 60 rows"
    everything = load(traces, variables=str(mat), variables_part=part)
    assert set(kinds(everything)) == {"beh.pos", "beh.dir", "beh.lap"}
    chosen = load(
        traces,
        variables=str(mat),
        variables_part=part,
        columns=("beh.dir:circular:360", ColumnConfig("beh.pos", units="cm")),
    )
    assert kinds(chosen) == {
        "beh.dir": ("circular", "", 360.0),
        "beh.pos": ("continuous", "cm", None),
    }
    assert not load(
        traces, variables=str(mat), variables_part=part, columns=()
    ).variables


def test_the_target_is_there_whatever_is_chosen(traces, mat) -> None:
    target = TargetConfig("beh.lap", "continuous")
    recording = load(
        traces,
        target,
        variables=str(mat),
        variables_part="beh: 60 rows",
        columns=("beh.pos",),
    )
    assert list(kinds(recording)) == ["beh.pos", "beh.lap"]
    assert recording.variable("beh.lap").kind == "continuous"


def test_the_command_line_says_the_same(traces, mat) -> None:
    given = parser().parse_args(
        ["run", "--traces", str(traces), "--variables", str(mat), "--variables-part",
         "beh: 60 rows", "--column", "beh.dir:circular:360", "--column", "beh.pos",
         "--likelihood", "0.9", "--longest-gap", "3", "--out", "x"]
    )  # fmt: skip
    source = configuration(given).source
    assert source.columns == (
        ColumnConfig("beh.dir", "circular", period=360.0),
        ColumnConfig("beh.pos"),
    )
    assert (source.variables_part, source.likelihood) == ("beh: 60 rows", 0.9)
    assert source.longest_gap == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("speed", ColumnConfig("speed")),
        ("speed:discrete", ColumnConfig("speed", "discrete")),
        ("a:b", ColumnConfig("a:b")),
        ("a:circular:6.5", ColumnConfig("a", "circular", period=6.5)),
    ],
)
def test_columns_as_text(text, expected) -> None:
    assert ColumnConfig.of(text) == expected


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("a:circular:round", "period of 'a' must be a positive number, not 'round'"),
        ("a:circular:-3", "period of 'a' must be a positive number, not -3.0"),
        (
            {"column": "a", "kind": "odd"},
            "must be one of continuous, circular",
        ),
        ({"column": 3}, "named by its text, not 3"),
        ({"name": "a"}, "Unknown settings in 'columns': name"),
    ],
)
def test_columns_that_cannot_be(given, says) -> None:
    with pytest.raises(InvalidInput) as caught:
        SourceConfig(columns=(given,))
    assert says in str(caught.value)


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text(
        "onset\tduration\ttype\n1\t.5\ttone\n1.2\t1\treward\n2\t0\treward\n"
    )
    return path


def test_events_become_variables(traces, events) -> None:
    recording = load(traces, variables=str(events))
    assert kinds(recording) == {
        "reward": ("discrete", "", None),
        "tone": ("discrete", "", None),
    }
    tone = recording.variable("tone").values
    assert np.flatnonzero(tone).tolist() == [10, 11, 12, 13, 14]


def test_events_on_another_clock(traces, events, tmp_path) -> None:
    """Onsets that both clocks know lead the events to the frames."""
    (tmp_path / "on.csv").write_text("time\n3\n3.2\n4\n")
    log = LogConfig(
        "onsets", imaging={"file": str(tmp_path / "on.csv"), "column": "time"}
    )
    recording = load(traces, align=AlignConfig(behaviour=log), variables=str(events))
    tone = recording.variable("tone").values
    assert np.flatnonzero(tone).tolist() == list(range(30, 35))


def test_poses_with_their_settings(traces, tmp_path) -> None:
    rows = ["scorer,n,n,n", "bodyparts,p,p,p", "coords,x,y,likelihood"]
    rows += [f"{k},{k},{2 * k},{0.5 if k in (4, 5) else 0.95}" for k in range(T)]
    path = tmp_path / "d.csv"
    path.write_text("\n".join(rows))
    filled = load(traces, variables=str(path), columns=("p_x",))
    assert filled.variable("p_x").known.all()
    empty = load(traces, variables=str(path), columns=("p_x",), longest_gap=1)
    assert np.flatnonzero(~empty.variable("p_x").known).tolist() == [4, 5]
    used = load(traces, variables=str(path), columns=("p_x",), valid_column="p_seen")
    assert np.flatnonzero(~used.valid).tolist() == [4, 5]
    lax = read_table(path, likelihood=0.4)
    assert lax.measured["p_x"].all()
