"""Text as loggers, spreadsheets and editors leave it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.io import read_table
from napari_cebra.recording import InvalidInput


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return read_table(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "cp1252"])
def test_german_table_in_any_encoding(tmp_path, encoding) -> None:
    text = "Zeit;Größe;Ort\n1.000,5;2,5;a\n2.000;3;b\n3;4,25;b\n"
    read = table(tmp_path, text, encoding)
    assert read.names == ("Zeit", "Größe", "Ort")
    np.testing.assert_array_equal(read.column("Zeit"), [1000.5, 2000, 3])
    np.testing.assert_array_equal(read.column("Größe"), [2.5, 3, 4.25])


def test_a_point_stays_a_decimal_where_nothing_is_grouped(tmp_path) -> None:
    read = table(tmp_path, "a;b\n1.234;2,5\n2.500;3,5\n")
    np.testing.assert_array_equal(read.column("a"), [1.234, 2.5])


def test_remarks_before_the_header(tmp_path) -> None:
    text = "# rig 2, mouse 5\n# made by logger 1.2\ntime_ms,x\n0,1\n50,2\n100,4\n"
    read = table(tmp_path, text)
    assert read.names == ("time_ms", "x")
    np.testing.assert_allclose(read.times, [0, 0.05, 0.1])


def test_dates_and_times_of_day_become_seconds(tmp_path) -> None:
    read = table(
        tmp_path,
        "Timestamp,x\n2023-06-01T10:20:30.1234567+01:00,1\n"
        "2023-06-01T10:20:30.1567891+01:00,2\n,3\n",
    )
    seconds = read.column("Timestamp")
    np.testing.assert_allclose(seconds[:2], [0, 0.033333], atol=1e-6)
    assert np.isnan(seconds[2])
    assert "row 3 is empty" in read.notes[-1]
    day = table(tmp_path, "time,x\n10:20:30.5,1\n10:21:00,2\n")
    np.testing.assert_allclose(day.times, [0, 29.5])


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ("0,0.1,0.3,0.2", "row 4 goes back to 0.2 after 0.3"),
        ("0,0.1,0.1,0.2", "row 3 stays at 0.1 after 0.1"),
    ],
)
def test_times_that_do_not_rise_are_named(tmp_path, times, says) -> None:
    read = table(tmp_path, "time,x\n" + "".join(f"{t},1\n" for t in times.split(",")))
    assert read.times is None
    assert says in read.notes[0]
    with pytest.raises(InvalidInput, match=says):
        read.frame_times("time")


def test_the_unit_of_a_clock_is_in_its_name(tmp_path) -> None:
    read = table(tmp_path, "Time (ms),x\n0,1\n50,2\n100,4\n")
    np.testing.assert_allclose(read.frame_times("Time (ms)"), [0, 0.05, 0.1])
    # What is said of the log comes before the name.
    np.testing.assert_allclose(read.frame_times("Time (ms)", 100), [0, 0.5, 1])


def test_columns_of_the_same_name(tmp_path) -> None:
    read = table(tmp_path, "x,x,y,x\n1,2,3,4\n5,6,7,8\n")
    assert read.names == ("x", "x_2", "y", "x_3")
    assert "several columns 'x'; this one is 'x_2' here" in read.notes[0]


def test_rows_that_are_empty_stay_where_they_are(tmp_path) -> None:
    for text in ("\n\nx\ty\n1\t2\n\t\n3\t4\n\n", "x;y\n1;2\n;\n3;4\n"):
        read = table(tmp_path, text)
        np.testing.assert_array_equal(read.column("x"), [1, np.nan, 3])
    alone = table(tmp_path, "x\r\n1\r\n\r\n3\r\n\r\n")
    np.testing.assert_array_equal(alone.column("x"), [1, np.nan, 3])


def test_words_among_numbers(tmp_path) -> None:
    read = table(tmp_path, "state\nrun\nrest\n3\nrun\n")
    assert read.categories("state") == ("3", "rest", "run")
    assert "mixes words and numbers" in read.notes[0]


def test_a_long_table_in_the_middle_of_which_a_word_stands(tmp_path) -> None:
    lines = [str(k) for k in range(50_000)]
    read = table(tmp_path, "x\n" + "\n".join(lines) + "\n")
    np.testing.assert_array_equal(read.column("x"), np.arange(50_000))
    lines[30_000] = "oops"
    with pytest.raises(InvalidInput, match="line 30002 says 'oops'"):
        table(tmp_path, "x\n" + "\n".join(lines) + "\n")


def test_a_text_file_that_is_too_large_is_refused_unread(tmp_path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.truncate(1 << 33)
        file.seek(0)
        file.write(b"a,b\n1,2\n")
    with pytest.raises(InvalidInput, match="of which at most 256 MB are read"):
        read_table(path)


@pytest.mark.parametrize(
    ("separator", "decimal", "newline"), [(",", ".", "\n"), (";", ",", "\r\n")]
)
def test_long_tables_are_read_as_short_ones(tmp_path, separator, decimal, newline):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30_000, 4)).round(12)
    values[::97, 2] = np.nan
    rows = [
        separator.join("n/a" if np.isnan(v) else repr(float(v)) for v in row)
        for row in values
    ]
    rows = [row.replace(".", decimal) for row in rows]
    header = separator.join(["a", "b", "a_b", "c"])
    text = newline.join(["# made on Monday", header, *rows, ""])
    read = table(tmp_path, text)
    assert read.names == ("a", "b", "a_b", "c")
    np.testing.assert_array_equal(np.stack([*read.columns.values()], axis=1), values)
    # Read cell by cell where a word stands among the numbers.
    ragged = newline.join([*text.split(newline)[:-2], "1"])
    with pytest.raises(InvalidInput, match="has 1 cells but the table has 4 columns"):
        table(tmp_path, ragged)


def test_long_poses_are_read_as_short_ones(tmp_path) -> None:
    rows = ["scorer,n,n,n", "bodyparts,p,p,p", "coords,x,y,likelihood"]
    rows += [f"{k},{k / 7},{k / 3},{(k % 9) / 8}" for k in range(30_000)]
    (tmp_path / "long.csv").write_text("\n".join(rows))
    (tmp_path / "short.csv").write_text("\n".join(rows[:2000]))
    long, short = (read_table(tmp_path / f"{n}.csv") for n in ("long", "short"))
    assert long.names == short.names
    for name in long.names:
        np.testing.assert_array_equal(
            long.columns[name][:1990], short.columns[name][:1990]
        )
