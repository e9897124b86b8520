import csv
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from napari_cebra.pipeline import (
    PipelineConfig,
    correlation_with_truth,
    decode,
    decoded_columns,
    display_coordinates,
    exhaust,
    fit,
    summarise,
    write_results,
)
from napari_cebra.pipeline.summary import schema
from napari_cebra.recording import Recording, Traces, Variable


@pytest.fixture(scope="module")
def movie(tiny, config):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (60, 16, 24), np.uint8)
    recording = replace(tiny, stimulus=replace(tiny.stimulus, movie=pictures))
    embedding = exhaust(fit(recording, config()))
    return recording, embedding, exhaust(decode(recording, embedding))


@pytest.fixture(scope="module")
def position(tiny, config):
    embedding = exhaust(fit(tiny, config("position")))
    return tiny, embedding, exhaust(decode(tiny, embedding))


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_everything_is_written_and_said(movie, tmp_path):
    recording, embedding, decoding = movie
    summary = exhaust(write_results(tmp_path, recording, embedding, decoding))
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {*summary["outputs"], "summary.json"}
    assert {"decoded.tif", "decoded.mp4", "decoded.csv"} <= written
    stored = json.loads((tmp_path / "summary.json").read_text())
    assert stored == summary
    jsonschema.validate(stored, schema())
    again = PipelineConfig.from_json((tmp_path / "config.json").read_text())
    assert again == embedding.config


def test_decoded_pictures_are_those_of_the_movie(movie, tmp_path):
    import tifffile

    recording, embedding, decoding = movie
    exhaust(write_results(tmp_path, recording, embedding, decoding))
    pictures = tifffile.imread(tmp_path / "decoded.tif")
    expected = recording.stimulus.movie[decoding.predicted[decoding.rows]]
    assert np.array_equal(pictures, expected)


def test_csv_of_a_movie(movie, tmp_path):
    recording, embedding, decoding = movie
    exhaust(write_results(tmp_path, recording, embedding, decoding))
    rows = rows_of(tmp_path / "decoded.csv")
    assert len(rows) == recording.n_frames
    for i in (0, 100, 239):
        assert rows[i]["split"] in ("train", "validation")
        assert rows[i]["decoded"] == rows[i]["error_frames"] == rows[i]["fold"] == ""
        assert rows[i]["confidence"] == ""
    for i in (240, 299):
        assert rows[i]["split"] == "test"
        decoded, shown = int(rows[i]["decoded"]), int(rows[i]["shown"])
        assert decoded == decoding.predicted[i]
        assert int(rows[i]["error_frames"]) == abs(decoded - shown)
        assert float(rows[i]["error_s"]) == pytest.approx(abs(decoded - shown) / 10)
        assert float(rows[i]["time_s"]) == i / 10
    share = np.mean([float(r["error_s"]) < 1 for r in rows[240:]])
    assert share == pytest.approx(decoding.scores.within_1s)


def test_csv_of_a_value(position, tmp_path):
    recording, embedding, decoding = position
    exhaust(write_results(tmp_path, recording, embedding, decoding))
    rows = rows_of(tmp_path / "decoded.csv")
    error = [abs(float(r["decoded"]) - float(r["true"])) for r in rows]
    np.testing.assert_allclose(error, [float(r["error"]) for r in rows])
    assert np.median(error) == pytest.approx(decoding.scores.median_error)
    assert {r["fold"] for r in rows} == set("0123")
    assert not (tmp_path / "decoded.tif").exists()


def test_r2_can_be_computed_again_from_the_csv(position, tmp_path):
    recording, embedding, decoding = position
    exhaust(write_results(tmp_path, recording, embedding, decoding))
    rows = [r for r in rows_of(tmp_path / "decoded.csv") if r["training_mean"]]
    assert len(rows) == decoding.scores.n_rows
    error, true, mean = (
        np.array([float(r[name]) for r in rows])
        for name in ("signed_error", "true", "training_mean")
    )
    assert (error < 0).any() and (error > 0).any()
    assert np.unique(mean).size == len(decoding.folds)
    r2 = 1 - (error**2).sum() / ((true - mean) ** 2).sum()
    assert r2 == pytest.approx(decoding.scores.r2, abs=1e-12)


def test_values_in_two_columns_have_their_errors_too(position):
    recording, _, decoding = position
    both = np.stack([decoding.true, decoding.true * 2], axis=1)
    place = Variable("place", both)
    recording = replace(recording, variables=(place,))
    decoding = replace(
        decoding,
        target="place",
        true=both,
        predicted=both + np.array([3.0, -4.0]),
        training_means=np.arange(8.0).reshape(4, 2),
    )
    columns = decoded_columns(recording, decoding)
    np.testing.assert_allclose(columns["error"], 5)
    np.testing.assert_allclose(columns["signed_error_1"], -4)
    np.testing.assert_array_equal(columns["training_mean_1"], decoding.fold * 2 + 1)


def test_a_decoding_of_an_older_project_has_no_training_mean(position):
    recording, _, decoding = position
    columns = decoded_columns(recording, replace(decoding, training_means=None))
    assert columns["training_mean"] is None


def test_embedding_reads_back(position, tmp_path):
    from napari_cebra.embedding import Encoder

    recording, embedding, _ = position
    exhaust(write_results(tmp_path, recording, embedding))
    with np.load(tmp_path / "embedding.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["latents"], embedding.latents)
    rows = rows_of(tmp_path / "embedding.csv")
    assert float(rows[7]["latent_2"]) == pytest.approx(embedding.latents[7, 2])
    encoder = Encoder.load(tmp_path / "encoder.safetensors")
    assert encoder.receptive_field == embedding.encoder.receptive_field


def test_summary_holds_what_was_asked_for(position):
    recording, embedding, decoding = position
    summary = summarise(recording, embedding, decoding)
    found = summary["decoding"]
    assert found["r2"] == decoding.scores.r2
    assert found["shuffled_r2"] == decoding.control("r2")
    assert found["shuffled_r2_max"] == max(decoding.control_values("r2"))
    assert found["raw_knn_r2"] == decoding.raw.r2
    assert found["chance_r2"] == 0
    assert found["within_1s"] is None
    assert summary["n_rois"] == 24
    assert summary["n_frames"] == 300
    assert summary["training"]["steps"] == embedding.steps
    assert summary["training"]["goodness_of_fit_bits"] == embedding.bits_heldout
    assert summary["traces"]["median_correlation_with_truth"] is None
    jsonschema.validate(summary, schema())


def test_summary_of_time_alone_is_null_where_nothing_applies(tiny, config):
    recording = Recording(Traces(tiny.traces.values), name="no clock")
    embedding = exhaust(fit(recording, config(None)))
    summary = summarise(recording, embedding)
    jsonschema.validate(summary, schema())
    assert summary["rate_hz"] is None
    assert summary["target"] == {"name": None, "kind": None, "mode": "time"}
    scores = {k: v for k, v in summary["decoding"].items()}
    assert set(scores.values()) == {None}


def test_schema_refuses_what_is_no_share(position):
    summary = summarise(*position)
    jsonschema.Draft202012Validator.check_schema(schema())
    summary["decoding"]["within_1s"] = 97.0
    with pytest.raises(jsonschema.ValidationError, match="97"):
        jsonschema.validate(summary, schema())


def test_a_run_that_is_stopped_leaves_no_half_file(movie, tmp_path):
    recording, embedding, decoding = movie
    (tmp_path / "summary.json").write_text("of an earlier run")
    work = write_results(tmp_path, recording, embedding, decoding)
    next(work)  # while a picture file is being written
    work.close()
    left = {path.name for path in tmp_path.iterdir()}
    assert "summary.json" not in left
    assert not any(name.startswith(".") for name in left)


def test_correlation_is_the_median_over_rois():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(200, 3))
    values = truth + rng.normal(size=truth.shape) * [0.1, 1.0, 5.0]
    expected = [np.corrcoef(values[:, j], truth[:, j])[0, 1] for j in range(3)]
    assert correlation_with_truth(values, truth) == pytest.approx(np.median(expected))
    values[:, 1] = 3.0
    expected[1] = 0
    assert correlation_with_truth(values, truth) == pytest.approx(np.median(expected))


def test_display_agrees_with_sklearn_and_says_what_it_explains():
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    latents = (rng.normal(size=(300, 6)) * [5, 4, 3, 1, 1, 1]).astype(np.float32)
    latents[10] = np.nan
    rows = np.arange(300) < 200
    display = display_coordinates(latents, rows)
    fitted = latents[rows & np.isfinite(latents[:, 0])]
    oracle = PCA(3).fit(fitted)
    kept = np.isfinite(latents[:, 0])
    expected = oracle.transform(latents[kept])
    signs = np.sign((expected * display.coordinates[kept]).sum(axis=0))
    np.testing.assert_allclose(display.coordinates[kept], expected * signs, atol=1e-4)
    assert display.explained == pytest.approx(oracle.explained_variance_ratio_.sum())
    assert np.isnan(display.coordinates[10]).all()
    flat = display_coordinates(latents[:, :2])
    assert np.array_equal(flat.coordinates[kept, :2], latents[kept, :2])
    assert (flat.coordinates[kept, 2] == 0).all() and flat.explained == 1
