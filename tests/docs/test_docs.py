"""Documentation runs: every Python block is executed, every command and every link exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages_of_docs import PAGES, README, ROOT, blocks, run_python

# Those of the README run in test_newcomer.py.
WITH_PYTHON = [page for page in PAGES if page != README and blocks(page, "python")]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda p: p.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_python(page, tmp_path, monkeypatch)


def test_the_readme_has_two_commands_six_lines_ten_lines_and_a_picture() -> None:
    text = README.read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
    first, ten, *_ = ([line for line in b.splitlines() if line.strip()] for b in blocks(README, "python"))
    assert len(first) <= 6
    assert len(ten) <= 11
    assert re.search(r"!\[.+\]\(docs/img/.+\.png\)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_and_targets_exist(page: Path) -> None:
    from foretide.cli.app import COMMANDS

    text = page.read_text(encoding="utf-8")
    for command in re.findall(
        r"foretide ([a-z-]+) [a-zA-Z\-./]", "\n".join(re.findall(r"`foretide [^`]+`|^foretide .+$", text, re.M))
    ):
        assert command in COMMANDS, command
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_yaml_in_the_documentation_is_a_configuration() -> None:
    from foretide.jobs.config import Config, read_settings

    found = 0
    for page in PAGES:
        for block in blocks(page, "yaml"):
            raw = read_settings(block)
            config = Config.model_validate({"data": {"synthetic": {}}, **raw})
            assert config.models
            found += 1
    assert found >= 2
