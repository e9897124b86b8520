import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import tifffile

from napari_cebra import pipeline
from napari_cebra.cli import main
from napari_cebra.cli.arguments import parser
from napari_cebra.cli.commands import configuration
from napari_cebra.pipeline.summary import schema
from napari_cebra.traces import DffSettings, dff


def swap(arguments, option, value):
    if option not in arguments:
        return [*arguments, option, str(value)]
    at = arguments.index(option)
    return [*arguments[: at + 1], str(value), *arguments[at + 2 :]]


def without(arguments, *options):
    kept = list(arguments)
    for option in options:
        at = kept.index(option)
        del kept[at : at + 2]
    return kept


def test_run_writes_what_a_script_gets(arguments, tmp_path, capsys):
    assert main(arguments) == 0
    out = tmp_path / "out"
    summary = json.loads((out / "summary.json").read_text())
    jsonschema.validate(summary, schema())
    said = capsys.readouterr()
    assert f"{summary['decoding']['within_1s']:.3f}" in said.out
    assert "looked up" in said.out
    for phase in ("Choosing", "Final fit", "Control 1 of 1"):
        assert phase in said.err
    assert (out / "decoded.mp4").stat().st_size > 0

    # The same functions, called from a script with the settings it left.
    config = pipeline.PipelineConfig.from_json((out / "config.json").read_text())
    recording = pipeline.exhaust(pipeline.load_recording(config))
    embedding = pipeline.exhaust(pipeline.fit(recording, config))
    decoding = pipeline.exhaust(pipeline.decode(recording, embedding))
    with np.load(out / "embedding.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["latents"], embedding.latents)
    assert decoding.scores.within_1s == summary["decoding"]["within_1s"]
    assert decoding.control("within_1s") == summary["decoding"]["shuffled_within_1s"]


def test_config_repeats_a_run(arguments, tmp_path):
    assert main(arguments) == 0
    again = tmp_path / "again"
    config = str(tmp_path / "out" / "config.json")
    assert main(["run", "--config", config, "--out", str(again)]) == 0
    first, second = (
        json.loads((folder / "summary.json").read_text())
        for folder in (tmp_path / "out", again)
    )
    for summary in (first, second):
        for timed in ("seconds", "outputs"):
            summary.pop(timed)
        summary["decoding"].pop("seconds")
        for timed in ("seconds", "choosing_seconds"):
            summary["training"].pop(timed)
    assert first == second


def test_the_encoder_by_its_length(arguments, v1, tmp_path):
    chosen = ("--encoder", "mean", "--receptive-field", "0.5", "--first-kernel", "2")
    widths = ("--hidden-units", "6", "--dimensions", "4", "--temperature", "0.3")
    assert main([*arguments, *chosen, *widths]) == 0
    config = pipeline.PipelineConfig.from_json(
        (tmp_path / "out" / "config.json").read_text()
    )
    mean_over = round(0.5 * v1.rate) - 1
    assert config.training.model_architecture == f"m{mean_over} u2 d1"
    assert config.training.num_hidden_units == 6
    assert config.training.output_dimension == 4
    assert config.training.temperature == 0.3
    assert config.encoder == pipeline.EncoderConfig()


def test_traces_are_those_of_a_script(arguments, v1, tmp_path):
    words = ["--preset", "Allen", "--neuropil", "fitted", "--baseline-window", "20"]
    words += ["--deconvolve", "--decay", "0.4", "--artefacts", "30"]
    words += ["--percentile", "15", "--smallest-event", "2"]
    chosen = parser().parse_args([*arguments, *words])
    config = configuration(chosen)
    settings = replace(
        DffSettings.preset("Allen"),
        neuropil="fitted",
        window_s=20.0,
        deconvolve=True,
        decay_s=0.4,
        artefact_threshold=30.0,
        percentile=15.0,
        minimal_event=2.0,
    )
    assert config.dff == settings
    recording = pipeline.exhaust(pipeline.load_recording(config))
    expected = dff(recording.raw, recording.neuropil, settings).traces
    assert recording.traces.kind == "events"
    assert np.array_equal(recording.traces.values, expected.values)
    again = pipeline.PipelineConfig.from_json(config.to_json())
    assert again == config
    fixed = configuration(parser().parse_args([*arguments, "--neuropil", "0.5"])).dff
    assert fixed == DffSettings(neuropil_coefficient=0.5)


def test_artefacts_are_not_valid(v1, tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.normal(100, 3, (300, 8))
    counts[100:102] += 300
    np.save(tmp_path / "counts.npy", counts)
    words = ["run", "--traces", str(tmp_path / "counts.npy"), "--traces-kind", "raw"]
    words += ["--time-axis", "0", "--artefacts", "8", "--out", str(tmp_path / "out")]
    config = configuration(parser().parse_args(words))
    recording = pipeline.exhaust(pipeline.load_recording(config))
    assert recording.n_frames == 300
    assert np.flatnonzero(~recording.valid).tolist() == [100, 101]
    assert "artefact" in recording.reasons


def test_search_finds_what_a_script_finds(arguments, tmp_path, capsys):
    arguments = ["search", *without(arguments[1:], "--out")]
    saved = tmp_path / "searched.json"
    arguments += ["--encoder", "mean", "--save", str(saved)]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "Error (frames)" in said.out and "proposed" in said.out
    assert "repeat 3 was not looked at" in said.out
    config = pipeline.PipelineConfig.from_json(saved.read_text())

    stored = tmp_path / "settings.json"
    start = pipeline.PipelineConfig.from_json(stored.read_text())
    start = replace(
        start,
        source=config.source,
        target=config.target,
        training_changes={"max_iterations": 12},
        encoder=pipeline.EncoderConfig(kind="mean"),
    )
    recording = pipeline.exhaust(pipeline.load_recording(start))
    result = pipeline.exhaust(pipeline.search_settings(recording, start))
    assert config.training == result.training
    for line in result.lines:
        assert result.cells(line)[4] in said.out


def test_a_variable_and_an_unknown_rate(arguments, v1, tmp_path):
    counts = tifffile.imread(v1.stack)
    tifffile.imwrite(tmp_path / "plain.tif", counts, metadata={"axes": "TYX"})
    rows = ["speed"] + [f"{np.sin(i / 9):.6f}" for i in range(len(counts))]
    (tmp_path / "speed.csv").write_text("\n".join(rows))
    arguments = without(arguments, "--shown-column", "--repeat-column", "--movie")
    arguments = swap(arguments, "--stack", tmp_path / "plain.tif")
    arguments = swap(arguments, "--rois", "grid:16")
    arguments = swap(arguments, "--variables", tmp_path / "speed.csv")
    assert main([*arguments, "--target", "speed", "--kind", "continuous"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    jsonschema.validate(summary, schema())
    assert summary["rate_hz"] is None
    assert summary["n_rois"] == 16
    assert summary["decoding"]["r2"] is not None
    assert summary["decoding"]["shuffled_r2_max"] is not None
    assert summary["decoding"]["within_1s"] is None


def test_time_alone(arguments, tmp_path, capsys):
    arguments = without(
        arguments, "--variables", "--shown-column", "--repeat-column", "--movie"
    )
    assert main(arguments) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["target"]["name"] is None
    assert summary["decoding"]["within_1s"] is None
    assert not (tmp_path / "out" / "decoded.csv").exists()


def stack_that_is_none(path):
    (path / "bad.tif").write_text("not a stack")
    return {"--stack": path / "bad.tif"}


def stack_cut_short(path):
    whole = path / "whole.tif"
    tifffile.imwrite(whole, np.zeros((180, 64, 64), np.int16))
    (path / "bad.tif").write_bytes(whole.read_bytes()[: 180 * 64 * 64])
    return {"--stack": path / "bad.tif"}


def table_too_short(path):
    (path / "bad.csv").write_text("shown,repeat\n" + "0,0\n" * 100)
    return {"--variables": path / "bad.csv"}


def suite2p_without_its_files(path):
    (path / "plane0").mkdir()
    np.save(path / "plane0" / "F.npy", np.ones((3, 180), np.float32))
    return {"--rois": path / "plane0"}


def movie_too_short(path):
    np.save(path / "bad.npy", np.zeros((20, 8, 8), np.uint8))
    return {"--movie": path / "bad.npy"}


def folder_that_is_a_file(path):
    (path / "file").write_text("in the way")
    return {"--out": path / "file"}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (stack_that_is_none, ("bad.tif", "TIFF")),
        (stack_cut_short, ("bad.tif",)),
        (table_too_short, ("100 rows", "180 frames")),
        (suite2p_without_its_files, ("stat.npy",)),
        (movie_too_short, ("20 frames", "44")),
        (folder_that_is_a_file, ("cannot be written", "another folder")),
        (lambda path: {"--shown-column": "seen"}, ("no column 'seen'",)),
        (lambda path: {"--device": "cuda:77"}, ("cuda:77",)),
        (lambda path: {"--stack": path / "gone.tif"}, ("gone.tif",)),
        (lambda path: {"--steps": 0}, ("max_iterations",)),
        (lambda path: {"--receptive-field": 20}, ("the longest possible here is",)),
        (lambda path: {"--receptive-frames": 0}, ("frames", "from 1")),
        (lambda path: {"--first-kernel": 99}, ("does not fit",)),
        (lambda path: {"--encoder": "u2 nonsense"}, ("no encoder called",)),
        (
            lambda path: {"--encoder": "banana", "--receptive-field": 1},
            ("no encoder called 'banana'", "mean, linear, offset or wide"),
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(bad, words, arguments, tmp_path, capsys):
    for option, value in bad(tmp_path).items():
        arguments = swap(arguments, option, value)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    sentence = said.err.strip().splitlines()[-1]
    assert sentence.startswith("napari-cebra: ")
    assert "Traceback" not in said.err
    for word in words:
        assert word in sentence
    out = tmp_path / "out"
    assert not out.exists() or not list(out.iterdir())


def test_traces_with_nan(arguments, tmp_path, capsys):
    values = np.ones((180, 4), np.float32)
    values[7, 2] = np.nan
    np.save(tmp_path / "nan.npy", values)
    arguments = without(arguments, "--stack", "--rois")
    arguments += ["--traces", str(tmp_path / "nan.npy"), "--time-axis", "0"]
    assert main(arguments) == 2
    assert "NaN" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(arguments, tmp_path, capsys, monkeypatch):
    # The tests may run as root, to whom every folder is open.
    def refuse(self, data):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert main(arguments) == 2
    assert "cannot be written to (Permission denied)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "not enough memory"), (OSError(28, "No space left"), "No space")],
)
def test_machine_at_its_limits(arguments, capsys, monkeypatch, error, words):
    def fail(*_):
        raise error
        yield

    monkeypatch.setattr(pipeline, "run", fail)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_device_out_of_memory(arguments, capsys, monkeypatch):
    import torch

    from napari_cebra.embedding.training import Training

    def full(self):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Training, "_train_step", full)
    assert main(arguments) == 2
    assert "memory" in capsys.readouterr().err


def test_interrupt_leaves_nothing_half_written(
    arguments, tmp_path, capsys, monkeypatch
):
    from napari_cebra.cli.progress import ProgressLine

    def interrupt(self, report):
        if "writing" in report.text:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressLine, "show", interrupt)
    assert main(arguments) == 130
    assert "half-written" in capsys.readouterr().err
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert "summary.json" not in left and "decoded.tif" not in left
    assert not any(name.startswith(".") for name in left)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "--out"),
        (["run", "--out", "x", "--rate", "-3"], "not a positive number"),
        (["run", "--out", "x", "--rate", "fast"], "not a number of Hz"),
        (["run", "--out", "x", "--kind", "odd"], "invalid choice"),
        (["run", "--out", "x", "--preset", "caiman"], "invalid choice"),
        (["run", "--out", "x", "--neuropil", "much"], "nor fitted or Allen"),
        (["run", "--out", "x", "--decay", "-1"], "not a positive number"),
        (
            ["run", "--out", "x", "--receptive-field", "1", "--receptive-frames", "9"],
            "not allowed with",
        ),
        (["paint"], "invalid choice"),
        ([], "COMMAND"),
    ],
)
def test_misspelt_commands(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["demo", "--headless"], "add --out DIR"),
        (["demo", "--screenshots"], "add --out DIR"),
        (["run", "--out", "x", "--period", "3"], "--period needs a --target"),
        (["run", "--out", "x"], "no activity to load"),
        (["run", "--out", "x", "--config", "gone.json"], "gone.json"),
        (["run", "--out", "x", "--seed", "-1"], "seed"),
        (["run", "--out", "x", "--neuropil", "3"], "neuropil_coefficient"),
        (["search", "--save", "gone/settings.json"], "a folder that exists"),
    ],
)
def test_options_that_do_not_go_together(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 and Wayland")
def test_no_display_is_said_before_qt_aborts(capsys, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main(["demo"]) == 2
    assert "no display" in capsys.readouterr().err


def test_demo_without_a_window(v1, arguments, tmp_path, monkeypatch):
    """The demo's own functions on a small recording of the same kind."""
    from napari_cebra.pipeline import PipelineConfig, demo, exhaust

    stored = arguments[arguments.index("--config") + 1]
    config = PipelineConfig.from_json(Path(stored).read_text())
    config = replace(config, training_changes={"max_iterations": 12})
    config = replace(config, decoding=replace(config.decoding, n_controls=1))
    monkeypatch.setenv("NAPARI_CEBRA_CACHE", str(tmp_path / "cache"))
    results = exhaust(demo.run_demo(tmp_path / "out", 0, v1.config, config))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    jsonschema.validate(summary, schema())
    assert summary == results.summary
    assert 0 < summary["traces"]["median_correlation_with_truth"] <= 1
    assert summary["target"]["kind"] == "movie"


def test_command_line_needs_neither_torch_nor_a_window():
    code = (
        "import sys; from napari_cebra.cli.arguments import parser; parser();"
        "print([m for m in ('torch', 'napari', 'qtpy', 'vispy') if m in sys.modules])"
    )
    run = [sys.executable, "-c", code]
    assert subprocess.check_output(run, text=True).strip() == "[]"


def test_help_tells_how(capsys):
    for words in (["--help"], ["run", "--help"], ["demo", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "looked up, not painted" in text
    assert "grid:4" in text


def test_what_is_to_be_known_of_traces_is_printed_first(capsys):
    from napari_cebra.cli.report import print_notes
    from napari_cebra.recording import Recording, Traces

    recording = Recording(Traces(np.eye(4)))
    recording = recording.with_step("read CaImAn", "a.hdf5", notes=["No rate."])
    print_notes(recording.with_step("dff", notes=["1 of 4 ROIs is flagged."]))
    assert capsys.readouterr().out.splitlines() == [
        "Note: No rate.",
        "Note: 1 of 4 ROIs is flagged.",
    ]
