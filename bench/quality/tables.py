"""Tables of what was measured."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Results = list[dict[str, Any]]
_SHORT = {"median_error": "median"}


def read(folder: Path, what: str) -> Results:
    """Return the results of one kind; none where there is no file."""
    path = folder / f"{what}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def measure_of(case: str) -> tuple[str, str, int]:
    """Return what a case is judged by: key of the score, its name, its sign.

    The sign is +1 where more is better.
    """
    if case.startswith("movie"):
        return "within_1s", "share within 1 s", 1
    unit = "" if case == "thunder" else ", cm"
    return "median_error", f"median error{unit}", -1


def interval(values: Iterable[float]) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval (Student's t)."""
    array = np.asarray(list(values), float)
    if array.size < 2:
        return float(array.mean()), np.nan, np.nan
    half = student.ppf(0.975, array.size - 1) * array.std(ddof=1) / array.size**0.5
    return float(array.mean()), float(array.mean() - half), float(array.mean() + half)


def own_blocks(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Return our result on the block that each seed tests, by case and seed."""
    last = {}
    for result in read(folder, "blocks"):
        tested = 4 - result["seed"]
        (fold,) = (f for f in result["folds"] if f["block"] == tested)
        last[result["case"], result["seed"]] = fold
    return last


def own_fits(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Return our one fit on the split of each seed, by case and seed."""
    return {(r["case"], r["seed"]): r for r in read(folder, "fit")}


def against_reference(folder: Path) -> list[str]:
    """Ours, by the whole protocol, and the published recipe on the same block.

    Seconds are those of choosing on one block and fitting once.
    """
    ours, fits = own_blocks(folder), own_fits(folder)
    lines = [
        "| case | by | seeds | published recipe | its best k | ours | "
        "ours better by (95 %) | in | CPU s, theirs | CPU s, ours (choosing, "
        "fitting) | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (case, by), found in _grouped(read(folder, "reference"), "case", "by").items():
        key, _, sign = measure_of(case)
        pairs = [(r, ours[case, r["seed"]]) for r in found if (case, r["seed"]) in ours]
        if not pairs:
            continue
        theirs = np.array([r["scores"][key] for r, _ in pairs])
        best = np.array(
            [
                max(s[key] * sign for s in r["scores_by_k"].values()) * sign
                for r, _ in pairs
            ]
        )
        own = np.array([o["ours"][_SHORT.get(key, key)] for _, o in pairs])
        better, low, high = interval(sign * (own - theirs))
        seconds = np.median([r["cpu_seconds"] for r, _ in pairs])
        spent = [fits[case, r["seed"]] for r, _ in pairs if (case, r["seed"]) in fits]
        choosing = np.median([fit["choosing_cpu_seconds"] for fit in spent])
        fitting = np.median([fit["cpu_seconds"] for fit in spent])
        lines.append(
            f"| {case} | {by} | {len(pairs)} | {theirs.mean():.3g} | {best.mean():.3g} "
            f"| {own.mean():.3g} | {_with_interval(better, low, high)} | "
            f"{int((sign * (own - theirs) > 0).sum())} | "
            f"{seconds:.0f} | {choosing:.1f}, {fitting:.1f} | "
            f"{seconds / (choosing + fitting):.0f} |"
        )
    return lines


def against_raw(folder: Path) -> list[str]:
    """Ours and the raw population over seeds and blocks, paired."""
    lines = [
        "| case | seeds × blocks | raw population | ours | ours better by (95 %) |",
        "|---|---|---|---|---|",
    ]
    for case, found in _grouped(read(folder, "blocks"), "case").items():
        key, _, sign = measure_of(*case)
        key = _SHORT.get(key, key)
        folds = [fold for r in found for fold in r["folds"]]
        own = np.array([f["ours"][key] for f in folds])
        raw = np.array([f["raw"][key] for f in folds])
        mean, low, high = interval(sign * (own - raw))
        lines.append(
            f"| {case[0]} | {len(folds)} | {raw.mean():.3g} | {own.mean():.3g} | "
            f"{_with_interval(mean, low, high)} |"
        )
    return lines


def against_bayes(folder: Path) -> list[str]:
    """Ours and Gaussian naive Bayes on the same repeats."""
    ours = own_blocks(folder)
    lines = ["| case | repeats | naive Bayes | ours |", "|---|---|---|---|"]
    for case, found in _grouped(read(folder, "bayes"), "case").items():
        pairs = [
            (r["bayes"]["within_1s"], ours[r["case"], r["seed"]]["ours"]["within_1s"])
            for r in found
            if (r["case"], r["seed"]) in ours
        ]
        if pairs:
            theirs, own = np.mean(pairs, axis=0)
            lines.append(f"| {case[0]} | {len(pairs)} | {theirs:.3f} | {own:.3f} |")
    return lines


def ablation(folder: Path) -> list[str]:
    """Show what is lost by leaving each ingredient out, paired over seeds."""
    found = _grouped(read(folder, "ablation"), "ingredient", "case")
    cases = sorted({case for _, case in found})
    lines = [
        f"| | {' | '.join(cases)} |",
        "|---|" + "---|" * len(cases),
    ]
    full = {
        (r["case"], r["seed"]): r for case in cases for r in found["recommended", case]
    }
    for ingredient in dict.fromkeys(name for name, _ in found):
        cells = []
        for case in cases:
            key, _, _ = measure_of(case)
            results = found.get((ingredient, case), [])
            if not results:
                cells.append("same")
                continue
            values = [r["scores"][key] for r in results]
            text = f"{np.mean(values):.3g}"
            if ingredient != "recommended":
                change = [
                    r["scores"][key] - full[case, r["seed"]]["scores"][key]
                    for r in results
                ]
                mean, low, high = interval(change)
                text += f" ({mean:+.2g}: {low:+.2g} to {high:+.2g})"
            cells.append(text)
        lines.append(f"| {ingredient} | {' | '.join(cells)} |")
    return lines


def ties(folder: Path) -> list[str]:
    """Show the published recipe with other choices among equally near rows."""
    found = _grouped(read(folder, "ties"), "ties", "case")
    cases = sorted({case for _, case in found})
    lines = [f"| nearest row | {' | '.join(cases)} |", "|---|" + "---|" * len(cases)]
    for choice in dict.fromkeys(name for name, _ in found):
        cells = []
        for case in cases:
            key, _, _ = measure_of(case)
            mean, low, high = interval(
                r["scores"][key] for r in found.get((choice, case), [])
            )
            cells.append(_with_interval(mean, low, high))
        lines.append(f"| {choice} | {' | '.join(cells)} |")
    return lines


def synthetic(folder: Path) -> list[str]:
    """R² of the recovered latent, the reference's and ours."""
    lines = [
        "| by | seeds | R² held out | R² fitted | CPU s |",
        "|---|---|---|---|---|",
    ]
    for (by,), found in _grouped(read(folder, "synthetic"), "by").items():
        columns = [
            np.mean([r[name] for r in found])
            for name in ("r2", "r2_fitted", "cpu_seconds")
        ]
        lines.append(
            f"| {by} | {len(found)} | {columns[0]:.3f} | {columns[1]:.3f} | "
            f"{columns[2]:.1f} |"
        )
    return lines


def report(folder: Path) -> str:
    """Return all tables, in Markdown."""
    parts = {
        "Against the published recipe": against_reference,
        "Against the raw population": against_raw,
        "Against Gaussian naive Bayes": against_bayes,
        "Ablation": ablation,
        "Ties": ties,
        "Synthetic": synthetic,
    }
    return "\n\n".join(
        f"## {title}\n\n" + "\n".join(table(folder)) for title, table in parts.items()
    )


def report_json(folder: Path) -> list[dict[str, Any]]:
    """Return the time to the published recipe's error, as `bench` scripts do.

    Ours counts where its error is not larger; where it is, `ours` is null.
    """
    ours, fits = own_blocks(folder), own_fits(folder)
    grouped: defaultdict[str, list[tuple[dict, dict]]] = defaultdict(list)
    for result in read(folder, "reference"):
        at = result["case"], result["seed"]
        if at in ours and at in fits:
            kind = result["case"].split("-")[0]
            grouped[f"quality_{kind}"].append((result, {**ours[at], **fits[at]}))
    rows = []
    for case, pairs in sorted(grouped.items()):
        key, _, sign = measure_of(pairs[0][0]["case"])
        short = _SHORT.get(key, key)
        gain = [sign * (o["ours"][short] - r["scores"][key]) for r, o in pairs]
        reached = float(np.mean(gain)) >= 0
        peer = float(np.sum([r["cpu_seconds"] for r, _ in pairs]))
        own_s = float(
            np.sum([o["cpu_seconds"] + o["choosing_cpu_seconds"] for _, o in pairs])
        )
        rows.append(
            {
                "case": case,
                "ours": own_s if reached else None,
                "peer": peer,
                "peer_name": "published recipe",
                "ratio": peer / own_s if reached else None,
                "unit": "CPU s",
                "floor_share": None,
            }
        )
    return rows


def _with_interval(mean: float, low: float, high: float) -> str:
    if np.isnan(low):  # of a single result
        return f"{mean:.3g}"
    return f"{mean:.3g} ({low:.3g} to {high:.3g})"


def _grouped(results: Results, *keys: str) -> dict[tuple[str, ...], Results]:
    groups: defaultdict[tuple[str, ...], Results] = defaultdict(list)
    for result in results:
        groups[tuple(result[key] for key in keys)].append(result)
    return dict(groups)
