"""Run folders: the status tells how a run ended, finished ones are kept, files are whole or absent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from foretide.data.asides import asides_of
from foretide.errors import ConfigError
from foretide.jobs.folder import RunFolder
from foretide.jobs.status import read_status


def finished(path: Path) -> RunFolder:
    folder = RunFolder.create(path)
    with folder.writing():
        folder.write_text("kept.txt", "old")
    return folder


def test_status_follows_the_run(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    assert folder.status == "running"
    with folder.writing():
        assert "did not finish" in (read_status(folder.path) or {})["note"]
    assert folder.status == "finished"


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt("stop"), "interrupted"), (ValueError("no"), "failed")]
)
def test_an_unfinished_folder_says_so(tmp_path: Path, error: BaseException, status: str) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(type(error), match=str(error)), folder.writing():
        folder.write_text("whole.txt", "x")
        raise error
    assert folder.status == status
    assert "did not finish" in (read_status(folder.path) or {})["note"]
    assert (folder.path / "whole.txt").read_text() == "x"
    assert RunFolder.create(tmp_path / "run").status == "running"  # an unfinished one may be replaced


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    with pytest.raises(ConfigError, match="finished run, which is not overwritten"):
        RunFolder.create(tmp_path / "run")
    assert (tmp_path / "run" / "kept.txt").read_text() == "old"


def test_overwriting_keeps_the_old_run_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    finished(path)
    folder = RunFolder.create(path, overwrite=True)
    with pytest.raises(ValueError, match="half way"), folder.writing():
        raise ValueError("half way")
    (former,) = asides_of(path)
    assert (former / "kept.txt").read_text() == "old"
    assert (read_status(path) or {})["previous"] == str(former)
    again = RunFolder.create(path)
    assert (former / "kept.txt").read_text() == "old"
    with again.writing():
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert [p.name for p in path.iterdir()] == ["status.json"]
    assert "previous" not in (read_status(path) or {})


def test_a_foreign_folder_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("x")
    with pytest.raises(ConfigError, match="is not a run folder"):
        RunFolder.create(tmp_path / "photos", overwrite=True)
    assert (tmp_path / "photos" / "a.jpg").exists()


def test_a_run_that_is_going_on_is_not_disturbed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.mark(pid=os.getppid(), began=None)  # another process, of which only the number is known
    assert folder.claim is not None
    folder.claim.release()
    with pytest.raises(ConfigError, match="writing to .* right now"):
        RunFolder.create(tmp_path / "run")


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.write_text("a.txt", "old")

    def breaks(path: Path) -> None:
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        folder.write("a.txt", breaks)
    assert (folder.path / "a.txt").read_text() == "old"
    assert sorted(p.name for p in folder.path.iterdir()) == ["a.txt", "status.json"]


def test_a_broken_status_is_no_status(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    assert read_status(tmp_path) is None
    (tmp_path / "status.json").write_text(json.dumps([1]))
    assert read_status(tmp_path) is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"status": []}', '{"status": "finished", "files": [["x"]]}', "7"])
def test_a_status_that_nobody_wrote_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path) is None
