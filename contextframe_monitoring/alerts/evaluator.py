"""One evaluation of all rules of a store: ask, judge, step, write, in this order.

Everything that is remembered is in the state and is written with the alerts in one transaction,
so a keeper that is killed anywhere is followed by one that goes on from there.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contextframe_monitoring.alerts.answers import Answers, Kept
from contextframe_monitoring.alerts.courses import course_key
from contextframe_monitoring.alerts.judgement import (
    RuleJudged,
    judge_rule,
    judge_values,
    kept_groups,
)
from contextframe_monitoring.alerts.own_figures import OwnFigures
from contextframe_monitoring.alerts.questions import check_dimensions, question_of, window_of
from contextframe_monitoring.alerts.rule_set import known_rules
from contextframe_monitoring.alerts.transitions import (
    Advance,
    advance,
    dropped_ids,
    entries_of,
    held_back,
)
from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.clock import US_PER_DAY, US_PER_SECOND
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.rule_step import Memory
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.silence import silenced_until
from contextframe_monitoring.query.courses import Courses
from contextframe_monitoring.query.held import HeldRows, Need
from contextframe_monitoring.query.measures import Names
from contextframe_monitoring.store.alert_book import Entry, Place
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.evaluations import Evaluated
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

CREDIT_INTERVALS = 3
"""What passed between two evaluations counts for `for` up to so many intervals."""
REST_FACTOR = 20
"""A slow rule rests so many times as long as it took."""
_OPEN_MAX = 1_000_000


@dataclass(slots=True)
class _Groups:
    """What is remembered and open when an evaluation begins."""

    memories: dict[Place, Memory]
    open: list[Alert]


class Evaluator:
    """Evaluates the rules of one store. It blocks, and belongs to one thread."""

    def __init__(
        self,
        store: Store,
        config: MonitoringConfig,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is opened yet. `monotonic` gives seconds."""
        self._store, self._config, self._monotonic = store, config, monotonic
        self._kept, self._courses = Kept(), Courses()
        self._rests: dict[str, tuple[float, str]] = {}
        self._cleared_us = 0

    def evaluate(self, now_us: int) -> Evaluated:
        """Evaluate every active rule once. Raises `StoreError` when the store can't be used."""
        started = self._monotonic()
        state = AlertState.made(self._store)
        rules = {
            name: known.rule
            for name, known in known_rules(self._config, state.rules).items()
            if known.rule.is_active
        }
        snapshot = Snapshot(self._store)
        last = state.evaluations.last()
        figures = OwnFigures(
            self._store, self._config, snapshot, last.losses if last else (), now_us
        )
        source = HeldRows(snapshot, self._needs(rules.values(), now_us))
        answers = Answers(source, self._kept, now_us)
        before = _Groups(
            state.book.memories(),
            state.book.find(states=("pending", "firing"), limit=_OPEN_MAX),
        )
        anomalies = [rule for rule in rules.values() if rule.signal == "anomaly"]
        self._courses.keep_only({course_key(rule) for rule in anomalies})
        judged, problems = self._judge_all(rules, answers, figures, now_us)
        found = self._advance(rules, judged, before, now_us)
        self._write(state, rules, found, before, now_us)
        self._clear(state, now_us)
        evaluated = Evaluated(
            at_us=now_us,
            host=platform.node(),
            pid=os.getpid(),
            interval_seconds=self._config.alerts.evaluation_interval_seconds,
            seconds=round(self._monotonic() - started, 6),
            rules=len(rules),
            groups=sum(len(one.groups) for one in judged.values()),
            queries=answers.queries,
            problems=problems,
            losses=figures.losses,
        )
        state.evaluations.note(evaluated)
        return evaluated

    # -- ask and judge

    def _judge_all(
        self, rules: Mapping[str, Rule], answers: Answers, figures: OwnFigures, now_us: int
    ) -> tuple[dict[str, RuleJudged], dict[str, str]]:
        """Return what each rule says, and what is wrong with some: they are left as they were."""
        judged: dict[str, RuleJudged] = {}
        problems: dict[str, str] = {}
        last = [rule for rule in rules.values() if rule.signal == "rule_problems"]
        for rule in self._quick_ones_first(rules.values()):
            try:
                found = self._judge(rule, answers, figures, problems, now_us)
            except MonitoringError as error:
                problems[rule.name] = str(error)
                continue
            if found is not None:
                judged[rule.name] = found
                met = sum(one.verdict == "met" for one in found.groups.values())
                if met > self._config.alerts.groups_max:
                    problems[rule.name] = (
                        f"{met:,} groups meet it: the worst {self._config.alerts.groups_max:,} "
                        "are alerts; group by less, or filter"
                    )
        for rule in last:
            judged[rule.name] = judge_values(rule, figures.values(rule, problems))
        return judged, problems

    def _needs(self, rules: Iterable[Rule], now_us: int) -> Iterator[Need]:
        """Yield what the rules read over their own windows, as far as they can be asked at all."""
        for rule in rules:
            if rule.family == "own" or rule.signal == "anomaly":
                continue
            try:
                check_dimensions(rule)
                window = window_of(rule, now_us, self._config.timezone)
                need = question_of(rule, window, self._config.slow_query_threshold_ms).need
            except MonitoringError:
                continue  # judging it says why
            if need is not None:
                yield need

    def _quick_ones_first(self, rules: Iterable[Rule]) -> list[Rule]:
        usual = [rule for rule in rules if rule.signal != "rule_problems"]
        return sorted(usual, key=lambda rule: (rule.name in self._rests, rule.name))

    def _judge(
        self,
        rule: Rule,
        answers: Answers,
        figures: OwnFigures,
        problems: dict[str, str],
        now_us: int,
    ) -> RuleJudged | None:
        """Return what a rule says, None while it rests."""
        until, why = self._rests.get(rule.name, (0.0, ""))
        if self._monotonic() < until:
            problems[rule.name] = why
            return None
        self._rests.pop(rule.name, None)
        if rule.family == "own":
            return judge_values(rule, figures.values(rule, problems))
        check_dimensions(rule)
        found = judge_rule(rule, answers, self._courses, self._config, now_us)
        bound = self._config.alerts.rule_seconds_max
        if found.seconds > bound:
            rest = found.seconds * REST_FACTOR
            why = (
                f"its question took {found.seconds:.1f} s, more than rule_seconds_max = {bound:g}: "
                f"it is asked again in {rest:.0f} s; shorten its window or filter"
            )
            problems[rule.name] = why
            self._rests[rule.name] = (self._monotonic() + rest, why)
        return found

    # -- step

    def _advance(
        self,
        rules: Mapping[str, Rule],
        judged: Mapping[str, RuleJudged],
        before: _Groups,
        now_us: int,
    ) -> Advance:
        settings = self._config.alerts
        credit = round(CREDIT_INTERVALS * settings.evaluation_interval_seconds * US_PER_SECOND)
        open_ids = {_place_of(alert, rules): alert.alert_id for alert in before.open}
        remembered: dict[str, list[Names]] = {}
        for place in before.memories:
            remembered.setdefault(place.rule, []).append(place.labels)
        into = Advance()
        for name, found in judged.items():
            groups, _ = kept_groups(found, remembered.get(name, ()), settings.groups_max)
            advance(rules[name], groups, before.memories, open_ids, now_us, credit, into)
        for place in before.memories:
            if place.rule not in rules:
                into.memories[place] = None
        return into

    # -- write

    def _write(
        self,
        state: AlertState,
        rules: Mapping[str, Rule],
        found: Advance,
        before: _Groups,
        now_us: int,
    ) -> None:
        """Write what changed, in one transaction; then what follows from it for others."""
        over = [alert for alert in before.open if _is_over(alert, rules, now_us)]
        changed = [one for one in found.transitions if one.change != "dropped"]
        ids = {one.memory.alert_id for one in changed} | {alert.alert_id for alert in over}
        within = self._config.alerts.incident_minutes * 60 * US_PER_SECOND

        def decide(current: Mapping[str, Alert]) -> Sequence[Entry]:
            entries = entries_of(changed, current, before.open, now_us, within)
            gone = [_gone(current[a.alert_id], now_us) for a in over if a.alert_id in current]
            return [*entries, *(entry for entry in gone if entry is not None)]

        if ids or found.memories:
            state.book.change(
                ids, decide, memories=found.memories, forget=dropped_ids(found.transitions)
            )
        self._mark(state, rules, now_us)

    def _mark(self, state: AlertState, rules: Mapping[str, Rule], now_us: int) -> None:
        """Say on every firing alert whether it is silenced, and whether a worse one says it all."""
        firing = state.book.find(limit=_OPEN_MAX)
        held = held_back(firing, rules)
        silences = state.silences.coming(now_us)

        def marked(alert: Alert) -> Alert:
            until = silenced_until(alert, silences, now_us)
            by = held.get(alert.alert_id)
            if (alert.silenced_until_us, alert.held_back_by) == (until, by):
                return alert
            return dataclasses.replace(
                alert, silenced_until_us=until, held_back_by=by, changed_us=now_us
            )

        ids = [alert.alert_id for alert in firing if marked(alert) is not alert]
        if ids:
            state.book.change(
                ids,
                lambda current: [
                    Entry(marked(alert)) for alert in current.values() if alert.state == "firing"
                ],
            )

    def _clear(self, state: AlertState, now_us: int) -> None:
        """Once an hour, take out what was resolved long ago."""
        if abs(now_us - self._cleared_us) > 3_600 * US_PER_SECOND:
            self._cleared_us = now_us
            state.book.drop_resolved(now_us - self._config.alerts.resolved_days * US_PER_DAY)


def _place_of(alert: Alert, rules: Mapping[str, Rule]) -> Place:
    rule = rules.get(alert.rule)
    keys = rule.group_by if rule is not None and rule.group_by else alert.group
    return Place(alert.rule, tuple(alert.group.get(key, "") for key in keys))


def _is_over(alert: Alert, rules: Mapping[str, Rule], now_us: int) -> bool:
    """Whether nobody will ever judge an alert again: its rule is gone, or nobody renewed it."""
    if alert.source == "application":
        return alert.expires_us is not None and alert.expires_us <= now_us
    return alert.rule not in rules


def _gone(alert: Alert, now_us: int) -> Entry | None:
    if alert.state == "resolved":
        return None
    why = "not renewed" if alert.source == "application" else "its rule is gone or switched off"
    over = dataclasses.replace(
        alert, state="resolved", resolved_us=now_us, resolved_by="rule", changed_us=now_us
    )
    return Entry(over, "resolved", "rule", why)
