"""Base-2 exponential histogram of scale 5: mergeable quantiles with at most 1.1 % error.

Bucket `i` holds the values in (2**(i/32), 2**((i+1)/32)].
"""

from __future__ import annotations

from typing import Any

import numpy as np

PER_DOUBLING = 32
RECORD = np.dtype([("bucket", "<i2"), ("count", "<u4")])


def build(
    keys: np.ndarray[Any, Any], values: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], bytes]:
    """Return the distinct keys, the byte offsets of their records, and the packed records."""
    if len(keys) == 0:
        return np.empty(0, np.int64), np.zeros(1, np.int64), b""
    bucket = (np.ceil(np.log2(values) * PER_DOUBLING) - 1).astype(np.int64)
    cells, counts = np.unique(keys.astype(np.int64) * 65536 + bucket + 32768, return_counts=True)
    owners, starts = np.unique(cells // 65536, return_index=True)
    records = np.empty(len(cells), RECORD)
    records["bucket"] = cells % 65536 - 32768
    records["count"] = counts
    return owners, np.append(starts, len(cells)) * RECORD.itemsize, records.tobytes()
