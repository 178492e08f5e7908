"""The model of a cost fact; of one that has no model, the service and what it did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.source import Integers, Mask, Rows

SERVICE_JOIN = "_"


class ModelKey:
    """`gpt-4`, or `openai_gpt-4` where service and operation are all that is known (the statistics
    seed's `track_cost`): no fact falls out of a breakdown by model.
    """

    columns = ("model", "provider", "operation")

    def __init__(self) -> None:
        """Begin without labels."""
        self._labels, self._providers, self._operations = Labels(), Labels(), Labels()

    def codes(self, rows: Rows) -> Integers:
        """Return the code of each row's label."""
        models = rows.labels("model")
        codes = self._labels.codes(models)
        if not models.null_count:
            return codes
        places = np.flatnonzero(models.is_null().to_numpy(zero_copy_only=False))
        providers = self._providers.codes(rows.labels("provider"))[places]
        operations = self._operations.codes(rows.labels("operation"))[places]
        width = len(self._operations)
        pairs, inverse = np.unique(providers * width + operations, return_inverse=True)
        named = [self._labels.code(self._name(*divmod(pair, width))) for pair in pairs.tolist()]
        codes = codes.copy()
        codes[places] = np.array(named, np.int64)[inverse]
        return codes

    def _name(self, provider: int, operation: int) -> str | None:
        parts = (self._providers.names[provider], self._operations.names[operation])
        return SERVICE_JOIN.join(part for part in parts if part) or None

    def names(self) -> Sequence[str | None]:
        """Return the labels by code."""
        return self._labels.names

    def mask(self, rows: Rows, label: str | None) -> Mask:
        """Return which rows have that label."""
        mask: Mask = self.codes(rows) == self._labels.code(label)
        return mask
