"""The rules that go wrong, recomputed: the table in docs/costs.md is what the data gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.token_usage import Usage
from contextframe_monitoring.store.catalogue import Catalogue, microseconds

PAGE = Path(__file__).parent.parent / "docs" / "costs.md"
TRUTH = Decimal("11.04254485")
CATALOGUE = Catalogue()

Line = tuple[bool, tuple[str, str], int, str, Usage]
"""(is a progress line, key, time, model, usage)."""


def lines_of(folder: Path) -> Iterator[Line]:
    for file in sorted(folder.rglob("*.jsonl")):
        for text in file.read_bytes().splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            wrapped = line.get("data", {}).get("message", {}) if isinstance(line, dict) else {}
            is_progress = isinstance(line, dict) and line.get("type") == "progress"
            entry = wrapped if is_progress else line
            message = entry.get("message") if isinstance(entry, dict) else None
            if isinstance(message, dict) and isinstance(message.get("usage"), dict):
                key = (str(message.get("id")), str(entry.get("requestId")))
                at = microseconds(datetime.fromisoformat(entry["timestamp"]))
                yield is_progress, key, at, message["model"], usage_of(message["usage"])


def usage_of(counts: dict[str, Any]) -> Usage:
    split = counts.get("cache_creation") or {}
    long = split.get("ephemeral_1h_input_tokens", 0)
    return Usage(
        input_tokens=counts["input_tokens"],
        cache_read_tokens=counts.get("cache_read_input_tokens", 0),
        cache_write_5m_tokens=counts.get("cache_creation_input_tokens", 0) - long,
        cache_write_1h_tokens=long,
        output_tokens=counts["output_tokens"],
    )


def cost(lines: list[Line], changed: Callable[[Usage], Usage] = lambda usage: usage) -> Decimal:
    found = [
        CATALOGUE.cost("anthropic", model, changed(usage), at) for *_, at, model, usage in lines
    ]
    return usd(sum(one.amount_nano_usd or 0 for one in found))


def deduplicated(lines: list[Line], *, first: bool = False) -> list[Line]:
    kept: dict[tuple[str, str], Line] = {}
    for line in lines:
        known = kept.get(line[1])
        if known is None or (not first and line[4].output_tokens > known[4].output_tokens):
            kept[line[1]] = line
    return list(kept.values())


def plain(usage: Usage) -> Usage:
    return usage.uncached()


def no_cache(usage: Usage) -> Usage:
    return Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def short_writes(usage: Usage) -> Usage:
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_5m_tokens=written,
        output_tokens=usage.output_tokens,
    )


def table(folder: Path) -> str:
    every = list(lines_of(folder))
    assistant = [line for line in every if not line[0]]
    right = deduplicated(every)
    rules: list[tuple[str, list[Line], Decimal]] = [
        ("every line with usage counts", every, cost(every)),
        ("progress lines skipped, nothing deduplicated", assistant, cost(assistant)),
        ("deduplicated, the first line kept", (first := deduplicated(every, first=True)),
         cost(first)),
        ("cached tokens priced as plain input", right, cost(right, plain)),
        ("cached tokens not counted", right, cost(right, no_cache)),
        ("1-hour cache writes at the 5-minute price", right, cost(right, short_writes)),
        ("**ours: deduplicated over all files, the largest kept, each token at its own price**",
         right, cost(right)),
    ]  # fmt: skip
    rows = ["| rule | calls | USD | error |", "|---|---:|---:|---:|"]
    for rule, lines, amount in rules:
        error = (amount - TRUTH) / TRUTH * 100
        rows.append(f"| {rule} | {len(lines)} | {amount:.8f} | {error:+.1f} % |")
    return "\n".join(rows) + "\n"


@pytest.mark.requirement("cost:shown:table")
def test_the_table_of_rules_that_go_wrong_is_what_the_data_gives(shared_data: Path) -> None:
    found = table(shared_data / "usage" / "claude_code")
    assert found in PAGE.read_text(encoding="utf-8"), f"docs/costs.md should hold:\n\n{found}"
    assert found.endswith("| 174 | 11.04254485 | +0.0 % |\n")


@pytest.mark.parametrize("command", ["prices reprice", "reconcile", "import claude-code"])
def test_the_page_names_commands_that_exist(command: str) -> None:
    from tests.cli.test_commands import run

    assert f"`contextframe-monitoring {command}" in PAGE.read_text(encoding="utf-8")
    assert run(*command.split()[:1], "--help").returncode == 0
