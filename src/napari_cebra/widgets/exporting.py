"""Writing what was decoded and embedded, file after file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cebra.pipeline.decoded_table import decoded_columns
from napari_cebra.pipeline.results import (
    embedding_columns,
    writable_folder,
    write_summary,
)
from napari_cebra.pipeline.summary import summarise
from napari_cebra.recording import Progress

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from pathlib import Path

    from napari_cebra.pipeline import (
        Decoding,
        Embedding,
        HypothesisComparison,
        RoiShares,
    )
    from napari_cebra.recording import Recording

# Key, text, tip, what it needs.
WHAT = (
    ("tiff", "Decoded frames, TIFF", "The decoded picture of each frame", "movie"),
    (
        "mp4",
        "Shown | decoded, MP4",
        "Shown and decoded side by side at the true frame rate",
        "video",
    ),
    (
        "csv",
        "Decoding, CSV",
        "Time, shown, decoded, error, confidence and split of each frame",
        "decoding",
    ),
    (
        "latents_csv",
        "Embedding, CSV",
        "Latents of each frame, with time, split, shown frame, repeat and variables",
        "embedding",
    ),
    (
        "latents_npz",
        "Embedding, NPZ",
        "The same as arrays, for numpy, with the settings",
        "embedding",
    ),
    (
        "traces_csv",
        "Traces, CSV",
        "dF/F (or what was loaded), with time: a row per frame, a column per ROI id",
        "recording",
    ),
    (
        "shares_csv",
        "ROI shares, CSV",
        "A row per ROI: its share in the embedding, and in each latent, in %, with "
        "method and rows",
        "shares",
    ),
    (
        "comparison_csv",
        "Comparison, CSV",
        "A row per variable and control: fit in bits, decoding and consistency, each "
        "with its 95 % interval, and the settings they were trained with",
        "comparison",
    ),
    (
        "summary",
        "Summary & settings, JSON",
        "Scores beside what they compare with, settings, versions and sources",
        "embedding",
    ),
)
LACKS = {
    "movie": "Needs a decoded stimulus with its movie",
    "video": "Needs a decoded stimulus with its movie, and the frame rate",
    "recording": "Take traces in step 2 first",
    "decoding": "Decode in step 4 first",
    "embedding": "Train in step 3 first",
    "shares": "Compute them in step 5 first",
    "comparison": "Compare variables in step 6 first",
}


def exporting(
    what: Collection[str],
    folder: Path,
    recording: Recording,
    embedding: Embedding | None,
    decoding: Decoding | None,
    shares: RoiShares | None = None,
    comparison: HypothesisComparison | None = None,
) -> Generator[Progress, None, list[Path]]:
    """Write the kinds of files in `what`; return where they are.

    Parameters
    ----------
    what : collection of str
        Keys of `WHAT`.
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
        columns = embedding_columns(recording, embedding)
        for kind, suffix in (("latents_csv", "csv"), ("latents_npz", "npz")):
            if kind in what:
                path = folder / f"{stem}_embedding.{suffix}"
                made_by = embedding.config.to_dict()
                written.append(
                    io.write_embedding(
                        path, embedding.latents, recording.frame_times, columns, made_by
                    )
                )
    if "traces_csv" in what:
        traces = recording.traces
        path = folder / f"{stem}_traces_{traces.kind}.csv"
        written.append(
            (
                yield from io.write_traces_csv(
                    path, traces.values, recording.roi_ids, recording.frame_times
                )
            )
        )
    for result, kind in ((shares, "shares"), (comparison, "comparison")):
        if result is not None and f"{kind}_csv" in what:
            path = folder / f"{stem}_{kind}.csv"
            written.append(io.write_decoded_csv(path, result.columns()))
    if embedding is not None and "summary" in what:
        path = folder / f"{stem}_summary.json"
        outputs = tuple(path.name for path in written)
        summary = summarise(
            recording,
            embedding,
            decoding,
            shares=shares,
            comparison=comparison,
            outputs=outputs,
        )
        written.append(write_summary(path, summary))
    return written
