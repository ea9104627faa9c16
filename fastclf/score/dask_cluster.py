"""Shards scored by a Dask cluster that is there already, by futures."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Generator, Iterator
from itertools import islice
from typing import Any

from ..errors import ScoreError, describe_error
from .carried import CarriedModel, keep_model
from .extra import need
from .pool import Result
from .shard import FailedShard, ShardTask, score_shard

# Seconds until a scheduler answers, and until it has a worker.
_CONNECT = 30
# What fails for another reason than a photo is tried so often again; a worker that dies counts as one try.
_RETRIES = 3
# Tasks that a thread of the cluster has waiting.
_WAITING = 3
_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)


def score_on_dask(
    tasks: Iterator[ShardTask], address: str, model: CarriedModel
) -> Generator[Result, None, None]:
    """Score shards on the cluster at an address, and yield them as they are done.

    Raises
    ------
    ScoreError
        If no scheduler answers there, or it has no workers.
    """
    with _connect(address) as client:
        plugin = _build_plugin(model)
        if model.data is not None:  # new workers get it, too
            client.register_plugin(plugin, name=plugin.name)
        try:
            yield from _drain(client, tasks)
        finally:
            if model.data is not None:
                client.unregister_worker_plugin(plugin.name)


def _connect(address: str) -> Any:
    distributed = need("distributed")
    try:
        client = distributed.Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        raise ScoreError(
            "No Dask scheduler answers at {address} ({reason}). Name it as tcp://HOST:PORT.",
            address=address,
            reason=describe_error(e),
        ) from None
    try:
        client.wait_for_workers(1, timeout=_CONNECT)
    except TimeoutError:
        client.close()
        raise ScoreError(
            "The Dask scheduler at {address} has no workers. Start some: dask worker {address}",
            address=address,
        ) from None
    return client


def _drain(client: Any, tasks: Iterator[ShardTask]) -> Iterator[Result]:
    """Keep every thread of the cluster busy, and no more tasks than that on the way."""
    running: dict[str, int] = {}
    done = need("distributed").as_completed(loop=client.loop)

    def send() -> None:
        threads = max(1, sum(client.nthreads().values()))
        chunk = list(islice(tasks, max(0, _WAITING * threads - len(running))))
        if not chunk:
            return
        # no answer of another run is taken for one of this
        futures = client.map(score_shard, chunk, pure=False, retries=_RETRIES)
        running.update({future.key: task.number for future, task in zip(futures, chunk, strict=True)})
        done.update(futures)

    send()
    while running:
        future = next(done)
        number = running.pop(future.key)
        yield _take(future, number)
        future.release()
        send()


def _take(future: Any, number: int) -> Result:
    try:
        found: Result = future.result()
        return found
    except _CANCELLED:
        return FailedShard(number, "the cluster lost it.")
    except Exception as e:  # noqa: BLE001 - whatever a worker raised, or its death
        return FailedShard(number, f"{describe_error(e)}.")


def _build_plugin(model: CarriedModel) -> Any:
    """Return what brings the model's bytes to every worker, those that come later as well."""

    class _Bring(need("distributed").WorkerPlugin):  # type: ignore[misc]
        name = f"fastclf-{model.sha256}"

        def setup(self, worker: Any) -> None:
            keep_model(model)

    return _Bring()
