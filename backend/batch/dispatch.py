# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenes handed to the workers of a cluster, and what comes back: begun, progress, warnings, ends."""

from __future__ import annotations

import collections
import queue
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from distributed import KilledWorker

from ..meter import STAGE
from ..output.paths import remove_unfinished
from ..protocol import (
    BatchRequest,
    ErrorCode,
    FromChild,
    JobFailure,
    JobResult,
    JobWarning,
    Progress,
    Ready,
    SardineError,
    SceneOutcome,
    decode,
    encode,
)
from . import worker
from .cluster import BatchCluster, open_cluster
from .plan import ScenePlan
from .table import CANCELLED, DONE, FAILED

ENDS_ALL = {
    *(code.value for code in ErrorCode if code.value.startswith(("model_", "interpreter_"))),
    ErrorCode.REQUEST_INVALID.value,
    ErrorCode.PROTOCOL_MISMATCH.value,
    ErrorCode.DEVICE_UNAVAILABLE.value,
    ErrorCode.DISK_FULL.value,
} - {ErrorCode.MODEL_OUTPUT_NOT_FINITE.value}
"""What would meet each scene that follows as well: they are not begun."""

CANCEL_S = 10.0
"""How long scenes that run may take to notice a cancel before their workers are ended."""

LOOK_EVERY_S = 2.0
NO_WORKER_S = 90.0
"""A batch without any worker for so long ends: a scheduler that died, or workers that cannot start."""

ATTEMPTS = 2
PARTS = 1000
"""Steps of one scene in the progress of all."""


class Book(Protocol):
    """Who keeps the outcomes."""

    def settle(self, number: int, outcome: SceneOutcome) -> None:
        """Keeps the outcome of scene `number`."""


class Dispatch:
    """One batch on one cluster. A scene whose worker died is begun again on another one, or the same restarted; once.

    So is one that failed without having been refused (a disk that stuttered, a full memory).
    """

    def __init__(
        self,
        request: BatchRequest,
        plans: Sequence[ScenePlan],
        waiting: Sequence[int],
        book: Book,
        report: Callable[[FromChild], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self._request, self._plans, self._book = request, plans, book
        self._report, self._cancelled = report, cancelled
        self._batch = f"sardine-{uuid.uuid4()}"
        self._inbox: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._waiting = collections.deque(waiting)
        self._futures: dict[int, Any] = {}  # of the scenes that are with the cluster
        self._begun_on: dict[int, list[str]] = {}
        self._again: set[int] = set()
        self._given_up: list[int] = []
        self._share: dict[int, float] = dict.fromkeys(waiting, 0.0)
        self._rates: dict[int, float] = {}
        self._total = len(waiting)
        self._started_s = self._seen_s = time.monotonic()
        self._ready_told = False

    def run(self) -> None:
        """Returns when each scene has its outcome, or the batch was cancelled. Raises SardineError: cluster_unavailable."""
        self._report(Progress("starting workers", 0, 1))
        try:
            self._work()
        finally:
            for number in [*self._futures, *self._given_up]:  # workers of our own have ended by now
                self._remove_unfinished(number)

    def _work(self) -> None:
        with open_cluster(self._request.scheduler, self._request.settings.device) as cluster:
            cluster.client.subscribe_topic(self._batch, lambda event: self._inbox.put((event[1]["number"], event[1])))
            looked_at_s = time.monotonic()
            self._hand_out(cluster)
            while self._waiting or self._futures:
                ended = self._take(cluster, wait_s=0.2)
                if self._cancelled():
                    self._stop(cluster)
                    return
                if ended or time.monotonic() - looked_at_s > LOOK_EVERY_S:
                    looked_at_s = time.monotonic()
                    self._hand_out(cluster)

    def _hand_out(self, cluster: BatchCluster) -> None:
        """One scene a worker, so that a dead worker has one: Dask would count all that it held as suspicious."""
        workers = len(cluster.addresses())
        if workers:
            self._seen_s = time.monotonic()
        elif time.monotonic() - self._seen_s > NO_WORKER_S:
            raise _no_workers()
        while self._waiting and len(self._futures) < max(1, workers):
            self._submit(cluster, self._waiting.popleft())

    def _submit(self, cluster: BatchCluster, number: int, avoid: str = "") -> None:
        plan = self._plans[number]
        if plan.request is None:
            raise ValueError(f"{plan.scene.name} needs no run")
        others = [address for address in cluster.addresses() if address != avoid] if avoid else []
        future = cluster.client.submit(
            worker.map_scene,
            encode(plan.request),
            self._batch,
            number,
            cluster.gpu_each,
            key=f"{self._batch}-{number}-{'again' if avoid else 'first'}",
            pure=False,
            workers=others or None,
            allow_other_workers=bool(others),
        )
        self._futures[number] = future
        future.add_done_callback(lambda done: self._inbox.put((number, done)))

    def _take(self, cluster: BatchCluster, wait_s: float) -> bool:
        """Waits for the next thing to come in, and handles it; whether a scene has ended by it."""
        try:
            number, what = self._inbox.get(timeout=wait_s)
        except queue.Empty:
            return False
        if number not in self._futures:
            return False
        if isinstance(what, dict):
            self._note(number, what)
        elif what.key == self._futures[number].key:
            self._end(cluster, number, what)
            return True
        return False

    def _note(self, number: int, event: dict[str, str]) -> None:
        """An event of a scene that runs."""
        if "begun" in event:
            if self._begun_on.get(number) and number not in self._again:
                text = f"{self._name(number)}: its worker was lost, and it was begun again."
                self._report(JobWarning("scene_begun_again", text))
            self._begun_on.setdefault(number, []).append(event["begun"])
            return
        message = decode(event["message"])
        if isinstance(message, JobWarning):
            self._report(JobWarning(message.code, f"{self._name(number)}: {message.text}"))
        elif isinstance(message, Ready) and not self._ready_told:
            self._ready_told = True
            self._report(message)
        elif isinstance(message, Progress):
            self._progress(number, message)

    def _progress(self, number: int, message: Progress) -> None:
        if message.stage == STAGE and message.total:
            self._share[number] = message.done / message.total
        if message.rate_mpx_s is not None:
            self._rates[number] = message.rate_mpx_s
        self._tell(self._name(number))

    def _tell(self, scene: str) -> None:
        """The progress of all scenes together; `scene` is the one that has gone on."""
        done = sum(self._share.values())
        elapsed_s = time.monotonic() - self._started_s
        left_s = elapsed_s * (self._total - done) / done if done > 0.02 else None
        rate = sum(self._rates.values()) or None
        self._report(Progress(STAGE, round(PARTS * done), PARTS * self._total, rate, left_s, scene))

    def _end(self, cluster: BatchCluster, number: int, future: Any) -> None:
        end = _end_of(future)
        attempts = self._attempts(number)
        plan = self._plans[number]
        if isinstance(end, JobFailure):
            if end.code == ErrorCode.WORKER_LOST.value:
                self._remove_unfinished(number)
            elif not end.refused and end.code not in ENDS_ALL and attempts < ATTEMPTS:
                self._again.add(number)
                self._report(JobWarning("scene_begun_again", f"{plan.scene.name}: {end.found} It is tried once more."))
                self._submit(cluster, number, avoid=self._begun_on[number][-1] if self._begun_on.get(number) else "none")
                return
            self._close(number, SceneOutcome(plan.scene.name, FAILED, {}, failure=end, attempts=attempts))
            if end.code in ENDS_ALL:
                self._waiting.clear()
            return
        self._close(number, SceneOutcome(plan.scene.name, DONE, plan.outputs, result=end, attempts=attempts))
        self._tell(plan.scene.name)

    def _close(self, number: int, outcome: SceneOutcome) -> None:
        self._share[number] = 1.0
        self._rates.pop(number, None)
        self._futures.pop(number, None)
        self._book.settle(number, outcome)

    def _stop(self, cluster: BatchCluster) -> None:
        """Ends what runs in good order; what does not obey in time is ended with its worker."""
        self._waiting.clear()
        cluster.client.run(worker.stop, self._batch, wait=False)  # not for the answer of one that hangs
        until_s = time.monotonic() + CANCEL_S
        while self._futures and time.monotonic() < until_s:
            self._take_last(until_s - time.monotonic())
        for number in sorted(self._futures):
            self._given_up.append(number)
            self._close(number, SceneOutcome(self._name(number), CANCELLED, attempts=self._attempts(number)))

    def _take_last(self, wait_s: float) -> None:
        """An end that comes after the cancel: a scene may have been done by then."""
        try:
            number, what = self._inbox.get(timeout=max(0.0, wait_s))
        except queue.Empty:
            return
        if number not in self._futures or isinstance(what, dict) or what.key != self._futures[number].key:
            return
        end, name, attempts = _end_of(what), self._name(number), self._attempts(number)
        if isinstance(end, JobResult):
            self._close(number, SceneOutcome(name, DONE, self._plans[number].outputs, result=end, attempts=attempts))
        else:
            self._close(number, SceneOutcome(name, CANCELLED, attempts=attempts))

    def _attempts(self, number: int) -> int:
        return max(1, len(self._begun_on.get(number, [])))

    def _remove_unfinished(self, number: int) -> None:
        if not self._request.settings.resume:  # else a later batch may go on with it
            remove_unfinished(Path(path) for path in self._plans[number].outputs.values())

    def _name(self, number: int) -> str:
        return self._plans[number].scene.name


def _end_of(future: Any) -> JobResult | JobFailure:
    """The end that a scene's task has come to."""
    if future.cancelled():
        found = "The cluster has dropped the scene."
        return JobFailure(ErrorCode.CLUSTER_UNAVAILABLE.value, found, "", "Check its scheduler and workers.")
    try:
        end = decode(future.result())
    except KilledWorker as error:
        return JobFailure(
            ErrorCode.WORKER_LOST.value,
            "The worker process died while it mapped the scene, and so did the next that tried.",
            "It has to run to its end; most often the memory was used up.",
            "Map the scene by itself to see what happens, or a part of it.",
            detail=str(error),
        )
    except SardineError as error:
        return JobFailure.from_error(error)
    except Exception as error:  # whatever a cluster of other versions raises, or a task that was lost with its scheduler
        found = f"The cluster could not run the scene ({type(error).__name__}: {error})."
        return JobFailure(ErrorCode.CLUSTER_UNAVAILABLE.value, found, "", "Check its workers and their log.")
    if isinstance(end, (JobResult, JobFailure)):
        return end
    return JobFailure(ErrorCode.INTERNAL.value, f"A worker answered with a {end.type} message.", "", "Please report it.")


def _no_workers() -> SardineError:
    return SardineError(
        ErrorCode.CLUSTER_UNAVAILABLE,
        f"The cluster has had no worker for {NO_WORKER_S:g} s.",
        "Scheduler and workers have to live as long as the batch.",
        "Start them again, and the batch: what is done is kept.",
        refused=False,
    )
