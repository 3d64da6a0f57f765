"""What is kept of long work is taken up by the same work alone, and never half of it."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from foretide.data import files, kept, pace
from foretide.data.checkpoints import at, forget_inside, here, inside, keeping, kept_until_done, remembered
from foretide.data.digests import digest
from foretide.data.kept import Kept, read, write
from foretide.errors import StorageError


@pytest.fixture(autouse=True)
def _all_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST", "SHARE", "COST"):
        monkeypatch.setattr(pace, name, 0.0)


def counted(*decided_by: object, calls: list[object], value: float = 1.0) -> float:
    def work() -> float:
        calls.append(decided_by)
        warnings.warn("of it", UserWarning, stacklevel=1)
        return value

    return remembered(
        "sum", decided_by, work, pack=lambda found: Kept({"value": np.array(found)}, {}),
        unpack=lambda kept: float(kept.arrays["value"]),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:of it")
def test_work_is_done_once_for_all_that_decides_it(tmp_path: Path) -> None:
    calls: list[object] = []
    for _ in range(2):
        with keeping(tmp_path / "c", {"version": 1}):
            assert counted(1, calls=calls, value=0.1) == 0.1
            with inside("other"):
                assert counted(1, calls=calls, value=0.2) == 0.2
            assert counted(2, calls=calls, value=0.3) == 0.3
            with at(None):
                counted(1, calls=calls)
    assert len(calls) == 3 + 2
    with keeping(tmp_path / "c", {"version": 2}):  # nothing of another version is taken up
        counted(1, calls=calls)
        forget_inside("other")
    assert len(calls) == 3 + 2 + 1
    assert here() is None
    counted(1, calls=calls)  # outside nothing is kept
    assert len(calls) == 3 + 2 + 1 + 1


def test_what_was_warned_of_is_warned_of_again(tmp_path: Path) -> None:
    for _ in range(2):
        with keeping(tmp_path / "c", {}), pytest.warns(UserWarning, match="of it"):
            counted(1, calls=[])


def test_what_takes_no_time_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LEAST", 60.0)
    with keeping(tmp_path / "c", {}), pytest.warns(UserWarning, match="of it"):
        counted(1, calls=[])
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["about.json"]


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: b[:40], lambda b: b"", lambda b: b[:-1] + b"\x01"])
def test_a_damaged_file_is_no_file(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "x.safetensors"
    assert write(path, Kept({"a": np.arange(4.0), "none": np.zeros((0, 2))}, {"n": float("inf")}))
    found = read(path)
    assert found is not None
    assert found.arrays["a"].tolist() == [0, 1, 2, 3]
    assert found.facts == {"n": float("inf")}
    path.write_bytes(damage(path.read_bytes()))
    assert read(path) is None
    assert read(tmp_path / "none") is None


def test_what_is_too_large_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGEST", 100)
    assert not write(tmp_path / "x.safetensors", Kept({"a": np.zeros(20)}, {}))
    assert not list(tmp_path.iterdir())


def test_a_digest_tells_values_types_and_names_apart() -> None:
    a = np.arange(3.0)
    told = [
        digest(a),
        digest(a + 1e-12),
        digest(a.astype("f4")),
        digest({"a": a}),
        digest({"b": a}),
        digest(a[:, None]),
    ]
    told += [digest(), digest({}), digest(1, 2), digest(12), digest("12"), digest({"a": 1})]
    assert len(set(told)) == len(told)
    assert digest({"a": a, "b": a + 1}) == digest({"b": a + 1, "a": a})


def refused(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.filterwarnings("ignore:of it")
def test_a_full_disk_stops_no_work_that_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def work(disk: Callable[..., object] = files.flush_to_disk) -> list[float]:
        with keeping(tmp_path / "c", {}):
            monkeypatch.setattr(files, "flush_to_disk", disk)
            return [counted(k, calls=calls, value=k) for k in (1, 2)]

    with pytest.warns(UserWarning, match=r"kept on the way\. Could not write .*sum-.*: no space left") as said:
        assert work(refused) == [1, 2]
    assert sum("on the way" in str(one.message) for one in said) == 1
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["about.json"]
    assert work() == work() == [1, 2]  # there is room again
    assert len(calls) == 2 + 2


def test_a_folder_that_cannot_be_written_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "flush_to_disk", refused)
    with pytest.raises(StorageError, match=r"Could not write .*about.json: no space left"), keeping(tmp_path / "c", {}):
        pytest.fail("the work began")


@pytest.mark.filterwarnings("ignore:of it")
def test_what_is_kept_for_a_user_goes_when_it_is_done_and_nothing_else(tmp_path: Path) -> None:
    place, calls = tmp_path / "mine", list[object]()
    for error in (KeyboardInterrupt, None):
        with pytest.raises(error) if error else nullcontext(), kept_until_done(place, "work", (1,)):
            counted(1, calls=calls)
            (place / "notes.txt").write_text("mine")
            if error:
                raise error
    assert len(calls) == 1
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    with kept_until_done(tmp_path / "own", "work", (1,)):
        assert (tmp_path / "own").is_dir()
    assert not (tmp_path / "own").exists()
