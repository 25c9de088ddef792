"""Lines of TOML keys: every key that tomllib reads is found, where it stands."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspace.space.toml_lines import key_lines

SPACES = Path(__file__).parents[2] / "spaces"

TEXT = '''# one
family = "x" # = [ a comment
a.b."c.d" = 1

[constants]
quoted = """
[not.a.table]
k = 1 ""\\""""
literal = \'\'\'
# neither
\'\'\'
[parameters . "group s"] # blanks and quotes
each = [ # ]
  { choices = [1, "}, 2"], x = '}' }, # {

  { low = 1, high = 2.5e3 }, 7,
]
when = { unit = ["v1"], "q\\u0041\\t" = 3 }
date = 1979-05-27T07:32:00Z
\t[[lists]]
k = 1
[lists.sub]
z = 1
[[lists]]
k = 2
"" = 5
'''

LINES = {
    ("family",): 2,
    ("a", "b", "c.d"): 3,
    ("constants",): 5,
    ("constants", "quoted"): 6,
    ("constants", "literal"): 9,
    ("parameters", "group s"): 12,
    ("parameters", "group s", "each"): 13,
    ("parameters", "group s", "each", 0): 14,
    ("parameters", "group s", "each", 0, "choices"): 14,
    ("parameters", "group s", "each", 1, "high"): 16,
    ("parameters", "group s", "each", 2): 16,
    ("parameters", "group s", "when"): 18,
    ("parameters", "group s", "when", "qA\t"): 18,
    ("parameters", "group s", "date"): 19,
    ("lists",): 20,
    ("lists", 0, "k"): 21,
    ("lists", 0, "sub", "z"): 23,
    ("lists", 1): 24,
    ("lists", 1, "k"): 25,
    ("lists", 1, ""): 26,
}


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """The path of every key and list element."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return {found for key, part in inner for found in {(*path, key)} | paths(part, (*path, key))}


def test_keys_stand_where_they_are_written() -> None:
    found = key_lines(TEXT)
    assert {path: found[path] for path in LINES} == LINES


def test_every_key_that_tomllib_reads_is_found_and_no_other() -> None:
    assert set(key_lines(TEXT)) == paths(tomllib.loads(TEXT))


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_key_of_a_shipped_space_is_found_on_a_line_that_names_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = key_lines(text)
    assert set(found) == paths(tomllib.loads(text))
    lines = text.splitlines()
    assert all(str(key[-1]) in lines[line - 1] for key, line in found.items() if isinstance(key[-1], str))


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n") == {("a",): 1, ("b",): 3, ("b", "c"): 4}


keys = st.from_regex(r"[a-z]{1,3}", fullmatch=True) | st.sampled_from(['"a.b"', "'c d'", '"#"', '"["'])
scalars = st.sampled_from(["1", "-2.5", "true", "1e-5", '"x"', "'] # {'", '"\\"]"', '"""\n[t]\n"""', "1979-05-27", "0x1F"])
one_line = scalars.filter(lambda text: "\n" not in text)
inline = st.recursive(
    one_line,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | st.dictionaries(keys, inner, max_size=3).map(lambda table: "{" + ", ".join(f"{k} = {v}" for k, v in table.items()) + "}")
    ),
    max_leaves=6,
)
spread = st.lists(inline, min_size=1, max_size=3).map(lambda parts: "[ # [\n" + ",\n\n".join(parts) + ", # }\n]")
values = scalars | inline | spread
tables = st.dictionaries(keys, values, max_size=4).map(lambda table: "".join(f"{k} = {v} # = x\n" for k, v in table.items()))


@given(tables, st.dictionaries(keys, tables, max_size=3))
@settings(deadline=None)
def test_every_key_of_any_text_is_found(top: str, others: dict[str, str]) -> None:
    text = top + "".join(f"\n[t{i}.{key}]\n{table}" for i, (key, table) in enumerate(others.items()))
    assert set(key_lines(text)) == paths(tomllib.loads(text))
