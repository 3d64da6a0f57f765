from __future__ import annotations

from pathlib import Path

import pytest

from foretide.data.files import write_whole


def test_a_file_appears_whole_and_what_was_there_stays_until_then(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.txt"

    def writer(part: Path) -> None:
        part.write_text("half")
        assert not path.exists() or path.read_text() == "old"
        part.write_text("whole")

    assert write_whole(path, writer) == path
    assert path.read_text() == "whole"
    path.write_text("old")
    write_whole(path, writer)
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]


def test_a_writer_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")

    def writer(part: Path) -> None:
        part.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_whole(path, writer)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]
