"""Writing what was decoded and embedded, file after file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cebra.pipeline.decoded_table import decoded_columns
from napari_cebra.pipeline.results import writable_folder
from napari_cebra.recording import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from pathlib import Path

    from napari_cebra.pipeline import Decoding, Embedding
    from napari_cebra.recording import Recording


def exporting(
    what: Collection[str],
    folder: Path,
    recording: Recording,
    embedding: Embedding | None,
    decoding: Decoding | None,
) -> Generator[Progress, None, list[Path]]:
    """Write the kinds of files in `what`; return where they are.

    Parameters
    ----------
    what : collection of str
        Of "tiff", "mp4", "csv", "latents_csv", "latents_npz".
    folder : path
        Made if it is not there.

    Raises
    ------
    InvalidInput
        If the folder cannot be written to.
    """
    from napari_cebra import io

    yield Progress(0, 0, "", "Writing")
    writable_folder(folder)
    stem, written = recording.name, []
    stimulus = recording.stimulus
    if decoding is not None and "csv" in what:
        path = folder / f"{stem}_decoding.csv"
        written.append(io.write_decoded_csv(path, decoded_columns(recording, decoding)))
    if decoding is not None and stimulus is not None and stimulus.movie is not None:
        rows = decoding.rows
        shown, predicted = stimulus.shown[rows], decoding.predicted[rows]
        if "tiff" in what:
            path = folder / f"{stem}_decoded.tif"
            written.append(
                (
                    yield from io.write_decoded_tiff(
                        path, stimulus.movie, predicted, recording.rate
                    )
                )
            )
        if "mp4" in what:
            path = folder / f"{stem}_shown_decoded.mp4"
            written.append(
                (
                    yield from io.write_decoded_mp4(
                        path, stimulus.movie, shown, predicted, recording.rate
                    )
                )
            )
    if embedding is not None:
        columns = {"split": embedding.part}
        for kind, suffix in (("latents_csv", "csv"), ("latents_npz", "npz")):
            if kind in what:
                path = folder / f"{stem}_embedding.{suffix}"
                made_by = embedding.config.to_dict()
                written.append(
                    io.write_embedding(
                        path, embedding.latents, recording.frame_times, columns, made_by
                    )
                )
    return written
