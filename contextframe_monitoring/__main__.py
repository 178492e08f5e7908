"""The command `contextframe-monitoring`. `wrap`, and `serve` over stdio, start without the command
line: a client waits for them.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command with the arguments of this process."""
    if sys.argv[1:2] == ["wrap"] and sys.argv[2:3] != ["--help"]:
        from contextframe_monitoring.mcp.wrap import main as wrap

        sys.exit(wrap(sys.argv[2:]))
    elsewhere = any(word.startswith(("--http", "--help")) for word in sys.argv)
    if sys.argv[1:2] == ["serve"] and not elsewhere:
        from contextframe_monitoring.mcp.serve import main as serve

        sys.exit(serve(sys.argv[2:]))
    from contextframe_monitoring.cli import app

    app()


if __name__ == "__main__":
    main()
