"""The configurations of MCP clients: where they lie, what is in them, and edits that change nothing
but what they mean to.
"""
