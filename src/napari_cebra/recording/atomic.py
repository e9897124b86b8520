"""Writing a file so that there is never half a file under its name."""

from __future__ import annotations

import errno
import os
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write beside `path`, and take its place only when all went well.

    Yields the path of a temporary file in the same folder and with the same
    suffix. When the block ends, the file is flushed to the disk and renamed
    over `path` in one step; when it raises or is cancelled, the temporary file
    is removed and what stood at `path` before is untouched.

    Raises
    ------
    InvalidInput
        If the folder does not exist or cannot be written to, or the disk is
        full.

    Examples
    --------
    >>> with replacing("table.csv") as draft:  # doctest: +SKIP
    ...     draft.write_text("a,b")
    """
    target = Path(path)
    if target.is_dir():
        raise InvalidInput(
            f"Cannot write {target.name}: there is a folder of that name; choose "
            "another file name."
        )
    draft = target.with_name(
        f".{target.stem}.{uuid.uuid4().hex[:8]}.part{target.suffix}"
    )
    try:
        # Asked for now, so that an hour of work does not end at a closed door.
        with open(draft, "wb"):
            pass
        yield draft
        _flush_to_disk(draft)
        os.replace(draft, target)
    except OSError as error:
        raise InvalidInput(why_not_written(target, error)) from error
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file with this content; see `replacing`."""
    with replacing(path) as draft:
        draft.write_bytes(content)


def why_not_written(path: Path, error: OSError) -> str:
    """Say in one sentence why a file could not be written."""
    folder = path.parent if path.parent != Path() else Path.cwd()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"Cannot write {path.name}: the disk of {folder} is full; free some "
            "space or choose another folder."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"Cannot write {path.name}: the folder {folder} is not writable; "
            "choose another folder."
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return (
            f"Cannot write {path.name}: the folder {folder} does not exist; choose "
            "another folder."
        )
    reason = error.strerror or str(error)
    return f"Cannot write {path.name} in {folder}: {reason}; choose another folder."


def _flush_to_disk(path: Path) -> None:
    # Opened for writing because Windows refuses to flush a read-only handle.
    with open(path, "r+b") as file:
        os.fsync(file.fileno())
