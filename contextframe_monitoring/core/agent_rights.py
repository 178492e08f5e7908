"""What an agent may do to alerts and their rules: the key `agent_may` of the configuration.

It may always look. That it may not mute the alert about its own costs is the point.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from contextframe_monitoring.core.errors import InvalidError

AgentRight = Literal["acknowledge", "comment", "silence", "resolve", "reopen", "change_rules"]


def check_right(right: AgentRight, may: Collection[AgentRight], command: str) -> None:
    """Raise `InvalidError` unless `right` is among those that an agent has; `command` is what a
    person can run instead.
    """
    if right not in may:
        allowed = ", ".join(may) or "only look"
        raise InvalidError(
            "action",
            right,
            f"agents may {allowed}; a person can run `contextframe-monitoring {command}`, or add "
            f'"{right}" to agent_may in the configuration',
        )
