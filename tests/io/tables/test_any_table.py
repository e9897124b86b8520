"""Any table, written in any format, is read with the same values; any text, or not."""

from __future__ import annotations

import csv
import os

import numpy as np
import openpyxl
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from napari_cebra.io import read_table
from napari_cebra.recording import InvalidInput

EXAMPLES = int(os.environ.get("NAPARI_CEBRA_FUZZ", "25"))
FEW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
NUMBER = st.floats(-1e300, 1e300) | st.integers(-(10**6), 10**6).map(float)
NAME = st.from_regex(r"[a-z]{1,3}[A-Z][a-z]{0,3}", fullmatch=True)


@st.composite
def columns(draw) -> dict[str, np.ndarray]:
    rows = draw(st.integers(4, 12))
    names = draw(st.lists(NAME, min_size=2, max_size=4, unique_by=str.lower))
    made = {}
    for name in names:
        cells = draw(st.lists(NUMBER | st.just(np.nan), min_size=rows, max_size=rows))
        made[name] = np.array(cells)
    # Excel does not keep empty rows at the end.
    assume(any(np.isfinite(values[-1]) for values in made.values()))
    assume(all(np.isfinite(values).any() for values in made.values()))
    return made


def written(folder, columns):
    names, rows = list(columns), list(zip(*columns.values(), strict=True))
    cells = [["" if np.isnan(v) else float(v) for v in row] for row in rows]
    for delimiter, file in ((",", "t.csv"), ("\t", "t.tsv")):
        with (folder / file).open("w", newline="") as stream:
            writer = csv.writer(stream, delimiter=delimiter)
            writer.writerow(names)
            writer.writerows([[repr(c) if c != "" else c for c in r] for r in cells])
        yield folder / file
    german = "\n".join(
        ";".join(str(c).replace(".", ",") for c in row) for row in [names, *cells]
    )
    (folder / "g.csv").write_text(german, encoding="utf-16")
    yield folder / "g.csv"
    book = openpyxl.Workbook()
    for row in [names, *cells]:
        book.active.append([None if c == "" else c for c in row])
    book.save(folder / "t.xlsx")
    yield folder / "t.xlsx"
    savemat(folder / "t.mat", {"s": columns}, do_compression=True)
    yield folder / "t.mat"
    np.savez(folder / "t.npz", **columns)
    yield folder / "t.npz"


@FEW
@given(columns())
def test_the_same_values_from_every_format(tmp_path_factory, columns) -> None:
    folder = tmp_path_factory.mktemp("any")
    for path in written(folder, columns):
        read = read_table(path)
        found = {name.rpartition(".")[2]: read.columns[name] for name in read.names}
        assert found.keys() == columns.keys(), path.name
        for name, values in columns.items():
            # openpyxl writes 16 digits, of the 17 that some numbers need.
            exact = 1e-15 if path.suffix == ".xlsx" else 0
            np.testing.assert_allclose(found[name], values, exact, err_msg=path.name)


TEXT = st.text(st.sampled_from('ab1.,;\t\n\r"# -%:TZé\0'), max_size=60)


@FEW
@given(TEXT | st.text(max_size=40), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
def test_any_text_is_read_or_refused(tmp_path_factory, text, encoding) -> None:
    path = tmp_path_factory.mktemp("any") / "t.csv"
    path.write_bytes(text.encode(encoding, "replace"))
    try:
        read = read_table(path)
    except InvalidInput as error:
        assert str(error).endswith(".")
        return
    assert all(len(column) == read.n_rows for column in read.columns.values())
    for name in read.names:
        kind = read.guess_kind(name)
        if read.columns[name].dtype.kind == "U" or np.isfinite(read.column(name)).any():
            assert read.variable(name).kind == kind
