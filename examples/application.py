"""An application that records its own facts: documents, queries, decisions, costs, metrics."""

import anyio

from contextframe_monitoring import Monitor


async def main() -> None:
    """Record one of each, and ask for them again."""
    with Monitor.open(name="summariser") as monitor:
        monitor.usage.track_document_access("doc-7", "search_hit", "agent-1")
        monitor.usage.track_document_access("doc-7", "read", "agent-1")
        monitor.usage.track_query("SELECT title FROM books WHERE id = 7", "sql", 1, 12.5)
        monitor.usage.track_event(
            "tier_selected",
            category="rule_based",
            outcome="ok",
            numbers={"quality": 0.93},
            attributes={"specialty": "cardiology"},
        )
        monitor.performance.record_metric("queue_depth", 3, {"queue": "mail"}, kind="gauge")
        async with monitor.performance.operation("summarise", "bundle-12") as operation:
            operation.result_size = 2_048
        cost = await monitor.cost.track_llm_usage(
            "anthropic", "claude-sonnet-4-5", input_tokens=1_200, output_tokens=300
        )
        print(f"that call cost {cost} USD")
        await monitor.flush()
        print((await monitor.verify()).model_dump_json(indent=2))


if __name__ == "__main__":
    anyio.run(main)
