"""What a column is taken for: angles, wraps, codes, units; and how it is told."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.io.tables.names import is_clock, seconds_per_unit, unit_in
from napari_cebra.io.tables.summary import summarise
from napari_cebra.io.tables.table import Table

RNG = np.random.default_rng(3)
WALK = np.cumsum(RNG.normal(0.02, 0.05, 3000))


def kind_of(name, values):
    table = Table("t.csv", {name: np.asarray(values, float)})
    kind = table.guess_kind(name)
    return kind, table.variable(name).period if kind == "circular" else None


@pytest.mark.parametrize(
    ("name", "values", "period"),
    [
        ("heading", np.mod(WALK, 2 * np.pi), 2 * np.pi),
        ("heading", np.degrees(np.mod(WALK, 2 * np.pi)), 360),
        ("hd (deg)", np.linspace(0, 5, 50), 360),
        ("hd_rad", np.linspace(0, 3, 50), 2 * np.pi),
        ("a", np.mod(WALK, 2 * np.pi) - np.pi, 2 * np.pi),
        ("b", np.degrees(np.mod(WALK, 2 * np.pi)), 360),
        ("encoder", np.round(1023.499 * np.mod(
            np.cumsum(RNG.normal(0, 0.08, 5000)), 1) - 0.499), 1024),
    ],
)  # fmt: skip
def test_angles_are_seen(name, values, period) -> None:
    kind, found = kind_of(name, values)
    assert kind == "circular"
    assert found == pytest.approx(period, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("track", np.mod(np.arange(2000) * 0.37, 150)),  # put back to the start
        ("speed", np.abs(RNG.normal(size=500))),
        ("x", RNG.uniform(0, 360, 500)),  # noise, no wraps
        ("step", np.repeat([0.5, 300.0], 50)),
        ("angle", np.linspace(0, 900, 50)),
    ],
)
def test_what_is_no_angle(name, values) -> None:
    assert kind_of(name, values)[0] == "continuous"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("orientation", np.arange(200) % 4),
        ("lick", (np.arange(400) % 7 == 0).astype(float)),
    ],
)
def test_codes_and_flags_are_discrete(name, values) -> None:
    assert kind_of(name, values)[0] == "discrete"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("pos_cm", "cm"), ("speed (cm/s)", "cm/s"), ("speed [m/s]", "m/s"),
        ("v_cm_s", "cm/s"),
        ("speed_cm/s", "cm/s"), ("time_ms", "ms"), ("pupil", ""), ("m", ""),
        ("items", ""),
        ("T (°C)", "°C"), ("speed (cm/s)_2", "cm/s"),
    ],
)  # fmt: skip
def test_units_in_names(name, unit) -> None:
    assert unit_in(name) == unit


def test_clocks_by_name() -> None:
    names = ["time", "Time (ms)", "beh/timestamps", "t_s", "lifetime", "trial_time"]
    assert [is_clock(name) for name in names] == [True] * 4 + [False] * 2
    assert seconds_per_unit("time_us") == pytest.approx(1e-6)


def test_columns_are_described() -> None:
    values = np.sin(np.arange(1000) / 50)
    values[100:300] = np.nan
    measured = np.ones(1000, bool)
    measured[400:410] = False
    words = np.array(["b", "a", "", "a"] * 250)
    table = Table("t", {"x_cm": values, "w": words}, measured={"x_cm": measured})
    x, w = summarise(table)
    assert (x.kind, x.units, x.missing, x.filled) == ("continuous", "cm", 200, 10)
    assert str(x) == "x_cm: -1 to 1 cm, 200 rows empty, 10 rows filled in"
    assert x.outline.shape == (64, 2)
    assert np.isnan(x.outline[8]).all()
    assert np.nanmax(x.outline) == np.nanmax(values)
    assert (w.kind, w.values, w.missing) == ("discrete", "a, b", 250)
