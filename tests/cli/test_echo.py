"""Names that hold control characters cannot steer the terminal of who reads about them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import foretide

from foretide.text import visible

EVIL = "shop\x1b]0;gone\x1b[2J\x9b31m\u202e."


def test_what_is_hidden_is_spelt() -> None:
    assert visible(EVIL) == "shop\\x1b]0;gone\\x1b[2J\\x9b31m\\u202e."
    assert visible("two\nlines\tand ünïcode 😀") == "two\nlines\tand ünïcode 😀"


@pytest.mark.parametrize("words", [("check", "table.csv"), ("check", "table.csv", "--freq", "5min")])
def test_commands_say_names_without_what_is_hidden(words: tuple[str, ...], tmp_path: Path) -> None:
    rows = [f"{name},2024-01-{day:02d},{day}" for name in (EVIL, "b") for day in range(1, 29) if day != 9]
    (tmp_path / "table.csv").write_text("\n".join(["shop,day,sold", *rows]) + "\n", encoding="utf-8")
    done = foretide(*words, cwd=tmp_path, code=(0, 1, 2))
    said = done.stdout + done.stderr
    assert not set(said) & set("\x1b\x07\x9b\u202e")
    assert "\\x1b[2J" in said


def test_errors_say_names_without_what_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(f"ds,{EVIL}\n2024-01-01,1\n2024-01-02,2\n", encoding="utf-8")
    done = foretide("forecast", "table.csv", "--target", f"x{EVIL}", cwd=tmp_path, code=2)
    assert "\x1b" not in done.stderr
    assert "\\x1b[2J" in done.stderr
