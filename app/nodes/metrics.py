"""What /metrics tells of a node, read when it is asked for. Nothing here is global: each application has its own."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.engine.commits import Distribution
from app.engine.reader import Reader, Readiness
from app.service import Service
from domain.environment import Environment
from domain.errors import Unavailable
from domain.status import Status

COUNT_SECONDS_MAX = 5.0
"""How long a scrape waits for the read models: well within what Prometheus allows by itself, which is ten seconds."""
COMMIT_SECONDS_MAX = 2.0
"""How long a scrape waits for the commit that is under way: what it has is not told before it landed."""
ENVIRONMENT = ("environment", "type")
SINK = ("sink", "name")

Counts: TypeAlias = Mapping[tuple[str, str], Mapping[Status, int]]
"""How many runs are in each status, by the slug and the type of their environment."""
Exposition: TypeAlias = Callable[[CollectorRegistry], bytes]


class Metrics:
    """Of one application. Scrapes that come together share one look at the read models."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._node = NodeCollector()
        self._counting: asyncio.Task[Counts | None] | None = None
        ProcessCollector(registry=self._registry)
        self._registry.register(self._node)

    async def text(self, reader: Reader, exposition: Exposition) -> bytes:
        """Everything, as it is now, in the format that `exposition` writes."""
        readiness = await reader.readiness()
        counts = await self._counts(reader) if isinstance(reader, Service) else None
        is_committed = isinstance(reader, Service) and await _is_committed(reader)
        # From here on nothing is awaited, so what is told was so at one moment.
        self._node.scrape = Scrape(reader, readiness, counts, is_committed)
        return exposition(self._registry)

    async def _counts(self, reader: Service) -> Counts | None:
        """The runs by status, None when the read models do not say in time."""
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(_count(reader, reader.environments()), name="metrics")
        await asyncio.wait({self._counting}, timeout=COUNT_SECONDS_MAX)
        return self._counting.result() if self._counting.done() else None


class Scrape(NamedTuple):
    """What was asked for before the rest is read off the engine."""

    reader: Reader
    readiness: Readiness
    counts: Counts | None
    is_committed: bool
    """Whether all that the engine holds in memory is."""


class NodeCollector(Collector):
    """What one scrape sees. A standby tells of itself only: runs, queues and commits are the writer's."""

    def __init__(self) -> None:
        self.scrape: Scrape | None = None

    def collect(self) -> Iterator[Metric]:
        """All families that this node can fill."""
        if self.scrape is None:
            return
        reader, readiness, counts, is_committed = self.scrape
        yield from of_node(readiness)
        if isinstance(reader, Service):
            yield from _of_engine(reader)
            yield from _of_work(reader, is_committed=is_committed)
            yield from _of_sinks(reader)
            yield from _of_runs(counts)


def of_node(readiness: Readiness) -> Iterator[Metric]:
    """What each node tells, whether it writes or not."""
    role, head, position, problems = readiness
    yield _gauge("node_is_writer", "1 on the node that writes, 0 on a standby.", role == "writer")
    yield _gauge("node_ready", "1 if /readyz answers 200, 0 if it answers 503.", not problems)
    yield _gauge("ledger_head_position", "The position of the last committed event.", head)
    yield _gauge("follower_position", "The position up to which the read models have followed the ledger.", position)
    yield _gauge("follower_lag_events", "How many events the read models are behind.", max(0, head - position))


def _of_engine(service: Service) -> Iterator[Metric]:
    loop = service.loop
    can_commit = loop.unavailable is None and service.failure is None and loop.may_answer()
    seconds, events = loop.commits.seconds, loop.commits.events
    yield _gauge("engine_available", "1 if commands are taken and committed, 0 if they are refused.", can_commit)
    yield _gauge("inbox_commands", "Commands that wait for the next commit.", loop.engine.waiting)
    yield _histogram("commit_duration_seconds", "How long the database took for a commit.", seconds)
    yield _histogram("commit_events", "How many events a commit had.", events)
    proved, fault = service.verifier.proved, service.verifier.fault
    yield _gauge(
        "verified_position", "Up to which event the ledger is known to be as it was appended.", proved.position
    )
    yield _gauge(
        "verified_time_seconds", "When that was found, since 1970; 0 if it was not yet.", (proved.at or 0) / 1_000
    )
    yield _gauge("ledger_damaged", "1 if the ledger is not what was appended, as far as it was verified.", bool(fault))
    yield from _of_comparison(service)
    total = CounterMetricFamily("runfold_events_committed", "Events that this node has committed since it writes.")
    total.add_metric((), events.sum)
    yield total


def _of_comparison(service: Service) -> Iterator[Metric]:
    compared = service.comparer.compared
    yield _gauge("compared_position", "As of which event rows were last found to be the ledger's.", compared.position)
    yield _gauge(
        "compared_time_seconds", "When that was found, since 1970; 0 if it was not yet.", (compared.at or 0) / 1_000
    )
    yield _gauge(
        "read_models_differ",
        "1 if rows are not what the ledger makes of them, as far as they were compared.",
        service.comparer.fault is not None,
    )
    rounds = CounterMetricFamily("runfold_comparisons", "How often all rows were compared with the ledger.")
    rounds.add_metric((), compared.rounds)
    yield rounds
    rebuilds = CounterMetricFamily("runfold_read_model_repairs", "Rebuilds of the read models because rows differed.")
    rebuilds.add_metric((), compared.rebuilds)
    yield rebuilds


def _of_work(service: Service, *, is_committed: bool) -> Iterator[Metric]:
    """What is to be done. It is counted in memory, where also stands what is not committed yet: no samples then."""
    erasures = GaugeMetricFamily("runfold_erasures_pending", "Erasures that are decided and not carried out yet.")
    depth = GaugeMetricFamily("runfold_queued_runs", "Runs that wait for a worker or a slot.", labels=ENVIRONMENT)
    age = GaugeMetricFamily(
        "runfold_oldest_queued_age_seconds",
        "How long the oldest of the runs that are next in line has been queued; 0 if none is.",
        labels=ENVIRONMENT,
    )
    families = erasures, depth, age
    if not is_committed:
        yield from families
        return
    now, memory = service.clock.now().wall, service.loop.engine.memory
    erasures.add_metric((), len(memory.erasures))
    for each in service.environments():
        ready, since = memory.ready.waiting(each.id)
        depth.add_metric((each.slug, each.type), ready)
        age.add_metric((each.slug, each.type), 0 if since is None else max(0, now - since) / 1_000)
    yield from families


def _of_sinks(service: Service) -> Iterator[Metric]:
    position = GaugeMetricFamily("runfold_sink_position", "Up to which event a sink has got all.", labels=SINK)
    lag = GaugeMetricFamily("runfold_sink_lag_events", "How many events of the log a sink is behind.", labels=SINK)
    attempts = GaugeMetricFamily(
        "runfold_sink_failed_attempts", "How often in a row a sink did not take the next event.", labels=SINK
    )
    head, sinks = service.loop.feed.head.position, service.loop.engine.memory.sinks
    for stream, progress in service.sinks.progress.items():
        if sink := sinks.get(stream):
            labels = (stream, sink.spec.name)
            position.add_metric(labels, progress.position)
            lag.add_metric(labels, max(0, head - progress.position))
            attempts.add_metric(labels, progress.attempts)
    yield from (position, lag, attempts)


def _of_runs(counts: Counts | None) -> Iterator[Metric]:
    yield _gauge("read_models_available", "1 if the read models said how many runs there are.", counts is not None)
    if counts is None:
        return
    runs = GaugeMetricFamily(
        "runfold_runs", "Runs by their status, finished ones too.", labels=(*ENVIRONMENT, "status")
    )
    for environment, by_status in counts.items():
        for status in Status:
            runs.add_metric((*environment, status.value), by_status.get(status, 0))
    yield runs


async def _is_committed(service: Service) -> bool:
    try:
        async with asyncio.timeout(COMMIT_SECONDS_MAX):
            await service.loop.committed()
    except (TimeoutError, Unavailable):
        return False
    return True


async def _count(reader: Reader, environments: list[Environment]) -> Counts | None:
    counts: dict[tuple[str, str], Mapping[Status, int]] = {}
    try:
        for each in environments:
            counts[each.slug, each.type] = await reader.read(reader.read_models.count_by_status, each.id)
    except Unavailable:
        return None  # runfold_read_models_available says so
    return counts


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"runfold_{name}", meaning, value=value)


def _histogram(name: str, meaning: str, values: Distribution) -> Metric:
    buckets = [("+Inf" if bound == inf else str(float(bound)), count) for bound, count in values.cumulative()]
    return HistogramMetricFamily(f"runfold_{name}", meaning, buckets=buckets, sum_value=values.sum)
