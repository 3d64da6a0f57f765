from __future__ import annotations

from pathlib import Path

import pytest

from foretide.data.files import understood, write_whole
from foretide.errors import ArtifactError, DataError, StorageError


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


class OtherError(Exception):
    """What a library raises that knows no ValueError."""


@pytest.mark.parametrize(
    "error",
    [KeyError("kind"), OtherError("bad\n\nfooter"), RecursionError("deep"), OSError("thrift"), AssertionError()],
)
def test_whatever_comes_of_damaged_content_names_the_file_and_what_to_do(error: Exception) -> None:
    message = rf"^run\.json cannot be read: {type(error).__name__}: .*\. Do x\.$"
    with pytest.raises(ArtifactError, match=message) as got, understood("run.json", "Do x."):
        raise error
    assert got.value.__cause__ is error


def test_errors_of_our_own_and_of_the_system_keep_their_kind() -> None:
    with pytest.raises(DataError, match=r"^no$"), understood("run.json"):
        raise DataError("no")
    with pytest.raises(StorageError, match=r"run\.json"), understood("run.json"):
        raise PermissionError(13, "denied")
