"""Generated files tell the truth: they equal what the code makes of them now."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from contextframe_monitoring.core.channel_settings import CHANNELS
from contextframe_monitoring.core.config import config_keys, sections
from tests.generated import ROOT, files

GENERATED = files()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path], "run `make docs`"


def test_the_example_configuration_names_every_key() -> None:
    whole = (ROOT / "examples" / "monitoring.toml").read_text(encoding="utf-8")
    text = whole.partition("# Channels of notifications")[0]
    lines = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    keys = [line.split(" = ")[0] for line in lines]
    nested = sections()
    inner = [key for kind in nested.values() for key in kind.__struct_fields__]
    assert keys == [*(key for key in config_keys() if key not in {*nested, "channels"}), *inner]
    assert [f"[{name}]" for name in nested] == [
        line.removeprefix("# ") for line in text.splitlines() if line.startswith("# [")
    ]
    known = "\n".join(line for line in lines if not line.endswith("..."))
    assert tomllib.loads(known)


def test_the_example_configuration_names_every_channel_and_its_keys() -> None:
    text = (ROOT / "examples" / "monitoring.toml").read_text(encoding="utf-8")
    for name, kind in CHANNELS.items():
        table = text.partition(f"# [channels.my-{name}]\n")[2].partition("# [channels.")[0]
        keys = {line.split(" = ")[0][2:] for line in table.splitlines() if " = " in line}
        assert keys == {"type", *kind.__annotations__}
