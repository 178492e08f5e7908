"""The answers of one evaluation: each question asked once, whoever needs it, its time taken."""

from __future__ import annotations

import time
from dataclasses import dataclass

from contextframe_monitoring.alerts.questions import Answer, Question
from contextframe_monitoring.core.errors import MonitoringError, UnavailableError
from contextframe_monitoring.query.source import RowSource

KEPT_MAX = 256
_KEPT_US = 3_600_000_000


@dataclass(slots=True)
class _Asked:
    answer: Answer | None
    problem: MonitoringError | None
    seconds: float


class Kept:
    """Answers about windows that are long over: they are kept for an hour, between evaluations."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: dict[Question, tuple[int, Answer]] = {}

    def get(self, question: Question, now_us: int) -> Answer | None:
        """Return what is known, None when it is too old."""
        at_us, answer = self._found.get(question, (0, {}))
        return answer if 0 <= now_us - at_us < _KEPT_US and at_us else None

    def put(self, question: Question, answer: Answer, now_us: int) -> None:
        """Keep an answer; beyond `KEPT_MAX` the one that came first goes."""
        self._found[question] = (now_us, answer)
        while len(self._found) > KEPT_MAX:
            del self._found[next(iter(self._found))]


class Answers:
    """Asks one source, at one moment."""

    def __init__(self, source: RowSource, kept: Kept, now_us: int) -> None:
        """Nothing is asked yet."""
        self._source, self._kept, self._now_us = source, kept, now_us
        self._asked: dict[Question, _Asked] = {}

    @property
    def queries(self) -> int:
        """How many questions were really asked."""
        return len(self._asked)

    def ask(self, question: Question, *, is_past: bool = False) -> tuple[Answer, float]:
        """Return the answer and the seconds that it took. Raises a `MonitoringError`, the same one
        for everybody who asks.
        """
        if is_past and (known := self._kept.get(question, self._now_us)) is not None:
            return known, 0.0
        asked = self._asked.get(question)
        if asked is None:
            asked = self._asked[question] = self._really(question)
        if asked.problem is not None:
            raise asked.problem
        answer = asked.answer or {}
        if is_past:
            self._kept.put(question, answer, self._now_us)
        return answer, asked.seconds

    def _really(self, question: Question) -> _Asked:
        started = time.perf_counter()
        problem: MonitoringError | None = None
        answer: Answer | None = None
        try:
            answer = question.answer(self._source)
        except MonitoringError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - one bad rule must not keep the others from it
            problem = UnavailableError(f"its question failed ({type(error).__name__}: {error})")
        return _Asked(answer, problem, time.perf_counter() - started)
