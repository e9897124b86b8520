"""Held-out quality: our settings, the published recipe and the raw population.

``python bench/quality reference --cases alme-17724_fambegin2 --seeds 0``
``python bench/quality fit`` (ours on the same splits as the reference, once)
``python bench/quality blocks --cases movie-300-10 track-120``
``python bench/quality bayes``, ``synthetic``, ``ablation``, ``ties``, ``table``

Each result is one line of JSON in a file of the folder ``--to``, and what is
there is not computed again, so a long run can be broken off and several can
share the work. What the published recipe has reached so far is in
``reference.jsonl`` beside this file; copy it there first. Where one block is
tested per seed, seed s tests the block
4 - s (of a movie: repeat 9 - 2 s). One thread; seconds are the processor's.
"""

from __future__ import annotations

import argparse
import fcntl
import json
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ablation import INGREDIENTS, QUICK, TIES, without
from ours import BLOCKS, bayes, measured, repeat_of, single
from recordings import ALME, Case, case
from reference import published
from synthetic import OURS, PUBLISHED, recovered
from tables import report, report_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POSITIONS = (*(f"alme-{session}" for session in ALME), "track-120")
MOVIES = tuple(f"movie-{n}-{f}" for n in (100, 300, 1000) for f in (10, 1))
TRACKS = ("track-100", "track-300", "track-1000")

Job = tuple[dict[str, Any], "Callable[[], Any]"]


def block_of(made: Case, seed: int) -> int:
    """Return the block (or repeat) that a seed tests."""
    block = BLOCKS - 1 - seed
    return repeat_of(block) if made.movie else block


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Yield what identifies each result, and how it is computed."""
    for seed, name in product(options.seeds, options.cases):
        key = {"case": name, "seed": seed}
        if options.what == "synthetic":
            for by, settings in (("cebra", PUBLISHED), ("napari_cebra", OURS)):
                yield {**key, "by": by}, partial(recovered, seed, by, settings)
            continue
        made = _case(name)
        block = block_of(made, seed)
        if options.what == "reference":
            yield (
                {**key, "by": options.by},
                partial(published, made, seed, block, options.by),
            )
        elif options.what == "blocks":
            yield key, partial(_blocks, made, seed)
        elif options.what == "ties":
            for ties, flags in TIES.items():
                changes = {**QUICK, **flags}
                yield (
                    {**key, "ties": ties},
                    partial(published, made, seed, block, "napari_cebra", changes),
                )
        elif options.what == "fit":
            yield key, partial(single, made, seed, block)
        elif options.what == "bayes":
            yield key, partial(bayes, made, BLOCKS - 1 - seed)
        else:
            for ingredient in INGREDIENTS:
                changes = without(ingredient, made)
                if changes is not None:
                    yield (
                        {**key, "ingredient": ingredient},
                        partial(single, made, seed, block, changes),
                    )


_case = cache(case)


def _blocks(made: Case, seed: int) -> dict[str, Any]:
    """All blocks; of a movie the one repeat that the seed tests."""
    only = (BLOCKS - 1 - seed,) if made.movie else tuple(range(BLOCKS))
    return {"folds": list(measured(made, seed, blocks=only))}


class Store:
    """Results of one kind, one JSON line each, shared by several processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken = path.with_suffix(".taken")
        path.parent.mkdir(parents=True, exist_ok=True)

    def take(self, key: dict[str, Any]) -> bool:
        """Claim a result; False where it is there or being computed."""
        line = json.dumps(key, sort_keys=True)
        with self.taken.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if line in file.read().splitlines():
                return False
            file.write(line + "\n")
        return True

    def add(self, result: dict[str, Any]) -> None:
        """Append one result."""
        with self.path.open("a") as file:
            file.write(json.dumps(result) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = (
        "reference", "fit", "blocks", "bayes", "synthetic", "ablation", "ties", "table",
    )  # fmt: skip
    parser.add_argument("what", choices=kinds)
    parser.add_argument("--cases", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(BLOCKS)))
    parser.add_argument("--by", choices=("cebra", "napari_cebra"), default="cebra")
    parser.add_argument("--to", type=Path, default=Path("quality-results"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.what == "table":
        print(report(options.to))
        if options.json is not None:
            options.json.write_text(json.dumps(report_json(options.to), indent=1))
        return
    if options.cases is None:
        options.cases = {
            "blocks": (*POSITIONS, "thunder", *MOVIES, *TRACKS),
            "bayes": MOVIES,
            "ablation": (*POSITIONS, "movie-300-10"),
            "synthetic": ("synthetic",),
            "ties": ("movie-300-10", "movie-300-1"),
        }.get(options.what, (*POSITIONS, *MOVIES))
    torch.set_num_threads(1)
    store = Store(options.to / f"{options.what}.jsonl")
    for key, compute in jobs(options):
        if store.take(key):
            store.add({**key, **compute()})
            print(json.dumps(key), flush=True)


if __name__ == "__main__":
    main()
