"""Tasks on Ray: on the cores of this machine, or on all machines of a cluster."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Self, cast

from foretide.data.scratch import sent_whole
from foretide.errors import ConfigError
from foretide.parallel.executor import Executor, I, Job, Outcome, R, S
from foretide.parallel.line import Line, Task
from foretide.parallel.outbox import deliver
from foretide.parallel.processes import apply, paired
from foretide.parallel.ray_cluster import Cluster, held
from foretide.parallel.ray_worker import Back, Sent, here, run_there, versions
from foretide.parallel.serial import SerialExecutor
from foretide.parallel.sharing import packed
from foretide.parallel.threads import cores
from foretide.parallel.worker import in_worker

if TYPE_CHECKING:
    from types import ModuleType

PAUSE = 0.1
"""Seconds after the first death of a worker until its task is begun again, in which Ray notices."""


class RayExecutor(Executor):
    """Runs tasks on Ray.

    What all tasks share is put into Ray's object store once; each machine gets one copy, whose pages its workers have
    in common. A task whose worker died is begun again, and so is one whose machine is gone.

    Parameters
    ----------
    n_jobs : int
        Tasks side by side; -1: one per core of the cluster.
    address : str, optional
        ``host:port`` of a cluster, or ``"auto"`` for one that runs on this machine. By default the cluster that
        ``RAY_ADDRESS`` names or that this process is connected to, else one that is started here and ends again.
    insecure : bool
        Use a cluster on other machines without token authentication.
    gpus : float
        GPUs that each task asks for, such as 0.5; without one a task computes on the CPU of its machine, or sees all
        GPUs of it, as the cluster is set up.

    Raises
    ------
    ConfigError
        For an address that is not protected by a token.
    MissingExtraError
        Without the package ray.
    """

    def __init__(
        self, n_jobs: int = -1, *, address: str | None = None, insecure: bool = False, gpus: float = 0.0
    ) -> None:
        if address is not None and not (isinstance(address, str) and address.strip()):
            raise ConfigError(f"address is that of a cluster's head, such as '10.0.0.5:6379'; got {address!r}.")
        if not isinstance(insecure, bool):
            raise ConfigError(f"insecure is true or false, got {insecure!r}.")
        if isinstance(gpus, bool) or not isinstance(gpus, (int, float)) or not gpus >= 0:
            raise ConfigError(f"gpus is how many GPUs each task asks for, such as 0.5; got {gpus!r}.")
        self.n_jobs, self.gpus = n_jobs, float(gpus)
        self.cluster = Cluster(address, insecure, n_jobs if n_jobs > 0 else cores())
        self.cluster.check()
        self._depth = 0
        self._stack = ExitStack()
        self._ray: ModuleType | None = None

    def __enter__(self) -> Self:
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._ray = None
            self._stack.close()

    @property
    def jobs(self) -> int:
        """Tasks side by side: as many as were asked for, or the cores of the cluster, which is connected to."""
        if self.n_jobs > 0 or self.cluster.starts_here():
            return self.cluster.cpus
        with self:
            return self._cores(self.ray())

    def ray(self) -> ModuleType:
        """Return Ray, connected until the outermost ``with`` ends.

        Returns
        -------
        module
        """
        if self._ray is None:
            self._ray = self._stack.enter_context(held(self.cluster))
        return self._ray

    def _cores(self, ray: ModuleType) -> int:
        found = int(ray.cluster_resources().get("CPU", 0))
        if not found:
            raise ConfigError(
                "The Ray cluster has no free core to work on. Add a node, or say n_jobs=… for one that grows on demand."
            )
        return found

    def run(self, job: Job[S, I, R], items: Sequence[I]) -> Iterator[Outcome[R]]:
        """Yield one outcome per item, as they come; inside a worker, one after the other in this process.

        Parameters
        ----------
        job : Job[S, I, R]
        items : sequence of I

        Yields
        ------
        Outcome[R]
        """
        if in_worker():
            yield from SerialExecutor().run(job, items)
            return
        with self:
            shared = _Put(self.ray(), (job.function, job.shared))
            yield from self._run(job, items, shared)

    def _run(self, job: Job[S, I, R], items: Sequence[I], shared: _Put) -> Iterator[Outcome[R]]:
        ray = self.ray()
        n_jobs = self.n_jobs if self.n_jobs > 0 else self._cores(ray)
        n_jobs = min(n_jobs, job.at_once or n_jobs)
        crew = _Crew(ray, shared, Line(job, items, n_jobs), n_jobs, self.gpus)
        try:
            yield from crew.work()
        finally:
            crew.cancel()

    @contextlib.contextmanager
    def kept(self, shared: object) -> Iterator[Executor]:
        """Give an executor for several maps over one shared object, which is put into the object store once.

        Parameters
        ----------
        shared : object

        Yields
        ------
        Executor
        """
        if in_worker():
            yield SerialExecutor()
            return
        with self:
            yield _Kept(self, shared)


class _Put:
    """What all tasks share, in the object store; tables that lie in files go by the names of these."""

    def __init__(self, ray: ModuleType, value: object) -> None:
        self.ray, self.value, self.key = ray, value, uuid.uuid4().hex
        self.refs = [ray.put(packed(value))]

    def add_tables(self) -> None:
        """Put it there with the tables too, once, for machines that do not see their files."""
        if len(self.refs) == 1:
            with sent_whole():
                self.refs.append(self.ray.put(packed(self.value)))


class _Kept(Executor):
    """An executor whose workers have read what is shared."""

    def __init__(self, executor: RayExecutor, shared: object) -> None:
        self.executor, self.shared = executor, shared
        self.put: _Put | None = None

    @property
    def jobs(self) -> int:
        """As many as of the executor."""
        return self.executor.jobs

    def run(self, job: Job[S, I, R], items: Sequence[I]) -> Iterator[Outcome[R]]:
        """Yield one outcome per item, as they come."""
        assert job.shared is self.shared, "these workers have read another object"
        if self.put is None:
            self.put = _Put(self.executor.ray(), (apply, self.shared))
        return self.executor._run(paired(job), items, self.put)


@dataclass(eq=False)
class _Crew(Generic[S, I, R]):
    """The tasks of one map that Ray has at hand."""

    ray: ModuleType
    shared: _Put
    line: Line[S, I, R]
    size: int
    gpus: float
    at_work: dict[Any, Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        job = self.line.job
        self.sent = Sent(
            f"{self.shared.key} {job.threads}", job.threads, job.place, here(), versions(), tuple(sys.path), os.getcwd()
        )
        self._ask_anew()

    def _ask_anew(self) -> None:
        """Ask for workers as for another function: Ray hands out one that has just died once more otherwise."""
        self.remote = self.ray.remote(max_retries=0, num_cpus=1, num_gpus=self.gpus)(run_there)

    def work(self) -> Iterator[Outcome[R]]:
        """Hand out the tasks and yield what comes."""
        while self.line.left:
            yield from self._feed()
            if not self.at_work:
                continue
            (ref,), _ = self.ray.wait(list(self.at_work), num_returns=1)
            came = self._outcomes(self.at_work.pop(ref), ref)
            yield from self._feed()  # so that the worker is busy while the caller looks at what came
            yield from came

    def cancel(self) -> None:
        """End what is at work: nobody waits for it any more."""
        for ref in self.at_work:
            with contextlib.suppress(Exception):  # it has just ended, or the connection has
                self.ray.cancel(ref, force=True)
        self.at_work.clear()

    def _feed(self) -> Iterator[Outcome[R]]:
        """Send tasks until every worker has one; yield the outcomes of those that cannot be sent."""
        from loky.backend.reduction import dumps

        while self.line.waiting and len(self.at_work) < self.size:
            task = self.line.waiting.popleft()
            ready = self.line.ready(task)
            try:
                chunk = bytes(dumps((task.indices, ready)))
            except Exception as error:  # whatever the item does when it is written
                yield from self.line.failed(task, error)
            else:
                # In a list the object is not read again by every task.
                self.at_work[self.remote.remote(self.sent, self.shared.refs, chunk)] = task

    def _outcomes(self, task: Task, ref: object) -> list[Outcome[R]]:
        """Return what came of a task, or put it back."""
        from loky.backend.reduction import loads

        gone = self.ray.exceptions
        try:
            back = cast("Back", loads(self.ray.get(ref)))
        except (gone.NodeDiedError, gone.ObjectLostError, gone.LocalRayletDiedError):
            self._ask_anew()
            return self.line.lost(task)
        except (gone.WorkerCrashedError, gone.OutOfMemoryError):
            self._ask_anew()
            time.sleep(PAUSE * (task.deaths + 1))
            return self.line.failed(task, None)
        except (gone.RaySystemError, gone.RayTaskError) as error:  # what a task raises comes back as its outcome
            what = str(error).strip().rsplit("\n", 1)[-1]
            raise ConfigError(
                f"A worker of the cluster cannot read what it is sent: {what}. Expected this foretide, with the same "
                f"Python, on all of its machines. Type there: pip install 'foretide[ray]=={versions()['foretide']}'"
            ) from error
        if back.sees_no_table:
            self.shared.add_tables()
            self.line.waiting.appendleft(task)
            return []
        if back.unreadable is not None:
            raise back.unreadable  # function or shared object cannot be read in a worker: no task can run
        if back.error is not None:
            return self.line.failed(task, back.error, back.traceback)
        deliver(back.files)
        return self.line.came(task, cast("list[Outcome[R]]", back.outcomes))
