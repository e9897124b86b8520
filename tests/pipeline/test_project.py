import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cebra.decoding import Scores, Split
from napari_cebra.embedding import AttributionConfig, Encoder, TrainConfig
from napari_cebra.embedding.encoder import Standardization, build_network
from napari_cebra.io import SourceFile
from napari_cebra.pipeline import project_manifest
from napari_cebra.pipeline.attribution import RoiShares
from napari_cebra.pipeline.config import PipelineConfig, SourceConfig, TargetConfig
from napari_cebra.pipeline.decoding_result import Decoding
from napari_cebra.pipeline.embedding_result import Embedding, TrainingLog
from napari_cebra.pipeline.hypothesis_table import (
    HypothesisComparison,
    HypothesisRow,
    HypothesisScore,
    Interval,
)
from napari_cebra.pipeline.project import (
    Project,
    StackReference,
    open_project,
    relink,
    save_project,
)
from napari_cebra.recording import (
    InvalidInput,
    Recording,
    RoiSet,
    Stimulus,
    Traces,
    Variable,
)
from napari_cebra.traces import DffSettings, dff

T, N, M = 120, 6, 40


def made_encoder(rng):
    config = TrainConfig(output_dimension=3, num_hidden_units=8)
    network = build_network(config, N).eval()
    mean = torch.from_numpy(rng.normal(size=N).astype(np.float32))
    scale = torch.from_numpy(rng.uniform(1, 2, N).astype(np.float32))
    standardization = Standardization(mean, scale, config.normalize_frames)
    return Encoder(network, standardization, config, {"steps": 5, "seconds": 0.5})


def made_recording(rng, movie=None):
    labels = np.zeros((20, 24), int)
    labels[2:14, 3:15] = np.arange(144).reshape(12, 12) // 24 + 1
    rois = replace(RoiSet.from_labels(labels), accepted=np.arange(N) != 2)
    raw = Traces(rng.normal(100, 5, (T, N)), "raw", 30.0, {"step": "extract"})
    ring = Traces(rng.normal(60, 5, (T, N)), "neuropil", 30.0, {"inner": 2})
    position = np.where(np.arange(T) < 5, np.nan, rng.uniform(0, 100, T))
    recording = Recording(
        dff(raw, ring, DffSettings(baseline="maximin")).traces,
        rois,
        raw,
        ring,
        (
            Variable("position", position, units="cm"),
            Variable("heading", rng.uniform(0, 360, T), "circular", "°", 360.0),
            Variable("odour", rng.integers(0, 3, T), "discrete"),
        ),
        Stimulus(np.arange(T) % M, movie=movie, frame_times=np.arange(M) / 30),
        trials=np.arange(T) // 60,
        name="mouse 7",
    )
    recording = recording.exclude(np.arange(T) == 9, "bad frame")
    # Names that the file format itself uses must come back as they were.
    odd = {"array": [1, 2], "is": "Recording", "scale": 1.03}
    return recording.with_step("aligned", "log.csv", offset_s=0.25, **odd)


def made_embedding(rng, config):
    latents = rng.normal(size=(T, 3)).astype(np.float32)
    latents[9] = np.nan
    row = np.arange(T)
    split = Split(row < 60, (row >= 60) & (row < 80), row >= 80, name="repeat 2")
    log = TrainingLog(
        np.array([0, 100]),
        np.array([5.0, 4.5], np.float32),
        np.array([0.0, 1.0], np.float32),
        np.array([np.nan, 0.7], np.float32),
    )
    return Embedding(
        latents=latents,
        encoder=made_encoder(rng),
        config=config,
        split=split,
        part=split.parts(np.arange(T) != 9),
        log=log,
        choosing_log=None,
        k=25,
        steps=100,
        seconds=1.5,
        choosing_seconds=0.5,
        device="cpu",
        threads=1,
    )


def made_decoding(rng):
    return Decoding(
        target="stimulus frame",
        task="index",
        predicted=rng.integers(-1, M, T),
        true=np.arange(T) % M,
        candidates=rng.integers(0, M, (T, 5)),
        weights=rng.random((T, 5)).astype(np.float32),
        confidence=rng.random(T).astype(np.float32),
        part=np.where(np.arange(T) < 80, "train", "test"),
        fold=np.where(np.arange(T) < 80, -1, 0),
        folds=("repeat 2",),
        k=(25,),
        steps=(100,),
        raw_choice=((9, 2.0),),
        scores=Scores(40, within_1s=0.9, median_frame_error=2.0),
        chance=Scores(40, within_1s=0.1),
        raw=Scores(40, within_1s=0.7),
        raw_predicted=rng.integers(-1, M, T),
        controls=(Scores(40, within_1s=0.11), Scores(40, within_1s=0.09)),
        settings={"seed": 3, "ks": (1, 25)},
        seconds={"choosing": 1.0},
    )


def made_shares(rng):
    attributed = rng.random((3, 4))
    return RoiShares(np.arange(1, 5), attributed, AttributionConfig(), "all", 119)


def made_comparison(config):
    some, unknown = Interval(1.5, 1.0, 2.0), Interval(0.25, -0.5, 1.0)
    score = HypothesisScore("speed", "median_error", "cm/s", some)
    rows = (
        HypothesisRow("speed", "hypothesis", some, unknown, (score,), some),
        HypothesisRow("time", "time", unknown, None, (score, score), unknown),
    )
    return HypothesisComparison(rows, ("block 1 of 3",), (7, 9), 2, config, 12.5)


def made_project(rng, folder):
    """A project with everything in it, and its raw files in `folder`."""
    folder.mkdir(exist_ok=True)
    frames = rng.integers(0, 900, (T, 20, 24)).astype(np.int16)
    np.save(folder / "stack.npy", frames)
    movie = rng.integers(0, 255, (M, 9, 12)).astype(np.uint8)
    np.save(folder / "movie.npy", movie)
    recording = made_recording(rng, movie)
    config = PipelineConfig(
        SourceConfig(stack=str(folder / "stack.npy"), rate=30.0),
        target=TargetConfig("stimulus frame"),
        training=TrainConfig(output_dimension=3),
        seed=3,
    )
    stack = StackReference(SourceFile.of(folder / "stack.npy"), "TYX", None, 30.0)
    return Project(
        stack,
        SourceFile.of(folder / "movie.npy"),
        recording.rois,
        frames.mean(0, dtype=np.float32),
        recording,
        made_embedding(rng, config),
        made_decoding(rng),
        config,
        {"layers": {"rois": {"opacity": 0.4, "visible": True}}, "frame": 17},
        shares=made_shares(rng),
        comparison=made_comparison(config),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def project(rng, tmp_path):
    return made_project(rng, tmp_path / "raw")


def same(a, b, where="project"):
    """Assert that two objects hold the same bits, field by field."""
    if is_dataclass(a) and not isinstance(a, Encoder | PipelineConfig):
        assert type(a) is type(b), where
        for item in fields(a):
            name = item.name
            same(getattr(a, name), getattr(b, name), f"{where}.{name}")
    elif isinstance(a, Encoder):
        for module in ("network", "standardization"):
            x, y = (getattr(e, module).state_dict() for e in (a, b))
            assert x.keys() == y.keys(), where
            assert all(torch.equal(x[key], y[key]) for key in x), where
        assert a.config == b.config and a.training == b.training
    elif hasattr(a, "shape") and not isinstance(a, np.generic):
        assert a.dtype == b.dtype, where
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), where)
    elif isinstance(a, tuple):
        assert isinstance(b, tuple) and len(a) == len(b), where
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{k}]")
    elif isinstance(a, dict):  # JSON has no tuples
        assert json.loads(json.dumps(a)) == b, where
    else:
        assert a == b, where


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_everything_comes_back(project, tmp_path):
    path = save_project(project, tmp_path / "mouse.cebra")
    assert path == tmp_path / "mouse.cebra" / "project.cebra.json"
    for where in (path, path.parent):
        again = open_project(where)
        same(project, again)
        assert again.rois is again.recording.rois
    with again.stack.open() as stack:
        assert stack.rate == 30 and stack.shape == (T, 20, 24)
    values, segment = project.recording.traces.values, project.recording.trials
    before, after = (
        one.embedding.encoder.transform(values, segment) for one in (project, again)
    )
    np.testing.assert_array_equal(before, after)


def test_an_empty_project_and_one_of_traces_alone(rng, tmp_path):
    for part in (
        Project(),
        Project(recording=Recording(Traces(rng.normal(size=(50, 3)), "events"))),
    ):
        save_project(part, tmp_path / "a.cebra")
        same(part, open_project(tmp_path / "a.cebra"))


def test_rois_not_yet_extracted_and_a_movie_without_a_file(project, tmp_path):
    drawn = project.rois.with_mask(9, np.array([1, 1]), np.array([4, 5]))
    project = replace(project, rois=drawn, movie=None)
    save_project(project, tmp_path / "a.cebra")
    same(project, open_project(tmp_path / "a.cebra"))


def test_saving_again_writes_nothing_but_the_manifest(project, tmp_path):
    folder = tmp_path / "a.cebra"
    save_project(project, folder)
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    save_project(open_project(folder), folder)
    after = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"project.cebra.json"} and set(after) == set(before)


def test_a_new_dff_keeps_the_counts_and_removes_the_old(project, tmp_path):
    folder = tmp_path / "a.cebra"
    save_project(project, folder)
    (folder / "notes.txt").write_text("mine")
    before = names(folder)
    recording = project.recording
    traces = dff(recording.raw, recording.neuropil).traces
    save_project(replace(project, recording=replace(recording, traces=traces)), folder)
    gone, new = before - names(folder), names(folder) - before
    assert len(gone) == len(new) == 1
    assert all(name.startswith("recording.traces-") for name in gone | new)
    save_project(Project(), folder)
    assert names(folder) == {"project.cebra.json", "notes.txt"}


class Killed(BaseException):
    """The program is gone: nothing it would still have done happens."""


class Fuse:
    """Lets some file operations through and fails at all that follow."""

    def __init__(self, monkeypatch, allowed, error=Killed):
        self.left, self.error, self.blown = allowed, error, False
        for module, name in (
            (os, "replace"),
            (os, "fsync"),
            (os, "unlink"),
            (os, "mkdir"),
            (Path, "unlink"),
            (Path, "mkdir"),
            (Path, "write_text"),
        ):
            self._guard(monkeypatch, module, name)
        self._guard(monkeypatch, __builtins__, "open")

    def _guard(self, monkeypatch, holder, name):
        item = isinstance(holder, dict)
        real = holder[name] if item else getattr(holder, name)

        def guarded(*args, **kwargs):
            if name == "open" and item and "r" in (args[1:] or ("r",))[0]:
                if "+" not in (args[1:] or ("r",))[0]:
                    return real(*args, **kwargs)
            frees = name == "unlink" and self.error is OSError
            if self.left <= 0 and not frees:
                self.blown = True
                raise self.error(errno.ENOSPC, "No space left on device")
            self.left -= 1
            return real(*args, **kwargs)

        setter = monkeypatch.setitem if item else monkeypatch.setattr
        setter(holder, name, guarded)


@pytest.mark.parametrize("error", [Killed, OSError], ids=["killed", "disk full"])
def test_a_crash_at_any_moment_leaves_the_last_good_state(
    project, rng, tmp_path, error
):
    folder, fresh = tmp_path / "a.cebra", tmp_path / "fresh"
    save_project(project, folder)
    shutil.copytree(folder, fresh)
    changed = replace(
        project,
        recording=replace(project.recording, traces=project.recording.raw),
        embedding=made_embedding(rng, project.config),
        decoding=None,
        view_state={"frame": 80},
    )
    states = set()
    for allowed in itertools.count():
        shutil.rmtree(folder)
        shutil.copytree(fresh, folder)
        with pytest.MonkeyPatch.context() as patch:
            fuse = Fuse(patch, allowed, error)
            try:
                save_project(changed, folder)
            except Killed:
                pass
            except InvalidInput as full:
                assert "disk" in str(full) and "full" in str(full)
        found = open_project(folder)
        new = found.view_state == {"frame": 80}
        same(changed if new else project, found)
        states.add(new)
        save_project(changed, folder)
        kept = json.loads((folder / "project.cebra.json").read_text())
        named = {*kept["files"].values(), kept["encoder"], "project.cebra.json"}
        assert names(folder) == named
        if not fuse.blown:
            break
    same(changed, open_project(folder))
    assert allowed > 12 and states == {True, False}


def test_a_file_taken_away_while_saving_is_noticed(project, tmp_path, monkeypatch):
    folder = tmp_path / "a.cebra"
    save_project(project, folder)
    module = sys.modules["napari_cebra.pipeline.project"]
    real = module.manifest_text

    def meanwhile(manifest):
        next(folder.glob("decoding-*.npz")).unlink()
        return real(manifest)

    monkeypatch.setattr(module, "manifest_text", meanwhile)
    with pytest.raises(InvalidInput, match=r"another program removed decoding-"):
        save_project(replace(project, view_state={}), folder)
    monkeypatch.undo()
    save_project(project, folder)
    same(project, open_project(folder))


def test_raw_files_are_found_where_the_folder_went_along(project, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shutil.move(tmp_path / "raw", home / "raw")
    project = relink(project, project.stack.source, home / "raw" / "stack.npy")
    project = relink(project, project.movie, home / "raw" / "movie.npy")
    save_project(project, home / "a.cebra")
    shutil.move(home, tmp_path / "elsewhere")
    again = open_project(tmp_path / "elsewhere" / "a.cebra")
    assert not again.missing
    expected = tmp_path / "elsewhere" / "raw" / "stack.npy"
    assert Path(again.stack.source.path).resolve() == expected.resolve()
    assert again.recording.stimulus.movie is not None


def test_files_that_moved_are_asked_for(project, tmp_path):
    save_project(project, tmp_path / "a.cebra")
    shutil.move(tmp_path / "raw", tmp_path / "far")
    again = open_project(tmp_path / "a.cebra")
    assert {source.name for source in again.missing} == {"stack.npy", "movie.npy"}
    assert again.recording.stimulus.movie is None
    same(project.decoding, again.decoding)
    # Saved meanwhile, it still knows what it is looking for.
    save_project(again, tmp_path / "a.cebra")
    again = open_project(tmp_path / "a.cebra")
    for source in again.missing:
        again = relink(again, source, tmp_path / "far" / source.name)
    assert not again.missing
    same(project.recording, again.recording)
    assert again.stack.open().shape == (T, 20, 24)


def test_another_file_of_that_name_is_refused(project, tmp_path):
    save_project(project, tmp_path / "a.cebra")
    other = np.load(tmp_path / "raw" / "stack.npy")
    other[5] += 1
    np.save(tmp_path / "raw" / "stack.npy", other)
    again = open_project(tmp_path / "a.cebra")
    assert [source.name for source in again.missing] == ["stack.npy"]
    with pytest.raises(InvalidInput, match="not the file"):
        relink(again, again.missing[0], tmp_path / "raw" / "stack.npy")


def damage_manifest(folder, change):
    path = folder / "project.cebra.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(schema=None),
        lambda m: m.update(files={"recording": "../../secret.npz"}),
        lambda m: m.update(surprise=1),
        lambda m: m.pop("config"),
        lambda m: m["recording"].pop("traces"),
        lambda m: m["recording"].update({"is": "Popen"}),
        lambda m: m["recording"].update(colour="red"),
        lambda m: m["recording"]["trials"].update(array=["recording", "gone"]),
        lambda m: m["stack"].pop("source"),
        lambda m: m["config"].update(seed="three"),
        lambda m: m.update(recording=None),
        lambda m: m.update(encoder=None),
    ],
)
def test_a_tampered_manifest_is_named(project, tmp_path, change):
    save_project(project, tmp_path / "a.cebra")
    damage_manifest(tmp_path / "a.cebra", change)
    with pytest.raises(InvalidInput, match=r"project\.cebra\.json is damaged"):
        open_project(tmp_path / "a.cebra")


def test_every_truncated_or_changed_file_is_named(project, tmp_path):
    folder = tmp_path / "a.cebra"
    save_project(project, folder)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 0x41
        for content in (b"", whole[: len(whole) // 2], whole[:-40], bytes(flipped)):
            path.write_bytes(content)
            if path.suffix == ".json" and content == bytes(flipped):
                continue  # one changed letter may still be a project
            with pytest.raises(InvalidInput, match="damaged") as raised:
                open_project(folder)
            assert path.name in str(raised.value)
        path.unlink()
        with pytest.raises(InvalidInput, match=r"lacks its file|no readable project"):
            open_project(folder)
        path.write_bytes(whole)
    same(project, open_project(folder))


def test_arrays_that_would_run_code_are_refused(project, tmp_path):
    folder = tmp_path / "a.cebra"
    save_project(project, folder)
    path = next(folder.glob("decoding-*.npz"))
    np.savez(path, predicted=np.array([print], object))
    with pytest.raises(InvalidInput, match="damaged"):
        open_project(folder)


def test_an_older_schema_is_brought_up_to_date(project, tmp_path):
    folder = tmp_path / "a.cebra"
    save_project(project, folder)

    def to_0(manifest):
        manifest["schema"] = 0
        manifest["view"] = manifest.pop("view_state")
        manifest["stack"] = manifest["stack"]["source"]

    damage_manifest(folder, to_0)
    again = open_project(folder)
    same(replace(project, stack=None), replace(again, stack=None))
    assert again.stack.source == project.stack.source
    assert set(project_manifest._MIGRATIONS) == set(range(project_manifest.SCHEMA))


def test_a_project_from_before_shares_and_comparisons_opens(project, tmp_path):
    path = save_project(project, tmp_path / "a.cebra")
    damage_manifest(path.parent, lambda m: (m.pop("shares"), m.pop("comparison")))
    again = open_project(path)
    assert again.shares is None and again.comparison is None
    same(project.decoding, again.decoding)


def test_a_newer_schema_is_refused(project, tmp_path):
    save_project(project, tmp_path / "a.cebra")
    damage_manifest(tmp_path / "a.cebra", lambda m: m.update(schema=99))
    with pytest.raises(InvalidInput, match=r"later version .* update napari-cebra"):
        open_project(tmp_path / "a.cebra")


def test_what_is_no_project_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="no readable project"):
        open_project(tmp_path / "nothing.cebra")
    (tmp_path / "project.cebra.json").write_text("[1, 2]")
    with pytest.raises(InvalidInput, match="not a project"):
        open_project(tmp_path)


def test_folders_that_cannot_be_written_are_named(project, tmp_path):
    with pytest.raises(InvalidInput, match=r"NAME\.cebra"):
        save_project(project, tmp_path / "data")
    with pytest.raises(InvalidInput, match="does not exist"):
        save_project(project, tmp_path / "no" / "a.cebra")
    (tmp_path / "file.cebra").write_text("")
    with pytest.raises(InvalidInput, match=r"file\.cebra"):
        save_project(project, tmp_path / "file.cebra")


def test_torch_is_not_loaded_before_there_is_an_encoder():
    code = "import sys, napari_cebra.pipeline.project; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
