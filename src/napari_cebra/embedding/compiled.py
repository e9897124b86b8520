"""Compiled code: whether it is there, and threads to run it in."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_count: ContextVar[int | None] = ContextVar("_count", default=None)


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


@contextmanager
def threads(count: int, alone: bool = False) -> Iterator[None]:
    """Compute with so many CPU threads, then put back what was set.

    Parameters
    ----------
    count : int
    alone : bool
        Only compiled code has them, and PyTorch one. Each of PyTorch's others waits
        for its next work by running on, for 4 ms, in the way of ours.
    """
    before = torch.get_num_threads()
    token = _count.set(count)
    torch.set_num_threads(1 if alone else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _count.reset(token)


def threads_for(pieces: int) -> int:
    """Return how many threads work on so many pieces."""
    return max(1, min(_count.get() or torch.get_num_threads(), pieces))


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
