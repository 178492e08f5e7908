"""One step of one rule for one group: inactive -> pending -> firing -> resolved, with its reason.

Time is counted by what passed between evaluations, each counted up to `credit_us_max`: a clock
that jumps ahead, a laptop that slept or a keeper that was gone make nothing fire or resolve
early, and a clock that goes back takes nothing away.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contextframe_monitoring.core.threshold import Verdict

State = Literal["pending", "firing"]
Change = Literal["none", "pending", "fired", "resolved", "dropped"]
"""`dropped` is a pending one that did not last; nobody heard of it."""


class Memory(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is kept of a rule and a group between evaluations; nothing is kept of an inactive one.

    `held_us` is how long it was met, `quiet_us` how long it has been over.
    """

    state: State
    since_us: int
    held_us: int = 0
    quiet_us: int = 0
    judged_us: int = 0
    alert_id: str = ""


class Stepped(msgspec.Struct, frozen=True):
    """The memory after a step (None: inactive), what changed, and why."""

    memory: Memory | None
    change: Change
    reason: str


def step(
    memory: Memory | None,
    verdict: Verdict,
    now_us: int,
    *,
    for_us: int,
    keep_firing_for_us: int,
    credit_us_max: int,
) -> Stepped:
    """Return what one evaluation makes of a rule and a group. Pure."""
    if memory is None:
        return _begin(verdict, now_us, for_us)
    passed = min(max(now_us - memory.judged_us, 0), credit_us_max)
    if memory.state == "pending":
        return _pending(memory, verdict, now_us, for_us, passed)
    return _firing(memory, verdict, now_us, keep_firing_for_us, passed)


def _begin(verdict: Verdict, now_us: int, for_us: int) -> Stepped:
    if verdict != "met":
        return Stepped(None, "none", "not met")
    if for_us > 0:
        memory = Memory(state="pending", since_us=now_us, judged_us=now_us)
        return Stepped(memory, "pending", f"met; fires after {_seconds(for_us)}")
    return Stepped(Memory(state="firing", since_us=now_us, judged_us=now_us), "fired", "met")


def _pending(memory: Memory, verdict: Verdict, now_us: int, for_us: int, passed: int) -> Stepped:
    if verdict != "met":
        return Stepped(None, "dropped", f"no longer met, after {_seconds(memory.held_us)}")
    held = memory.held_us + passed
    if held < for_us:
        kept = msgspec.structs.replace(memory, held_us=held, judged_us=now_us)
        return Stepped(kept, "none", f"met for {_seconds(held)} of {_seconds(for_us)}")
    fired = msgspec.structs.replace(memory, state="firing", held_us=held, judged_us=now_us)
    return Stepped(fired, "fired", f"met for {_seconds(held)}")


def _firing(memory: Memory, verdict: Verdict, now_us: int, keep_us: int, passed: int) -> Stepped:
    if verdict in {"met", "between"}:
        kept = msgspec.structs.replace(
            memory, held_us=memory.held_us + passed, quiet_us=0, judged_us=now_us
        )
        why = "still met" if verdict == "met" else "behind the threshold, not recovered"
        return Stepped(kept, "none", why)
    quiet = memory.quiet_us + passed if memory.quiet_us else 1  # it was still met the last time
    if keep_us > 0 and quiet < keep_us:
        kept = msgspec.structs.replace(memory, quiet_us=quiet, judged_us=now_us)
        return Stepped(kept, "none", f"over for {_seconds(quiet)} of {_seconds(keep_us)}")
    word = "over" if verdict == "clear" else "nothing to judge any more"
    return Stepped(None, "resolved", word if not keep_us else f"{word} for {_seconds(keep_us)}")


def _seconds(length_us: int) -> str:
    return f"{length_us / 1e6:g} s"
