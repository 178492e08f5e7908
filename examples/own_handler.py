"""A message handler of one's own, a dict in and a dict out, that is watched: no MCP SDK needed."""

import json
from typing import Any

import anyio

from contextframe_monitoring import Monitor


class Handler:
    """Answers messages; each is one operation, and an exception that leaves it is an error."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    async def handle_message(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer one message: the method is the operation's type, the agent comes from `_meta`."""
        parameters = message["params"]
        async with self.monitor.performance.operation(
            message["method"],
            parameters["name"],
            agent_id=parameters.get("_meta", {}).get("agent_id"),
        ) as operation:
            answer = await self._execute(parameters["name"], parameters["arguments"])
            operation.result_size = len(json.dumps(answer))
            return answer

    async def _execute(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if tool != "divide":
            raise LookupError(f"no tool named {tool!r}")
        return {"result": arguments["a"] / arguments["b"]}


async def main() -> None:
    """Handle three messages, one of which fails, and say how they went."""
    with Monitor.open(name="calculator") as monitor:
        handler = Handler(monitor)
        for divisor in (2, 3, 0):
            parameters = {
                "name": "divide",
                "arguments": {"a": 6, "b": divisor},
                "_meta": {"agent_id": "agent-1"},
            }
            try:
                print(await handler.handle_message({"method": "tools/call", "params": parameters}))
            except ZeroDivisionError as error:
                print(f"failed: {error}")
        summary = await monitor.performance.get_performance_summary("1h")
        print(f"{summary.total_requests} requests, {summary.errors} failed")


if __name__ == "__main__":
    anyio.run(main)
