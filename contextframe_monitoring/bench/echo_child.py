"""A child of `bench wrap` that answers every request at once: the smallest server there can be."""

from __future__ import annotations

import os


def main() -> None:
    """Answer each line of standard input that carries an id."""
    rest = b""
    while chunk := os.read(0, 1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number = line.split(b'"id":', 1)[1].split(b",", 1)[0]
            answer = b'{"jsonrpc":"2.0","id":%s,"result":{"content":[],"isError":false}}\n'
            os.write(1, answer % number)


if __name__ == "__main__":
    main()
