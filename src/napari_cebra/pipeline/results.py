"""Writing everything a run made into one folder."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cebra.pipeline.decoded_table import decoded_columns
from napari_cebra.pipeline.summary import correlation_with_truth, summarise
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np

    from napari_cebra.pipeline.decoding_result import Decoding
    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.recording import Progress, Recording


def writable_folder(path: str | Path) -> Path:
    """Make a folder and make sure that it can be written to.

    Raises
    ------
    InvalidInput
        If it cannot: better now than after the training.
    """
    folder = Path(path)
    probe = folder / f".napari-cebra-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise InvalidInput(
            f"The output folder {folder} cannot be written to "
            f"({error.strerror or error}); choose another folder."
        ) from error
    return folder


def write_results(
    folder: Path,
    recording: Recording,
    embedding: Embedding,
    decoding: Decoding | None = None,
    *,
    true_dff: np.ndarray | None = None,
    seconds: Mapping[str, float] | None = None,
) -> Generator[Progress, None, dict[str, Any]]:
    """Write embedding, encoder, decoded sequence, settings, and the summary.

    Every file appears under its name only when it is whole; ``summary.json``
    is the last, so that its presence says that all are there.

    Parameters
    ----------
    folder : Path
    recording : Recording
    embedding : Embedding
    decoding : Decoding, optional
    true_dff : (T, N), optional
        Noiseless dF/F of a simulation, one column per ROI id from 1.
    seconds : mapping, optional
        Wall-clock time by part.

    Returns
    -------
    dict
        The summary.
    """
    from napari_cebra.io import replacing, write_decoded_csv, write_embedding

    (folder / "summary.json").unlink(missing_ok=True)
    outputs = ["config.json", "embedding.npz", "embedding.csv", "encoder.safetensors"]
    settings = embedding.config.to_dict()
    for name in ("embedding.npz", "embedding.csv"):
        write_embedding(
            folder / name,
            embedding.latents,
            recording.frame_times,
            embedding_columns(recording, embedding),
            settings,
        )
    embedding.encoder.save(folder / "encoder.safetensors")
    with replacing(folder / "config.json") as draft:
        draft.write_text(embedding.config.to_json(), encoding="utf-8")
    if decoding is not None:
        write_decoded_csv(folder / "decoded.csv", decoded_columns(recording, decoding))
        outputs.append("decoded.csv")
        outputs += yield from _write_pictures(folder, recording, decoding)
    truth = None
    if true_dff is not None:
        true = true_dff[:, recording.roi_ids - 1]
        truth = correlation_with_truth(recording.traces.values, true)
    summary = summarise(
        recording,
        embedding,
        decoding,
        correlation_with_truth=truth,
        seconds=seconds,
        outputs=tuple(outputs),
    )
    write_summary(folder / "summary.json", summary)
    return summary


def write_summary(path: Path, summary: Mapping[str, Any]) -> Path:
    """Write what `summarise` returned as JSON; it appears only when whole."""
    from napari_cebra.io import replacing

    with replacing(path) as draft:
        text = json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False)
        draft.write_text(text + "\n", encoding="utf-8")
    return path


def _write_pictures(
    folder: Path, recording: Recording, decoding: Decoding
) -> Generator[Progress, None, list[str]]:
    """Look the decoded frames up in the movie, for the rows that were decoded."""
    from napari_cebra.io import write_decoded_mp4, write_decoded_tiff

    stimulus = recording.stimulus
    if not decoding.looked_up or stimulus is None or stimulus.movie is None:
        return []
    rows, written = decoding.rows, ["decoded.tif"]
    predicted, shown = decoding.predicted[rows], decoding.true[rows]
    yield from write_decoded_tiff(
        folder / "decoded.tif", stimulus.movie, predicted, recording.rate
    )
    if recording.rate is not None:  # a video without a rate would lie
        yield from write_decoded_mp4(
            folder / "decoded.mp4", stimulus.movie, shown, predicted, recording.rate
        )
        written.append("decoded.mp4")
    return written


def embedding_columns(
    recording: Recording, embedding: Embedding
) -> dict[str, np.ndarray]:
    """Return the columns written beside the latents.

    The part of each row in the split, its trial, the movie frame shown and its
    repeat, and every variable that is one number per imaging frame.
    """
    columns: dict[str, np.ndarray] = {
        "split": embedding.part,
        "trial": recording.trials,
    }
    if recording.stimulus is not None:
        columns |= {
            "shown": recording.stimulus.shown,
            "repeat": recording.stimulus.repeat,
        }
    for variable in recording.variables:
        if variable.values.ndim == 1 and variable.name not in columns:
            columns[variable.name] = variable.values
    return columns
