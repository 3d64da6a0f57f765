"""What all jobs share: a checked configuration, data, a folder of their own, a log, and how they end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.data.checkpoints import keeping
from foretide.data.files import file_name
from foretide.errors import ForetideError
from foretide.forecasters.fitting import installed_versions
from foretide.forecasters.options import decisive
from foretide.jobs.checking import checked_data
from foretide.jobs.claim import TakenError
from foretide.jobs.config import Config, load_config, write_yaml
from foretide.jobs.folder import RunFolder
from foretide.jobs.log import Log
from foretide.jobs.prepare import Prepared, tell, with_form
from foretide.jobs.status import is_going_on, read_status
from foretide.jobs.store import CHECKPOINTS, LOG, SETTINGS, TUNED
from foretide.parallel import using
from foretide.tuning.search import check_names

if TYPE_CHECKING:
    from foretide.evaluation.rolling.plan import Plan
    from foretide.typing import Json

RUNS = Path("runs")
Place = str | os.PathLike[str]
Source = str | os.PathLike[str] | Mapping[str, object] | Config
Progress = Callable[[str], None]


def plain(config: Config) -> Json:
    """Return a configuration as plain data, without the place of the folder and where tasks run.

    Parameters
    ----------
    config : Config

    Returns
    -------
    dict
    """
    return config.model_dump(mode="json", exclude={"output", "executor"})


def text_of(config: Config) -> str:
    """Return a configuration as YAML, without the place of the folder.

    Parameters
    ----------
    config : Config

    Returns
    -------
    str
    """
    return write_yaml(plain(config))


@dataclass(frozen=True)
class Deed:
    """What kind of job this is.

    Attributes
    ----------
    name : str
        As the command is called.
    suffix : str
        Of the folder it takes where none is named: ``runs/<name><suffix>``.
    parts : bool
        Whether it needs the data split into parts.
    plan : callable, optional
        Of configuration and data: the folds on which models are judged.
    same : callable
        Of a configuration: what makes two jobs the same, so that one goes on where the other stopped.
    goes_on : bool
        Whether a finished job of the same configuration is continued.
    searches : bool
        Whether it searches for settings, where the configuration says so.
    """

    name: str
    suffix: str = ""
    parts: bool = True
    plan: Callable[[Config, Prepared], Plan] | None = None
    same: Callable[[Config], Json] = plain
    goes_on: bool = False
    searches: bool = False

    def check(self, prepared: Prepared) -> Plan | None:
        """Split the data and lay out the folds, if the job needs any; look whether a search can be made.

        Parameters
        ----------
        prepared : Prepared

        Returns
        -------
        Plan or None

        Raises
        ------
        ConfigError, DataError, MissingExtraError
            Where that cannot be done.
        """
        search = prepared.config.search if self.searches else None
        if search is not None:
            check_names(search.sampler, search.pruner)
        if self.parts:
            _ = prepared.split
        return None if self.plan is None else self.plan(prepared.config, prepared)


@dataclass(frozen=True)
class Job:
    """A job while it works.

    Attributes
    ----------
    deed : Deed
    config : Config
    prepared : Prepared
        The data and their parts.
    plan : Plan or None
        Its folds.
    folder : RunFolder
    log : Log
    """

    deed: Deed
    config: Config
    prepared: Prepared
    plan: Plan | None
    folder: RunFolder
    log: Log

    @property
    def checkpoints(self) -> Path:
        """Where it keeps what is done so far."""
        return self.folder.path / CHECKPOINTS

    def step(self, text: str) -> None:
        """Note what is being done: in ``status.json``, in the log, and for whoever watches.

        Parameters
        ----------
        text : str
        """
        self.folder.mark(step=text)
        self.log(text)

    def tuned(self, config: Config) -> Job:
        """Return the job with the settings that a search found, which are kept.

        Parameters
        ----------
        config : Config

        Returns
        -------
        Job
        """
        self.folder.keep(TUNED, write_yaml(config.model_dump(mode="json", exclude={"output", "executor", "search"})))
        return replace(self, config=config)


@contextmanager
def working(
    deed: Deed, config: Config, output: Place | None, *, overwrite: bool, progress: Progress | None,
    prepared: Prepared | None = None,
) -> Iterator[Job]:  # fmt: skip
    """Do a job's work in a folder of its own, which says how it ended.

    What cannot work is found before a folder is made: models and settings, a folder that is taken, wrong data. A job of
    the same configuration that did not finish is continued.

    Parameters
    ----------
    deed : Deed
    config : Config
    output : path, optional
        By default what the configuration says, else a name under ``runs``.
    overwrite : bool
        Replace a finished job there. It is kept aside until this one has finished.
    progress : callable, optional
        Gets one line of text for every step.
    prepared : Prepared, optional
        The data, where they are read already.

    Yields
    ------
    Job

    Raises
    ------
    ConfigError, DataError
        Before anything is written, where configuration or data cannot work; later the folder says ``failed``.
    StorageError
        For a full disk, a folder without permission, a path too long; the message says what is kept.
    """
    target = output or config.output
    if target is not None:
        RunFolder.refuse(target, overwrite=overwrite or deed.goes_on)
    log = Log(progress)
    with log.catching_warnings():
        if prepared is None:
            log("reading the data")
            prepared, plan = checked_data(config, deed.check)
        else:
            plan = deed.check(prepared)
        tell(prepared.panel, log)
        if deed.parts:
            log(f"steps to train on, for validation and to test on: {prepared.split.sizes}", show=False)
    kept = with_form(config, prepared.panel)
    folder = folder_of(deed, kept, None if target is None else Path(target), overwrite=overwrite)
    with folder.writing(), log.of(folder.place(LOG.file)):
        folder.mark(job=deed.name)
        folder.keep(SETTINGS, text_of(kept))
        job = Job(deed, config, prepared, plan, folder, log)
        folder.place(CHECKPOINTS)
        about = {"job": deed.name, "versions": installed_versions()}
        with keeping(job.checkpoints, about), using(config.executor, unless_set=True):
            yield job
        if deed.parts:
            log(f"finished: {folder.path / 'summary.md'}")


def folder_of(deed: Deed, config: Config, target: Path | None, *, overwrite: bool) -> RunFolder:
    """Make the folder named, or the first free one; that of the same job where it can be gone on with.

    Parameters
    ----------
    deed : Deed
    config : Config
    target : path or None
    overwrite : bool

    Returns
    -------
    RunFolder
    """
    first = 1
    while True:
        place, resumes, first = place_of(deed, config, target, first=first)
        try:
            return RunFolder.create(place, overwrite=overwrite and target is not None, resume=resumes)
        except TakenError:
            if target is not None:
                raise
            first += resumes  # the same job goes on there in another thread
            time.sleep(0.01)  # or whoever was quicker makes the folder now


def place_of(deed: Deed, config: Config, target: Path | None, *, first: int = 1) -> tuple[Path, bool, int]:
    """Return the folder that a job takes, whether it goes on with what is there, and the number of the folder.

    Parameters
    ----------
    deed : Deed
    config : Config
    target : path or None
        None: the first free one of its name, or that of the same job where it can be gone on with.
    first : int
        Number to begin from.

    Returns
    -------
    Path, bool, int
    """
    if target is not None:
        return target, _resumes(deed, config, target), first
    base = RUNS / file_name(f"{config.name}{deed.suffix}")
    while True:
        place = base if first == 1 else base.with_name(f"{base.name}-{first}")
        resumes = _resumes(deed, config, place)
        if resumes or not os.path.lexists(place):
            return place, resumes, first
        first += 1


def _resumes(deed: Deed, config: Config, place: Path) -> bool:
    """Whether a folder holds the same job, unfinished or to be gone on with."""
    status = read_status(place)
    if status is None or status.get("job") != deed.name or is_going_on(status):
        return False
    if status["status"] == "finished" and not deed.goes_on:
        return False
    try:
        return decisive(deed.same(load_config(place / SETTINGS.file))) == decisive(deed.same(config))
    except ForetideError:
        return False  # its configuration cannot be read: another job
