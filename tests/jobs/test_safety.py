"""Nothing is lost: kills between any two file operations, full disks, foreign files, two starters at once."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import foretide
from tests.support.cases import make_panel

import foretide as ft
from foretide.data.asides import MARKER, asides_of, set_aside
from foretide.data.files import PART, file_name, is_no_path, storing, write_whole
from foretide.errors import ArtifactError, ConfigError, ForetideError, StorageError
from foretide.evaluation.cards.scorecard import Scorecard
from foretide.forecasters.naming import check_names
from foretide.jobs import fit_model, predict_with, run_backtest
from foretide.jobs.config import load_config
from foretide.jobs.folder import RunFolder
from foretide.jobs.job import Deed, folder_of
from foretide.jobs.saved import saved_models
from foretide.jobs.status import foreign, read_status

SMALL: dict[str, Any] = {
    "data": {"synthetic": {"args": {"T": 160, "n_series": 1}}}, "h": 2, "input_size": 8, "baselines": False,
    "explain": False, "models": [{"SeasonalNaive": {"season": 24}}, "Persistence"],
}  # fmt: skip


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, and nothing may tidy up after it."""


@contextmanager
def operations(stop: int | None, error: Callable[[], BaseException] = Killed) -> Iterator[list[str]]:
    """Count what changes the disk; from the ``stop``-th on raise instead, before it is done."""
    done: list[str] = []

    def watched(name: str, real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            done.append(name)
            if stop is not None and len(done) > stop:
                raise error()
            return real(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync"):
            patch.setattr(os, name, watched(name, getattr(os, name)))
        patch.setattr(shutil, "rmtree", watched("rmtree", shutil.rmtree))
        yield done


def whole_run(path: Path, text: str, **options: Any) -> None:
    folder = RunFolder.create(path, **options)
    with folder.writing():
        folder.write_text("kept.txt", text)


# ---------------------------------------------------------------- kills
@pytest.mark.parametrize("before", ["nothing", "finished", "failed", "resumed"])
def test_a_kill_between_any_two_operations_loses_nothing(tmp_path: Path, before: str) -> None:
    options = {"nothing": {}, "finished": {"overwrite": True}, "failed": {}, "resumed": {"resume": True}}[before]

    def prepared(place: Path) -> Path:
        path = place / "run"
        if before in ("finished", "resumed"):
            whole_run(path, "first")
        if before == "failed":
            with pytest.raises(ValueError, match="no"), RunFolder.create(path).writing():
                raise ValueError("no")
        (place / "run.previous").mkdir(parents=True)
        (place / "run.previous" / "mine.txt").write_text("mine")
        return path

    path = prepared(tmp_path / "count")
    with operations(None) as done:
        whole_run(path, "second", **options)
    assert len(done) > 5
    for stop in range(len(done)):
        place = tmp_path / str(stop)
        place.mkdir()
        path = prepared(place)
        with operations(stop), pytest.raises(Killed):
            whole_run(path, "second", **options)
        finished = [p for p in (path, *asides_of(path)) if (read_status(p) or {}).get("status") == "finished"]
        if before == "finished":
            assert any((p / "kept.txt").is_file() for p in finished), (stop, done[stop])
        status = read_status(path)
        if status is None or status["status"] != "finished" or options:
            whole_run(path, "third", **{**options, "overwrite": True})  # as typed again, it goes through
            assert (path / "kept.txt").read_text() == "third"
            assert read_status(path)["status"] == "finished"  # type: ignore[index]
        assert (place / "run.previous" / "mine.txt").read_text() == "mine"
        left = {p.name for p in place.iterdir() if not p.name.endswith(".lock")} - {"run", "run.previous"}
        assert all((place / name / MARKER).is_file() or not any((place / name).iterdir()) for name in left), left


def test_a_run_killed_while_it_replaced_another_says_where_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "run"
    whole_run(path, "first")
    former = set_aside(path)
    with pytest.raises(ConfigError, match=r"A finished run of .* lies in .*\(--overwrite\)"):
        RunFolder.create(path)
    assert (former / "kept.txt").read_text() == "first"


@pytest.mark.parametrize("before", ["nothing", "model"])
def test_a_kill_while_saving_a_model_leaves_one(tmp_path: Path, before: str) -> None:
    panel = make_panel((40,))
    old, new = ft.SeasonalNaive(2, 7).fit(panel), ft.Persistence(2).fit(panel)

    def prepared(place: Path) -> Path:
        if before == "model":
            old.save(place / "model")
        return place / "model"

    path = prepared(tmp_path / "count")
    with operations(None) as done:
        new.save(path)
    for stop in range(len(done)):
        path = prepared(tmp_path / str(stop))
        with operations(stop), pytest.raises(Killed):
            new.save(path)
        if path.exists():
            assert type(ft.load(path)) in (ft.SeasonalNaive, ft.Persistence)
        elif before == "model":
            with pytest.raises(ArtifactError, match=r"The forecaster before is whole: ft\.load\('(.*)'\)") as caught:
                ft.load(path)
            assert isinstance(ft.load(str(caught.value).rpartition("ft.load('")[2][:-2]), ft.SeasonalNaive)
        new.save(path)
        assert isinstance(ft.load(path), ft.Persistence)


def test_a_file_is_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")
    with operations(None) as done:
        write_whole(path, lambda part: part.write_text("new"))
    path.write_text("old")
    for stop in range(len(done)):
        path.write_text("old")
        with operations(stop), pytest.raises(Killed):
            write_whole(path, lambda part: part.write_text("new"))
        assert path.read_text() == ("old" if stop <= done.index("replace") else "new")


# ---------------------------------------------------------------- foreign files
def test_what_a_run_did_not_write_is_never_removed(tmp_path: Path) -> None:
    path, beside = tmp_path / "out", tmp_path / "out.previous"
    beside.mkdir()
    (beside / "mine.txt").write_text("mine")
    (tmp_path / f"{PART}aside-mine").mkdir()
    (tmp_path / f"{PART}aside-mine" / "mine.txt").write_text("mine")
    whole_run(path, "first")
    whole_run(path, "second", overwrite=True)
    assert (beside / "mine.txt").read_text() == "mine"
    assert (tmp_path / f"{PART}aside-mine" / "mine.txt").read_text() == "mine"
    (path / "notes.txt").write_text("mine")
    for options in ({"overwrite": True}, {}):
        with pytest.raises(ConfigError, match="finished run" if not options else "no run has written: notes.txt"):
            RunFolder.create(path, **options)
    whole_run(path, "third", resume=True)
    assert (path / "notes.txt").read_text() == "mine"


def test_every_file_of_a_run_is_known_as_its_own(tmp_path: Path) -> None:
    folder = ft.run(SMALL, output=tmp_path / "run")
    assert foreign(folder.path, read_status(folder.path) or {}) == []
    assert not [p for p in tmp_path.iterdir() if p.name != "run"]
    tested = run_backtest({**SMALL, "backtest": {"n_windows": 2}}, output=tmp_path / "test")
    assert foreign(tested.path, read_status(tested.path) or {}) == []


def test_links_are_not_followed_when_something_is_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a.txt").write_text("a")
    path = tmp_path / "run"
    folder = RunFolder.create(path)
    with folder.writing():
        folder.place("link").symlink_to(precious, target_is_directory=True)
    whole_run(path, "second", overwrite=True)
    assert (precious / "a.txt").read_text() == "a"
    real = tmp_path / "real"
    whole_run(real, "behind a link")
    linked = tmp_path / "linked"
    linked.symlink_to(real, target_is_directory=True)
    whole_run(linked, "new", overwrite=True)
    assert (real / "kept.txt").read_text() == "behind a link"
    assert (linked / "kept.txt").read_text() == "new"


# ---------------------------------------------------------------- two at once
def test_of_two_starters_one_wins(tmp_path: Path) -> None:
    path, barrier, won, lost = tmp_path / "run", threading.Barrier(8), [], []

    def start() -> None:
        barrier.wait()
        try:
            won.append(RunFolder.create(path))
        except ConfigError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 7
    assert all("right now" in text for text in lost)
    with won[0].writing():
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_starters_without_a_name_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    barrier, made, config = threading.Barrier(4), [], load_config({**SMALL, "name": "demo"})

    def start() -> None:
        barrier.wait()
        made.append(folder_of(Deed("run"), config, None, overwrite=False))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folder.path.name for folder in made) == ["demo", "demo-2", "demo-3", "demo-4"]
    for folder in made:
        with folder.writing():
            pass


def test_the_lock_of_a_killed_process_holds_up_nobody(tmp_path: Path) -> None:
    code = (
        "import os, sys; from foretide.jobs.folder import RunFolder\n"
        "folder = RunFolder.create(sys.argv[1]); print('ready', flush=True); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, check=False)
    assert (read_status(tmp_path / "run") or {})["status"] == "running"
    whole_run(tmp_path / "run", "after")
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


# ---------------------------------------------------------------- names
NAMES = (
    "A/B",
    "A-B",
    "A B",
    "con",
    "NUL.txt",
    "..",
    "a.",
    "x" * 300,
    "größe",
    "../../x",
    "日本" * 60,
    "a:b",
    "e\u0301",
)


def test_every_name_has_a_file_of_its_own() -> None:
    files = [file_name(name) for name in NAMES]
    assert len({f.casefold() for f in files}) == len(NAMES)
    for file in files:
        assert is_no_path(file), file
        assert file.strip(". ") == file
        assert file.partition(".")[0].casefold() not in ("con", "nul")
        assert len(file.encode()) <= 110
    assert file_name("LSTM-seed3") == "LSTM-seed3"
    check_names([name for name in NAMES if name.isprintable()])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("Ridge", "ridge"), "take for one name"), (("Ridge", "Ｒidge"), "take for one name"),
        (("A", "A"), "are called 'A'"), ((" ",), "visible"),
        (("oracle",), "something else"), (("Cutoff",), "something else"), (("ds",), "something else"),
        (("a\nb",), "visible"), (("A", "A-lo-80"), "as bounds of 'A' are"), (("A", "a-ql0.1"), "as bounds of 'A' are"),
        (("A/B", file_name("A/B")), "whose files have one name"),
    ],
)  # fmt: skip
def test_names_that_would_meet_are_refused(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"{said}.*alias"):
        check_names(names, columns=("unique_id", "ds"))


def test_predict_serves_the_right_model_under_the_right_name(tmp_path: Path) -> None:
    models = [{"SeasonalNaive": {"season": 24, "alias": "A/B"}}, {"Persistence": {"alias": "A-B"}}]
    folder = ft.run({**SMALL, "models": models}, output=tmp_path / "run")
    assert set(saved_models(folder.path)) == {"A/B", "A-B"}
    table = {name: predict_with(folder.path, model=name) for name in ("A/B", "A-B")}
    assert "A/B" in table["A/B"]
    assert "A-B" in table["A-B"]
    assert table["A-B"]["A-B"].nunique() == 1
    assert table["A/B"]["A/B"].nunique() > 1
    with pytest.raises(ConfigError, match=r"no model 'A_B'.*'A-B'|no model 'A_B'.*'A/B'"):
        predict_with(folder.path, model="A_B")


def test_names_are_refused_before_any_work(tmp_path: Path) -> None:
    models = [{"Persistence": {"alias": "ridge"}}, {"Drift": {"alias": "Ridge"}}]
    with pytest.raises(ConfigError, match=r"take for one name.*\{Ridge: \{alias: other-name\}\}"):
        ft.run({**SMALL, "models": models}, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="take for one name"):
        ft.backtest([ft.Drift(2, alias="a"), ft.Drift(2, alias="A")], make_panel((60,)), n_windows=2)


@pytest.mark.parametrize("name", ["../../x", "/abs/x", "a/b", "..", ".", "", "a\\b", "a\0b"])
def test_the_name_of_a_run_is_no_path(name: str) -> None:
    with pytest.raises(ConfigError, match=r"name: .*no path\. Type name: ([^,]+), and output:") as caught:
        load_config({**SMALL, "name": name})
    typed = str(caught.value).partition("Type name: ")[2].partition(",")[0]
    assert load_config({**SMALL, "name": typed}).name == typed


@pytest.mark.parametrize("name", ["nul", "a.", " a", "x" * 300, "a:b?", "größe"])
def test_any_other_name_of_a_run_has_a_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = folder_of(Deed("run"), load_config({**SMALL, "name": name}), None, overwrite=False)
    assert folder.path.resolve().parent == tmp_path / "runs"
    assert folder.path.name == file_name(name)
    with folder.writing():
        pass


def test_a_run_lies_in_the_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f" größe: a? {'x' * 300}"
    assert ft.run({**SMALL, "name": name}).path.resolve() == tmp_path / "runs" / file_name(name)


# ---------------------------------------------------------------- disks that refuse
def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refused() -> OSError:
    return OSError(errno.EACCES, os.strerror(errno.EACCES))


def write_config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(SMALL))))
    return path


@pytest.mark.parametrize("stop", range(0, 40, 3))
@pytest.mark.parametrize("error", [full, refused])
def test_a_disk_that_refuses_is_one_line_and_what_was_finished_stays(
    tmp_path: Path, stop: int, error: Callable[[], BaseException]
) -> None:
    path = tmp_path / "run"
    whole_run(path, "first")
    caught: StorageError | None = None
    with operations(stop, error) as done:
        try:
            folder = RunFolder.create(path, overwrite=True)
            with folder.writing():
                for k in range(4):
                    folder.write_text(f"{k}.txt", "x")
        except StorageError as refusal:
            caught = refusal
    if caught is not None:
        assert "\n" not in str(caught)
        assert caught.errno in (errno.ENOSPC, errno.EACCES)
        assert isinstance(caught.__cause__, OSError)
    if len(done) > stop:
        places = [path, *asides_of(path)]
        texts = [p / "kept.txt" for p in places if (p / "kept.txt").is_file()]
        assert texts or (read_status(path) or {})["status"] == "finished"


def small_backtest(**options: Any) -> Scorecard:
    return ft.backtest(ft.Persistence(2), make_panel((60,)), n_windows=2, baselines=False, **options)


JOBS: dict[str, Callable[[Path], object]] = {
    "run": lambda p: ft.run(SMALL, output=p / "out"),
    "fit": lambda p: fit_model(SMALL, p / "out"),
    "backtest": lambda p: run_backtest({**SMALL, "backtest": {"n_windows": 2}}, output=p / "out"),
    "save": lambda p: ft.Persistence(2).fit(make_panel((40,))).save(p / "out"),
    "card": lambda p: ft.backtest(ft.Persistence(2), make_panel((60,)), n_windows=2, baselines=False).save(p / "out"),
    "folds": lambda p: ft.backtest(
        ft.Persistence(2), make_panel((60,)), n_windows=2, baselines=False, folder=p / "out"
    ),
}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("obstacle", ["full", "file", "long"])
def test_every_job_says_in_one_line_what_could_not_be_written(tmp_path: Path, job: str, obstacle: str) -> None:
    place = tmp_path
    if obstacle == "file":
        (tmp_path / "a").write_text("a file where a folder should be")
        place = tmp_path / "a"
    if obstacle == "long":
        place = tmp_path / ("x" * 300)
    with pytest.raises(StorageError, match=r"^Could not ") as caught, pytest.MonkeyPatch.context() as patch:
        if obstacle == "full":

            def fail(*_: Any) -> None:
                raise full()

            patch.setattr(os, "fsync", fail)
        JOBS[job](place)
    assert "\n" not in str(caught.value)
    if obstacle == "file":
        assert place.read_text() == "a file where a folder should be"


def command(*arguments: str, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foretide", *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_commands_say_one_line(tmp_path: Path) -> None:
    fit_model(SMALL, tmp_path / "fit")
    (tmp_path / "file").write_text("x")
    config = str(write_config(tmp_path))
    (tmp_path / "folder.csv").mkdir()
    tries = [
        ("predict", str(tmp_path / "fit"), "--out", str(tmp_path / "file" / "a.csv")),
        ("predict", str(tmp_path / "fit"), "--out", str(tmp_path / "folder.csv")),
        ("predict", str(tmp_path / "fit"), "--out", str(tmp_path / f"{'x' * 300}.csv")),
        ("generate", "hourly", "--steps", "50", "--out", str(tmp_path / "file" / "a.parquet")),
        ("run", config, "--out", str(tmp_path / "file" / "run")),
        ("run", str(tmp_path)),
    ]
    for arguments in tries:
        got = foretide(*arguments, code=(1, 2))
        assert "Traceback" not in got.stderr
        assert got.stderr.startswith("error: "), got.stderr
        assert len(got.stderr.strip().splitlines()) == 1, got.stderr
    with Path("/dev/full").open("w") as broken:
        got = command("predict", str(tmp_path / "fit"), stdout=broken)
    assert got.returncode == 1
    assert got.stderr.strip() == "error: Could not read or write the output: no space left on device."


def test_a_broken_pipe_is_silent(tmp_path: Path) -> None:
    fit_model(SMALL, tmp_path / "fit")
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        got = command("predict", str(tmp_path / "fit"), stdout=gone)
    assert got.returncode == 1
    assert got.stderr == ""


def test_a_folder_that_disappears_is_said(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(StorageError, match="folder of the run is gone"), folder.writing():
        shutil.rmtree(folder.path)
        folder.write_text("a.txt", "x")
    assert not folder.path.exists()


def test_errors_of_the_system_inside_a_run_say_what_is_kept(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    said = r"disk\.db: no space left on device\. What was finished is kept in"
    with pytest.raises(StorageError, match=said), folder.writing():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk.db")
    assert folder.status == "failed"


def test_errors_of_our_own_pass_through() -> None:
    with pytest.raises(ArtifactError, match="mine"), storing("x"):
        raise ArtifactError("mine")
    assert issubclass(StorageError, ForetideError)
