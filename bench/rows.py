"""What every script here writes with ``--json FILE``: a list of cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def row(
    case: str,
    ours: float,
    unit: str,
    peer: float | None = None,
    peer_name: str | None = None,
    *,
    floor_share: float | None = None,
) -> dict[str, Any]:
    """Return one case; the ratio is ours over the peer's, null without a peer."""
    return {
        "case": case,
        "ours": ours,
        "peer": peer,
        "peer_name": peer_name,
        "ratio": None if not peer else ours / peer,
        "unit": unit,
        "floor_share": floor_share,
    }


def write(path: Path | None, rows: list[dict[str, Any]]) -> None:
    """Write the cases, if a file is wanted."""
    if path is not None:
        path.write_text(json.dumps(rows, indent=1) + "\n")
