"""Where the numbers are crunched: a CUDA GPU, Apple's GPU, or the CPU."""

from __future__ import annotations

import torch

from napari_cebra.recording import InvalidInput


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device that `name` stands for on this machine.

    Parameters
    ----------
    name : str
        "auto" takes the first that is there of CUDA, MPS, CPU; also "cpu",
        "mps", "cuda" or "cuda:1". The reference package's
        "cuda_if_available" means "auto".

    Raises
    ------
    InvalidInput
        If the name is unknown or that device is not there.
    """
    if name in ("auto", "cuda_if_available"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if _has_mps() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise InvalidInput(
            f"There is no device called {name!r}; use auto, cpu, cuda, cuda:1 or mps."
        )
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if not torch.cuda.is_available() or (device.index or 0) >= count:
            raise InvalidInput(
                f"The device {name!r} was asked for, but PyTorch sees {count} CUDA "
                "GPUs here; use auto or cpu, or install a CUDA build of PyTorch."
            )
    if device.type == "mps" and not _has_mps():
        raise InvalidInput(
            "Apple's GPU (mps) was asked for, but PyTorch sees none here; use auto "
            "or cpu."
        )
    return device


def default_threads() -> int:
    """Return how many CPU threads to train with: all but one, at least one.

    PyTorch's threads wait for each other several times a step. With one more
    busy thread than cores (a window that draws the latents), all wait for the
    one that was put aside, and training takes several times as long.
    """
    return max(1, torch.get_num_threads() - 1)


def describe_device(device: torch.device | str, threads: int | None = None) -> str:
    """Return words for the window: which device computes, and why not a GPU."""
    if isinstance(device, str):
        device = resolve_device(device)
    if device.type == "cuda":
        return f"GPU {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "Apple GPU (Metal)"
    count = default_threads() if threads is None else threads
    built = torch.version.cuda
    why = (
        f"PyTorch was built for CUDA {built} but sees no GPU"
        if built
        else "this PyTorch is built for the CPU only"
    )
    if torch.cuda.is_available() or _has_mps():
        why = "a GPU is there; choose auto to use it"
    return f"CPU, {count} thread{'s' if count != 1 else ''} ({why})"


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())
