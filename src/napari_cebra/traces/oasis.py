"""The inner loop of OASIS, in plain Python that `kernels` compiles."""

from __future__ import annotations

import numpy as np


def oasis(
    y: np.ndarray,
    step: np.ndarray,
    cost: np.ndarray,
    penalty: float,
    minimal: float,
    lowest: float,
    calcium: np.ndarray,
    events: np.ndarray,
) -> float:
    """Fit calcium that only decays between events to one trace.

    ``1/2 sum (c - y)^2 + penalty sum s`` is minimised over ``c >= lowest`` and
    ``s[k] = c[k] - step[k] c[k - 1] >= 0``: algorithm 1 of Friedrich, Zhou &
    Paninski 2017 (PLoS Comput Biol 13:e1005423), pool adjacent violators with
    decay inside the pools. A decay of its own between every two samples lets
    unseen frames lie between them.

    Parameters
    ----------
    y : (n,) float64
        Samples.
    step : (n,) float64
        Decay since the sample before; 0 where a stretch begins, whose first
        calcium is no event.
    cost : (n,) float64
        What one unit of ``c[k]`` adds to ``sum s``: 1 less the decay to the
        next sample.
    penalty : float
        Price of a unit of events.
    minimal : float
        Smallest event; smaller ones are merged away (no longer convex).
    lowest : float
        0, or minus infinity for calcium below the baseline.
    calcium, events : (n,) float64
        Filled with c and s.

    Returns
    -------
    float
        ``sum (c - y)^2``.
    """
    n = y.size
    start = np.empty(n, np.int64)  # first sample of each pool
    total = np.empty(n)  # weighted sum of its samples
    weight = np.empty(n)
    fall = np.empty(n)  # decay from its first to its last sample
    top = -1
    for k in range(n):
        top += 1
        start[top], fall[top], weight[top] = k, 1.0, 1.0
        total[top] = y[k] - penalty * cost[k]
        while top > 0 and step[start[top]] > 0:
            down = fall[top - 1] * step[start[top]]
            before = max(total[top - 1] / weight[top - 1], lowest)
            if total[top] / weight[top] >= down * before + minimal:
                break
            total[top - 1] += down * total[top]
            weight[top - 1] += down * down * weight[top]
            fall[top - 1] = down * fall[top]
            top -= 1
    error = 0.0
    value = 0.0
    for i in range(top + 1):
        first = start[i]
        stop = start[i + 1] if i < top else n
        left = step[first] * value
        value = max(total[i] / weight[i], lowest)
        for k in range(first, stop):
            if k > first:
                value *= step[k]
            calcium[k], events[k] = value, 0.0
            error += (value - y[k]) ** 2
        if step[first] > 0:
            events[first] = max(calcium[first] - left, 0.0)
    return error
