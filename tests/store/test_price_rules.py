"""A wrong price file is refused with file, line and what is allowed; a right one is understood."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.core.prices import Rate
from contextframe_monitoring.store.price_rules import PriceRules, read_rules
from contextframe_monitoring.store.price_toml import FILE_BYTES_MAX, PriceFileError

HEAD = """\
[[llm]]
provider = "acme"
models = ["acme-*"]
from = 2026-01-01
source = "contract 7"
checked = 2026-01-02
"""
SOURCED = 'from = 2026-01-01\nsource = "contract 7"\nchecked = 2026-01-02\n'
FACTOR = f'[[factor]]\nprovider = "acme"\nmodels = ["*"]\n{SOURCED}'


def written(folder: Path, text: str, name: str = "acme.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.requirement("cost:prices:wrong-file")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = [", "line 1: is not TOML here: Invalid value"),
        (
            f"{HEAD}input_mtok 3\n",
            "line 7: is not TOML here: Expected '=' after a key in a key/value pair",
        ),
        (
            f"{HEAD}input_mtok = 3\ninput_mtok = 4\n",
            "line 8: is not TOML here: Cannot overwrite a value",
        ),
        (
            f"{HEAD}input_mtok = -3\n",
            "line 7: input_mtok = -3 is not allowed: a price in USD from 0 to 1000000",
        ),
        (
            f"{HEAD}input_mtok = nan\n",
            "line 7: input_mtok = NaN is not allowed: a price in USD from 0 to 1000000",
        ),
        (
            f"{HEAD}input_mtok = inf\n",
            "line 7: input_mtok = Infinity is not allowed: a price in USD from 0 to 1000000",
        ),
        (
            f"{HEAD}input_mtok = 3\noutput_mtok = true\n",
            "line 8: output_mtok = True is not allowed: a price in USD from 0 to 1000000",
        ),
        (
            f'{HEAD}input_mtok = "3"\n',
            "line 7: input_mtok = '3' is not allowed: a price in USD from 0 to 1000000",
        ),
        (
            f"{HEAD}input_mtok = 3_000_000\n",
            "line 7: input_mtok = 3000000 is not allowed: a price in USD from 0 to 1000000",
        ),
        (
            f"{HEAD}inptu_mtok = 3\ninput_mtok = 3\n",
            "line 7: unknown key 'inptu_mtok' in [[llm]]: did you mean 'input_mtok'?",
        ),
        (
            "# one\n\n[[lllm]]\n",
            "line 3: unknown key 'lllm' at the top: did you mean 'llm'?",
        ),
        (
            'title = "prices"\n',
            (
                "line 1: unknown key 'title' at the top: allowed are api, bandwidth,"
                " compute, factor,"
                " llm, storage"
            ),
        ),
        (
            "[llm]\nprovider = 1\n",
            "line 1: llm = {'provider': 1} is not allowed: an array of tables, [[llm]]",
        ),
        (
            '[[llm]]\nmodels = ["a"]\n',
            (
                "line 1: provider is missing in [[llm]]: the name of who bills the"
                " call, as in 'anthropic'"
            ),
        ),
        (
            HEAD.replace('"acme"', "7"),
            (
                "line 2: provider = 7 is not allowed: the name of who bills the call,"
                " as in 'anthropic'"
            ),
        ),
        (
            HEAD.replace('"acme"', '"litellm"'),
            (
                "line 2: provider = 'litellm' is not allowed: the name of who bills the call,"
                " as in 'anthropic'"
            ),
        ),
        (
            HEAD.replace('["acme-*"]', '"acme"'),
            (
                "line 3: models = 'acme' is not allowed: a list of names or patterns,"
                ' as in ["gpt-5", "gpt-5-*"]'
            ),
        ),
        (
            HEAD.replace('["acme-*"]', '["a", 7]'),
            (
                "line 3: models = 7 is not allowed: a list of names or patterns, as in"
                ' ["gpt-5", "gpt-5-*"]'
            ),
        ),
        (
            HEAD.replace("from = 2026-01-01\n", "input_mtok = 3\n"),
            "line 1: from is missing in [[llm]]: the date since when the price holds",
        ),
        (
            HEAD.replace("from = 2026-01-01", 'from = "2026-01-01"'),
            (
                "line 4: from = '2026-01-01' is not allowed: a date or a time,"
                " as in 2026-11-20 or 2026-11-20T16:00:00Z"
            ),
        ),
        (
            HEAD.replace("from = 2026-01-01", "from = 2026-13-01"),
            "line 4: is not TOML here: Expected newline or end of document after a statement",
        ),
        (
            f"{HEAD}until = 2025-12-31\ninput_mtok = 3\n",
            "line 7: until = 2025-12-31 is not allowed: a time after from",
        ),
        (
            HEAD.replace('source = "contract 7"', 'source = ""') + "input_mtok = 3\n",
            (
                "line 5: source = '' is not allowed: the address or document that the"
                " price was read from"
            ),
        ),
        (
            HEAD.replace("checked = 2026-01-02\n", "input_mtok = 3\n"),
            "line 1: checked is missing in [[llm]]: a date, as in 2026-11-20",
        ),
        (
            HEAD.replace("checked = 2026-01-02", "checked = 2026-01-02T10:00:00Z")
            + "input_mtok = 3\n",
            "line 6: checked = 2026-01-02 10:00:00+00:00 is not allowed: a date, as in 2026-11-20",
        ),
        (HEAD, "line 1: [[llm]] holds no rate: give at least one, such as input_mtok"),
        (
            f"{HEAD}inherit = 1\ninput_mtok = 3\n",
            "line 7: inherit = 1 is not allowed: true or false",
        ),
        (
            f"{HEAD}cache_read_mtok = 3\n",
            "line 7: cache_read_mtok needs input_mtok beside it (or inherit = true)",
        ),
        (
            f"{HEAD}input_mtok = 3\noutput_audio_mtok = 3\n",
            "line 8: output_audio_mtok needs output_mtok beside it (or inherit = true)",
        ),
        (
            f"{HEAD}input_mtok = 3\n[[llm.tier]]\ninput_mtok = 6\n",
            (
                "line 8: above_input_tokens is missing in [[llm.tier]]: a number of"
                " tokens, as in 200_000"
            ),
        ),
        (
            f"{HEAD}input_mtok = 3\n[[llm.tier]]\nabove_input_tokens = 0\n",
            "line 9: above_input_tokens = 0 is not allowed: a number of tokens, as in 200_000",
        ),
        (
            f"{HEAD}input_mtok = 3\n[[llm.tier]]\nabove_input_tokens = 9\noutput_mtok = 6\n",
            "line 10: output_mtok has a tier but no base rate in [[llm]]",
        ),
        (
            (
                f"{HEAD}input_mtok = 3\n[[llm.tier]]\nabove_input_tokens = 9\n"
                "[[llm.tier]]\nabove_input_tokens = 9\n"
            ),
            "line 11: tiers must rise: 9 comes after 9",
        ),
        (
            f"{HEAD}input_mtok = 3\n[[llm.variant]]\ninput_mtok = 6\n",
            (
                "line 8: [[llm.variant]] needs when (a table of what the call was,"
                ' as in { batch = true } or { service_tier = "flex" }) or hours_utc or days'
            ),
        ),
        (
            f"{HEAD}input_mtok = 3\n[[llm.variant]]\nwhen = {{ batch = false }}\ninput_mtok = 6\n",
            (
                "line 9: when.batch = false is not allowed: a table of what the call was,"
                ' as in { batch = true } or { service_tier = "flex" }'
            ),
        ),
        (
            f"{HEAD}input_mtok = 3\n[[llm.variant]]\nwhen = {{ batch = true }}\n",
            "line 8: [[llm.variant]] holds no rate: give those that differ",
        ),
        (
            f'{HEAD}input_mtok = 3\n[[llm.variant]]\nhours_utc = ["9-17"]\ninput_mtok = 6\n',
            (
                "line 9: hours_utc = '9-17' is not allowed: a list of hours in UTC,"
                ' as in ["16:30-00:30"]'
            ),
        ),
        (
            f'{HEAD}input_mtok = 3\n[[llm.variant]]\ndays = ["monday"]\ninput_mtok = 6\n',
            "line 9: days = 'monday' is not allowed: some of mon, tue, wed, thu, fri, sat, sun",
        ),
        (
            f"{HEAD}input_mtok = 3\n{HEAD}input_mtok = 4\n",
            (
                "line 8: a second price of acme/acme-* from the same moment as in FILE, line 1:"
                " append one with a later from"
            ),
        ),
        (
            f"{FACTOR}tokens = 0.5\n",
            (
                "line 1: when is missing in [[factor]]: a table of what the call was,"
                ' as in { batch = true } or { service_tier = "flex" }'
            ),
        ),
        (
            f"{FACTOR}when = {{ batch = true }}\n",
            "line 1: tokens is missing in [[factor]]: what to multiply token rates with",
        ),
        (
            f'[[storage]]\nnames = ["*"]\n{SOURCED}',
            (
                "line 1: [[storage]] holds no rate: give at least one of read_gb,"
                " write_gb, delete_gb,"
                " month_gb"
            ),
        ),
        (
            f'[[bandwidth]]\nnames = ["*"]\n{SOURCED}egres_gb = 1\ningress_gb = 0\n',
            "line 6: unknown key 'egres_gb' in [[bandwidth]]: did you mean 'egress_gb'?",
        ),
        (
            f"[[api]]\nnames = []\n{SOURCED}call = 1\n",
            'line 2: names = [] is not allowed: a list of names or patterns, as in ["*"]',
        ),
    ],
)
def test_a_wrong_file_is_refused_with_line_culprit_and_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PriceFileError) as caught:
        read_rules(tmp_path, "own")
    assert str(caught.value).replace(str(path), "FILE") == f"FILE, {message}"
    assert caught.value.code == "invalid"


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    messages = {}
    large = written(tmp_path, "#" * (FILE_BYTES_MAX + 1), "large.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# one\n# \xe9\n")
    for name, path in (
        ("missing", tmp_path / "nowhere.toml"),
        ("large", large),
        ("latin", latin),
        ("empty", tmp_path / "folder"),
    ):
        if name == "empty":
            path.mkdir()
        with pytest.raises(PriceFileError) as caught:
            read_rules(path, "own")
        messages[name] = str(caught.value).removeprefix(str(path))
    assert messages == {
        "missing": ": can't be read: No such file or directory",
        "large": ": is larger than 1048576 bytes: split it",
        "latin": ", line 2: is not UTF-8",
        "empty": ": holds no *.toml file: name a price file or a folder of them",
    }


@pytest.mark.requirement("cost:prices:files", "cost:prices:sourced")
def test_an_entry_says_all_that_a_price_list_says(tmp_path: Path) -> None:
    written(
        tmp_path,
        f"""# a comment that looks like a key: x = 1
{HEAD}until = 2026-06-01T08:00:00+02:00
note = \"\"\"
provider = "not a key"
[[llm]]
\"\"\"
input_mtok = 0.1
output_mtok = 15
[[llm.tier]]
above_input_tokens = 200_000
input_mtok = 0.2
[[llm.variant]]
when = {{ batch = true, region = "EU" }}
hours_utc = ["22:00-02:00"]
days = ["sun"]
input_mtok = 0.05
""",
    )
    rules = read_rules(tmp_path, "own")
    (entry,) = rules.layer("acme", "acme-1").entries
    monday = 7 * 86_400_000_000
    assert entry.price_id == "own/acme.toml:acme/acme-*@2026-01-01"
    assert entry.source == "contract 7"
    assert entry.checked == date(2026, 1, 2)
    assert entry.origin == f"{tmp_path / 'acme.toml'}, line 2"
    assert entry.rates == {
        "input_mtok": Rate(Decimal("0.1"), ((200_000, Decimal("0.2")),)),
        "output_mtok": Rate(Decimal(15)),
    }
    (variant,) = entry.variants
    assert variant.when == (("processing", "batch"), ("region", "eu"))
    assert variant.rates == {"input_mtok": Rate(Decimal("0.05"))}
    assert variant.span.windows == ((0, 7_200_000_000), (monday - 7_200_000_000, monday))
    assert datetime.fromtimestamp(entry.span.until_us / 1e6, UTC) == datetime(
        2026, 6, 1, 6, tzinfo=UTC
    )
    assert rules.layer("acme", "other").entries == ()
    assert rules.layer("openai", "acme-1").entries == ()


def test_an_exact_name_beats_a_pattern_and_a_longer_pattern_a_shorter_one(tmp_path: Path) -> None:
    texts = {"*": 1, "acme-*": 2, "acme-1*": 3, "acme-1": 4}
    late = HEAD.replace("2026-01-01", "2026-05-01")
    written(
        tmp_path,
        "".join(
            (late if name == "*" else HEAD).replace("acme-*", name) + f"input_mtok = {rate}\n"
            for name, rate in texts.items()
        ),
    )
    rules = read_rules(tmp_path, "own")

    def rate(model: str) -> Decimal:
        entry = rules.layer("acme", model).entry(1_800_000_000_000_000)
        assert entry is not None
        return entry.rates["input_mtok"].base

    found = {model: rate(model) for model in ("zebra", "acme-9", "acme-12", "acme-1")}
    assert found == {"zebra": 1, "acme-9": 2, "acme-12": 3, "acme-1": 4}


def test_a_folder_without_entries_is_an_empty_layer(tmp_path: Path) -> None:
    written(tmp_path, "# nothing yet\n", "b.toml")
    written(tmp_path, "", "a.toml")
    assert read_rules(tmp_path, "own") == PriceRules(name="own", files=("a.toml", "b.toml"))
