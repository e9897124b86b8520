"""Tables in the shapes that loggers and spreadsheets write them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.io import read_table
from napari_cebra.recording import InvalidInput


def table(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return read_table(path)


@pytest.mark.parametrize(
    "text",
    [
        "speed,pos\n1.5,2\n3,\n-4e-1,7\n",
        "speed;pos\n1,5;2\n3;\n-4e-1;7\n",
        "speed\tpos\r\n1.5\t2\r\n3\tNaN\r\n-0.4\t7\r\n",
        "speed;pos\n1.5;2\n3;n/a\n-0.4;7\n",
        '"speed", "pos"\n1.5, 2\n3, \n-0.4, 7\n',
        "# speed,pos\n1.5,2\n3,null\n-0.4,7\n\n\n",
        "speed,pos,\n1.5,2,\n3,,\n-0.4,7,\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_decimals_and_encodings(tmp_path, text, encoding) -> None:
    read = table(tmp_path, text, encoding=encoding)
    assert read.names == ("speed", "pos")
    np.testing.assert_array_equal(read.column("speed"), [1.5, 3, -0.4])
    np.testing.assert_array_equal(read.column("pos"), [2, np.nan, 7])


def test_without_a_header(tmp_path) -> None:
    read = table(tmp_path, "1,2\n3,4\n")
    assert read.names == ("column_0", "column_1")
    assert read.n_rows == 2


def test_blanks_as_separator(tmp_path) -> None:
    read = table(tmp_path, "t   x\n0.1  5\n0.2 6\n", "t.txt")
    np.testing.assert_array_equal(read.column("x"), [5, 6])


def test_single_column_and_latin_text(tmp_path) -> None:
    assert table(tmp_path, "größe\n1\n2\n", encoding="latin-1").names == ("größe",)


def test_rows_are_put_in_frame_order(tmp_path) -> None:
    read = table(tmp_path, "frame,x\n2,20\n0,0\n1,10\n")
    np.testing.assert_array_equal(read.column("x"), [0, 10, 20])
    with pytest.raises(InvalidInput, match="names frame 3 twice"):
        table(tmp_path, "frame,x\n" + "".join(f"{k},1\n" for k in [*range(30), 3]))


@pytest.mark.parametrize("off", [-1, 1, 40])
def test_wrong_length_names_both_numbers(tmp_path, off) -> None:
    read = table(tmp_path, "x\n" + "1\n" * (500 + off), "covariates.csv")
    read.check_length(500 + off)
    with pytest.raises(InvalidInput) as caught:
        read.check_length(500)
    said = str(caught.value)
    assert f"covariates.csv has {500 + off} rows but the stack has 500 frames" in said
    assert ("--align, in the window the Align step" in said) == (off == 40)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a,b\n", "header but no rows"),
        ("a,b\n1,2\n1,2,3\n", "Row 3 of t.csv has 3 cells"),
        ("a,b\n1,2\n1,oops\n1,4\n1,5\n", "line 3 says 'oops'"),
        ("a\0b\n1\n", "binary file"),
    ],
)
def test_what_is_not_a_table(tmp_path, text, says) -> None:
    with pytest.raises(InvalidInput) as caught:
        table(tmp_path, text)
    assert says in str(caught.value)


def test_kinds_are_guessed_and_can_be_set(tmp_path) -> None:
    rows = 60
    cells = [
        f"{k * 0.37:.2f},{k % 3},{(k * 11) % 360},{'LR'[k % 2]},{k % 2 == 0}"
        for k in range(rows)
    ]
    text = "speed (cm/s),block,heading,side,moving\n" + "\n".join(cells)
    read = table(tmp_path, text)
    kinds = {name: read.guess_kind(name) for name in read.names}
    assert kinds == {
        "speed (cm/s)": "continuous",
        "block": "discrete",
        "heading": "circular",
        "side": "discrete",
        "moving": "discrete",
    }
    assert read.variable("speed (cm/s)").units == "cm/s"
    assert read.variable("heading").period == 360
    assert read.categories("side") == ("L", "R")
    np.testing.assert_array_equal(read.variable("side").values[:3], [0, 1, 0])
    assert read.variable("block", "continuous").values.dtype == np.float64
    with pytest.raises(InvalidInput, match="can only be discrete"):
        read.variable("side", "continuous")
    with pytest.raises(InvalidInput, match="no column 'sped'; it has speed"):
        read.variable("sped")
    with pytest.raises(InvalidInput, match="cannot be discrete"):
        read.variable("speed (cm/s)", "discrete")


def test_radians_are_told_from_degrees(tmp_path) -> None:
    angles = np.linspace(-np.pi, np.pi, 40)
    text = "phase\n" + "\n".join(f"{a:.5f}" for a in angles)
    assert table(tmp_path, text).variable("phase").period == pytest.approx(2 * np.pi)


def test_roles_of_columns(tmp_path) -> None:
    read = table(
        tmp_path, "shown,repeat,trial,use,half,time\n"
        "0,1,a,1,0.5,0\n1,1,a,0,1,0.1\n,2,b,yes,2,0.3\n-1,2,,true,3,0.2\n",
    )  # fmt: skip
    np.testing.assert_array_equal(read.shown("shown"), [0, 1, -1, -1])
    np.testing.assert_array_equal(read.repeat("repeat"), [1, 1, 2, 2])
    np.testing.assert_array_equal(read.trials("trial"), [0, 0, 1, -1])
    np.testing.assert_array_equal(read.valid("use"), [True, False, True, True])
    with pytest.raises(InvalidInput, match=r"row 1 holds 0\.5"):
        read.shown("half")
    with pytest.raises(InvalidInput, match="not a clock"):
        read.frame_times("time")
    with pytest.raises(InvalidInput, match="holds words"):
        read.valid("trial")
    with pytest.raises(InvalidInput, match="selects no row"):
        table(tmp_path, "use\n0\n0\n").valid("use")
    with pytest.raises(InvalidInput, match="goes down to -3"):
        table(tmp_path, "s\n-3\n0\n").shown("s")


@pytest.mark.real_data
def test_thunder_covariates(real_data) -> None:
    read = read_table(real_data / "thunder_mouse_s1" / "covariates.csv")
    read.check_length(500)
    position = read.variable("corridor_position", units="cm")
    assert position.kind == "continuous"
    assert (position.values.min(), position.values.max()) == (2.05, 15.36)
    expected = np.genfromtxt(
        real_data / "thunder_mouse_s1" / "covariates.csv", delimiter=",", names=True
    )
    np.testing.assert_array_equal(position.values, expected["corridor_position"])
    with pytest.raises(InvalidInput, match="500 rows but the stack has 499 frames"):
        read.check_length(499)
