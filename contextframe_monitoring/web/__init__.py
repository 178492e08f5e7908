"""HTTP for people, scrapers and telemetry; the MCP endpoint is mounted into it by the command."""
