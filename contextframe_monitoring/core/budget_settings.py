"""What may be spent: the section `[budget]` of the configuration."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from contextframe_monitoring.core.money import nano_usd


class BudgetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Budgets in USD. Raises `InvalidError` when one is not allowed."""

    monthly_usd: Decimal | None = None
    """Dollars of a calendar month: the cost report says how it stands against it, and how many days
    it lasts.
    """

    def __post_init__(self) -> None:
        """Check the amounts."""
        if self.monthly_usd is not None:
            nano_usd(self.monthly_usd, "budget.monthly_usd", minimum=0)
