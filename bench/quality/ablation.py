"""What each ingredient of the recommended settings is worth: all but that one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ours import settings

from napari_cebra.embedding import receptive_field

if TYPE_CHECKING:
    from recordings import Case

INGREDIENTS: dict[str, dict[str, Any]] = {
    "recommended": {},
    "neurons not standardised": {"standardize": False},
    "no input dropout": {"input_dropout": 0.0},
    "no weight decay": {"weight_decay": 0.0},
    "constant learning rate": {"lr_schedule": "constant"},
    "published rate, 3e-4 constant": {
        "lr_schedule": "constant",
        "learning_rate": 3e-4,
    },
    "temperature 1": {"temperature": 1.0},
    "3 latents": {"output_dimension": 3},
    "8 latents": {"output_dimension": 8},
    "published layers (offset10, 32 units)": {
        "model_architecture": "offset10-model",
        "num_hidden_units": 32,
    },
    "one wide first convolution": {"model_architecture": "u{window} d1"},
    "linear": {"model_architecture": "m{window} d1"},
    "no neurons from other repeats": {"mix_repeats": 0.0},
}

QUICK: dict[str, Any] = {
    "lr_schedule": "one_cycle",
    "learning_rate": 3e-3,
    "max_iterations": 500,
}
"""What makes the published recipe short enough to be run four times."""

TIES: dict[str, dict[str, Any]] = {
    "first minimum, itself included (published)": {},
    "ties at random": {"break_ties": True},
    "not itself": {"exclude_self": True},
    "ties at random, not itself": {"break_ties": True, "exclude_self": True},
}
"""How the nearest of rows with equal labels is chosen, in the published recipe."""


def without(ingredient: str, case: Case) -> dict[str, Any] | None:
    """Return the changed settings; None where they change nothing."""
    start = settings(case, 0, None).training
    assert start is not None
    window = sum(receptive_field(start.model_architecture, start.first_kernel))
    changes = {
        name: value.format(window=window) if isinstance(value, str) else value
        for name, value in INGREDIENTS[ingredient].items()
    }
    same = all(getattr(start, name) == value for name, value in changes.items())
    return None if changes and same else changes
