"""Silences and maintenance windows: alerts that match are not told to anybody for a while."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping

import msgspec

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.errors import InvalidError

MATCHERS_MAX = 8
TEXT_CHARS_MAX = 300
LENGTH_DAYS_MAX = 366
SILENCES_MAX = 1_000


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """From `starts_us` up to, not including, `ends_us`; it may start in the future, which is a
    maintenance window. Raises `InvalidError`.

    `matchers` map `rule`, `severity`, `signal`, a dimension of the group or a label to a text that
    may hold `*`; all must match.
    """

    silence_id: str
    matchers: dict[str, str]
    starts_us: int
    ends_us: int
    author: str
    reason: str
    created_us: int

    def __post_init__(self) -> None:
        """Check sizes and times."""
        if not 0 < len(self.matchers) <= MATCHERS_MAX:
            allowed = f"1 to {MATCHERS_MAX} of KEY=TEXT, such as rule=HighDailyCost or tool=search*"
            raise InvalidError("silence: matchers", self.matchers, allowed)
        for key, text in self.matchers.items():
            if not 0 < len(key) <= TEXT_CHARS_MAX or not 0 < len(text) <= TEXT_CHARS_MAX:
                allowed = f"texts of 1 to {TEXT_CHARS_MAX} characters"
                raise InvalidError("silence: matcher", f"{key}={text}", allowed)
        if not 0 < self.ends_us - self.starts_us <= LENGTH_DAYS_MAX * US_PER_DAY:
            allowed = f"expected an end after the start, at most {LENGTH_DAYS_MAX} days"
            raise InvalidError("silence: until", self.ends_us, allowed)
        if not 0 < len(self.reason) <= TEXT_CHARS_MAX:
            allowed = f"1 to {TEXT_CHARS_MAX} characters: others will ask why"
            raise InvalidError("silence: reason", self.reason, allowed)

    def holds(self, alert: Alert, now_us: int) -> bool:
        """Return whether it silences an alert now."""
        if not self.starts_us <= now_us < self.ends_us:
            return False
        facts = {
            **alert.labels, **alert.group,
            "rule": alert.rule, "severity": alert.severity, "signal": alert.signal,
        }  # fmt: skip
        return matches(self.matchers, facts)


def matches(matchers: Mapping[str, str], facts: Mapping[str, str]) -> bool:
    """Return whether every matcher finds its text; only `*` means something in it."""
    return all(key in facts and _like(text, facts[key]) for key, text in matchers.items())


def _like(pattern: str, text: str) -> bool:
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatch.fnmatchcase(text, literal)


def silenced_until(alert: Alert, silences: Iterable[Silence], now_us: int) -> int | None:
    """Return until when an alert is silent, None when it is not."""
    return max((s.ends_us for s in silences if s.holds(alert, now_us)), default=None)
