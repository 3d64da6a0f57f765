"""A command is a file and a line in the table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import foretide
from typer.testing import CliRunner

from foretide.cli.app import COMMANDS, command_line

MADE_UP = '''
"""``foretide count``: how many rows a table has."""

import typer

from foretide.cli.common import ConfigFile


def count(config: ConfigFile, twice: bool = False) -> None:
    """Count the lines of a file."""
    typer.echo(f"{len(config.read_text().splitlines()) * (2 if twice else 1)} lines")
'''


def test_a_made_up_command_is_a_file_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_up_command.py").write_text(MADE_UP)
    (tmp_path / "job.yaml").write_text("h: 3\nmodels: []\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    app = command_line({**COMMANDS, "count": "made_up_command:count"})
    help_text = CliRunner().invoke(app, ["--help"]).output
    assert [name for name in (*COMMANDS, "count") if name not in help_text] == []
    assert "Count the lines of a file." in help_text
    done = CliRunner().invoke(app, ["count", str(tmp_path / "job.yaml"), "--twice"])
    assert (done.exit_code, done.output) == (0, "4 lines\n")
    sys.modules.pop("made_up_command")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    done = CliRunner().invoke(command_line(COMMANDS), [name, "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.output


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--executor", "rai"], "There is no executor 'rai'. Did you mean 'ray'?"),
        (["--executor", "serial", "--address", "10.0.0.5:6379"], "Type: --executor ray --address 10.0.0.5:6379"),
    ],
)
def test_where_a_command_runs_is_checked_first(flags: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("data: {synthetic: {}}\n")
    assert message in foretide("backtest", "job.yaml", "--dry-run", *flags, cwd=tmp_path, code=2).stderr
