"""The keeper's duty of one target: to deliver when it is due."""

from __future__ import annotations

from contextframe_monitoring.export.targets.delivery import Delivery


class TargetDuty:
    """Delivers to one target while its process keeps the store."""

    def __init__(self, delivery: Delivery) -> None:
        """Nothing is opened yet."""
        self._delivery = delivery

    def tick(self, now_us: int) -> str | None:
        """Deliver if it is due. A target that fails is no problem of the keeper's: the state says
        so, and status shows it. Raises `StoreError`.
        """
        self._delivery.run(now_us)
        return None

    def close(self) -> None:
        """Let go of connections."""
        self._delivery.close()
