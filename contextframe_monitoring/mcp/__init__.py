"""The doors for agents and for MCP servers: middleware, relay, tools, resources."""
