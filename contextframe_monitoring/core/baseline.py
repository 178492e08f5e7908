"""How far the newest value of a series is from what this time of day is usually like.

The series is cut into days that end now. Of each day the median is its level; the median of the
earlier days at one time of day, less their levels, is what that time is usually like. The newest
value is held against that, its nearest neighbours in time included (a daily job may start some
minutes late), and the distance is measured in robust standard deviations of the earlier days.

Medians make it blind to single outliers in the past; taking the spread of the residuals between
their 1 % and 99 % points as well as their MAD keeps it calm on spiky series. Nothing is said before
two days have passed.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAYS_MAX = 14
DAYS_MIN = 2
SLOTS_NEAR = 3
"""Neighbouring slots that a daily pattern may be shifted by."""
_MAD_TO_SIGMA = 1.4826
_SPREAD_TO_SIGMA = 1 / (2 * 2.3263)
"""Of a normal distribution: MAD, and the distance of the 1 % and 99 % points, in deviations."""
_LEVEL_SHARE = 0.01
_AMPLITUDE_SHARE = 0.02
"""A deviation is never taken as less than this share of the level and of the daily amplitude."""


def deviation(values: Floats, slots_per_day: int, *, one: float | None = None) -> float | None:
    """Return how many robust standard deviations the last of `values` is off; NaN is no value.

    `one` is what a single occurrence adds where the values count something: counts scatter by at
    least the root of their level. None when the last value or two days before it are missing.
    """
    days = min(DAYS_MAX, len(values) // slots_per_day - 1)
    if days < DAYS_MIN or math.isnan(values[-1]):
        return None
    by_day = values[len(values) - (days + 1) * slots_per_day :].reshape(days + 1, slots_per_day)
    levels = _median(by_day, axis=1)
    if np.isnan(levels[:-1]).sum() > days - DAYS_MIN or math.isnan(levels[-1]):
        return None
    about = by_day - levels[:, None]
    usual = _median(about[:-1], axis=0)
    residuals = (about[:-1] - usual)[~np.isnan(about[:-1] - usual)]
    near = usual[np.arange(-1 - SLOTS_NEAR, SLOTS_NEAR) % slots_per_day]
    near = near[~np.isnan(near)]
    if not len(near):
        return None
    scale = max(_spread(residuals), _floor(usual, float(levels[-1]), one))
    last = float(about[-1, -1])
    off = max(float(near.min()) - last, last - float(near.max()), 0.0)
    return off / scale if scale > 0 else 0.0


def _spread(residuals: Floats) -> float:
    low, high = np.quantile(residuals, [0.01, 0.99])
    mad = float(np.median(np.abs(residuals - np.median(residuals))))
    return max(_MAD_TO_SIGMA * mad, float(high - low) * _SPREAD_TO_SIGMA)


def _floor(usual: Floats, level: float, one: float | None) -> float:
    """Return the least deviation that makes sense: a flat line has none of its own."""
    known = usual[~np.isnan(usual)]
    amplitude = float(known.max() - known.min())
    floor = max(_LEVEL_SHARE * abs(level), _AMPLITUDE_SHARE * amplitude)
    return floor if one is None else max(floor, math.sqrt(max(abs(level), one) * one))


def _median(values: Floats, axis: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a day or a slot without any value is NaN
        return np.nanmedian(values, axis=axis)
