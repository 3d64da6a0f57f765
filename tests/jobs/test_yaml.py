"""YAML of configurations: what is too large, too deep or no value of its kind is refused in words."""

from __future__ import annotations

import re

import pytest

from foretide.errors import ConfigError
from foretide.jobs.yaml import DEEPEST, LONGEST, MOST, read_yaml, write_yaml


def bomb(depth: int, width: int) -> str:
    lines = ["a0: &a0 [x, x, x]"]
    return "\n".join([*lines, *(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * width)}]" for k in range(1, depth))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 3000, "nested too deeply"),
        ("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), f"nested too deeply; {DEEPEST} levels"),
        ("x" * (LONGEST + 1), f"has {LONGEST + 1:,} letters; expected at most {LONGEST:,}"),
        (bomb(12, 9), f"more than {MOST:,} values where its aliases are written out"),
        ("a0: &a0 {x: 1}\n" + "\n".join(f"a{k}: &a{k} {{<<: [{', '.join([f'*a{k - 1}'] * 9)}]}}" for k in range(1, 9)),
         f"more than {MOST:,} values"),
        ("h: 1\na: &a [*a]", "holds itself: an alias in line 2"),
        ("a: &a {b: {c: *a}}", "holds itself"),
        ("h: !!int x", "not valid YAML: invalid literal.*Put such a value in quotes"),
        ("h: 0x_", "not valid YAML"),
        ("first: 2024-01-01T99:99:99", "hour must be in 0..23.*in quotes"),
        ("!!python/object:os.system [x]", "could not determine a constructor"),
    ],
)  # fmt: skip
def test_what_no_configuration_needs_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        read_yaml(text)


def test_aliases_merges_and_depth_within_reason_are_read() -> None:
    assert read_yaml("a: &a {k: 1}\nb: {<<: *a, l: 2}\nc: [*a, *a]") == {
        "a": {"k": 1}, "b": {"k": 1, "l": 2}, "c": [{"k": 1}, {"k": 1}]
    }  # fmt: skip
    deep: object = 1
    for _ in range(DEEPEST - 1):
        deep = [deep]
    assert read_yaml(write_yaml({"a": deep})) == {"a": deep}
    assert read_yaml("x" * 70_000) == "x" * 70_000
    assert read_yaml("# nothing") is None
    many = read_yaml(bomb(4, 3))
    assert isinstance(many, dict)
    assert len(re.findall("x", str(many["a3"]))) == 3**4
