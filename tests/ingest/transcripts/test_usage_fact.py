"""Several lines make one fact: laws of the merge, and which facts of a group count."""

from functools import reduce
from itertools import pairwise, permutations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.ingest.transcripts.usage_fact import (
    TOOLS_MAX,
    UsageFact,
    counted_keys,
    merged,
)

COUNT = st.integers(0, 3)
FACTS = st.builds(
    UsageFact,
    key=st.just("k"),
    group=st.just("g"),
    source=st.just("claude-code"),
    provider=st.just("anthropic"),
    time_us=st.just(0),
    line_us=COUNT,
    model=st.sampled_from([None, "a", "b"]),
    input_tokens=COUNT,
    cache_read_tokens=COUNT,
    cache_write_5m_tokens=COUNT,
    cache_write_1h_tokens=COUNT,
    output_tokens=COUNT,
    reported_nano_usd=st.sampled_from([None, 0, 5]),
    speed=st.sampled_from([None, "fast"]),
    is_sidechain=st.booleans(),
    session=st.sampled_from([None, "s", "t"]),
    tools=st.lists(st.sampled_from([f"t{n:02}" for n in range(40)]), max_size=25).map(
        lambda names: tuple(sorted(set(names)))
    ),
    forks=st.integers(0, 1),
).map(lambda fact: msgspec.structs.replace(fact, time_us=fact.line_us))


def fact(key: str = "k", **values: object) -> UsageFact:
    zero = dict.fromkeys(
        ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"), 0
    )
    names = {"group": "g", "source": "claude-code", "provider": "anthropic", "model": "m"}
    times = {"time_us": 1, "line_us": 1, "output_tokens": 0}
    return UsageFact(key=key, **{**names, **zero, **times, **values})


@given(st.lists(FACTS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_lines_merge_to_one_fact_in_any_order_and_any_number_of_times(facts, random) -> None:
    whole = reduce(merged, facts)
    again = [*facts, *facts]
    random.shuffle(again)
    assert reduce(merged, again) == whole


@given(st.lists(FACTS, min_size=2, max_size=6), st.data())
def test_merging_parts_first_changes_nothing(facts, data) -> None:
    cut = data.draw(st.integers(1, len(facts) - 1))
    parts = merged(reduce(merged, facts[:cut]), reduce(merged, facts[cut:]))
    assert parts == reduce(merged, facts)


def test_the_better_line_gives_all_but_the_time_and_the_tools() -> None:
    small = fact(output_tokens=1, line_us=5, time_us=5, session="early", tools=("A",))
    large = fact(output_tokens=9, line_us=8, time_us=8, session="late", tools=("B",))
    assert merged(small, large) == msgspec.structs.replace(large, time_us=5, tools=("A", "B"))


def test_of_many_tools_the_first_by_name_are_kept() -> None:
    names = [f"t{n:02}" for n in range(TOOLS_MAX + 8)]
    parts = [fact(tools=tuple(names[start : start + 8])) for start in range(0, len(names), 8)]
    assert reduce(merged, reversed(parts)).tools == tuple(names[:TOOLS_MAX])


def test_the_order_of_preference_is_that_of_the_rules() -> None:
    best_first = [
        fact(output_tokens=1),
        fact(output_tokens=9, is_sidechain=True),
        fact(output_tokens=8, is_sidechain=True, reported_nano_usd=7),
        fact(output_tokens=8, is_sidechain=True, reported_nano_usd=6),
        fact(cache_write_1h_tokens=8, is_sidechain=True),
        fact(cache_write_5m_tokens=8, is_sidechain=True),
        fact(cache_read_tokens=8, is_sidechain=True, speed="fast", line_us=2),
        fact(cache_read_tokens=8, is_sidechain=True, line_us=2),
        fact(cache_read_tokens=8, is_sidechain=True, line_us=3),
        fact(cache_read_tokens=8, is_sidechain=True, line_us=3, forks=1),
    ]
    for better, worse in pairwise(best_first):
        for one, other in permutations([better, worse]):
            assert merged(one, other).line_us == better.line_us
            assert merged(one, other).total_tokens == better.total_tokens
            assert merged(one, other).speed == better.speed
            assert merged(one, other).forks == better.forks


def test_all_requests_outside_sidechains_count_and_replays_do_not() -> None:
    one, two = fact("one"), fact("two")
    replay = fact("replay", is_sidechain=True, output_tokens=99)
    assert counted_keys([one, two, replay]) == {"one", "two"}


def test_of_replays_without_a_parent_the_best_stands_for_all() -> None:
    replays = [fact(name, is_sidechain=True, output_tokens=n) for n, name in enumerate("abc")]
    assert [counted_keys(order) for order in permutations(replays)] == [{"c"}] * 6
    assert counted_keys(replays[:1]) == {"a"}
    assert counted_keys([]) == set()
