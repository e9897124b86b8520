"""Compiled code: whether it is there, and threads to run it in."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def kernels(name: str) -> Any:
    """Return a module of compiled functions; None where they cannot be.

    They need numba, and vector units of 256 or 512 bits. Loaded on first use.
    """
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return None
    try:
        return import_module(f"napari_cebra.embedding.{name}")
    except ImportError:
        return None


def takes(x: Tensor) -> bool:
    """Return whether compiled functions take this tensor: float32 on the CPU."""
    return x.dtype == torch.float32 and x.device.type == "cpu"


def threads_for(pieces: int) -> int:
    """Return how many threads work on so many pieces."""
    return max(1, min(torch.get_num_threads(), pieces))


def in_threads(work: Callable[[int, int, int], None], pieces: int) -> None:
    """Part the pieces of some work among threads, always in the same way.

    Parameters
    ----------
    work : callable
        Takes the number of a thread, its first piece, and one after its last.
    pieces : int
    """
    threads = threads_for(pieces)
    ends = [pieces * i // threads for i in range(threads + 1)]
    shares = list(zip(range(threads), ends[:-1], ends[1:], strict=True))
    others = [_pool(threads - 1).submit(work, *share) for share in shares[1:]]
    work(*shares[0])
    for other in others:
        other.result()


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="napari-cebra")


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
