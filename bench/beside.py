"""Runfold beside its peers: the same work on the same server, their repetitions in turn with its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import corpus, databases, latency, listing
from bench.contest import Contest
from bench.contestants import Done, Runfold
from bench.environments import PEERS
from bench.figures import Aim, Chapter, Figure, at_least, quantiles
from bench.pace import PER_SECOND
from bench.peers.names import CONCURRENCY, STEPS_PER_RUN

SECONDS, QUICK_SECONDS = 20, 2
HISTORY, QUICK_HISTORY = 200_000, 20_000
CALLS, QUICK_CALLS = 40, 4
RUNFOLD = Runfold(CONCURRENCY)
RUNFOLD_WIDE = Runfold(5 * CONCURRENCY)
FASTEST = PEERS["pgqueuer"].title
OF_FASTEST, AHEAD_OF_ALL, STEPS_AIM = at_least(0.6), at_least(1), at_least(4)
LATENCIES: dict[str, Callable[[latency.Measured], list[float]]] = {
    "the call itself": lambda each: each.calls,
    "scheduled time to start": lambda each: each.to_start,
    "scheduled time to completed": lambda each: each.to_completed,
}


def throughput(folder: Path, *, quick: bool) -> Chapter:
    """No-op runs with one worker and with two, and enqueued alone; what they take in the database."""
    contest = Contest(quick=quick)
    one = contest.in_turn([RUNFOLD, RUNFOLD_WIDE], lambda each: each.run(folder, contest.part, 1))
    two = contest.in_turn([RUNFOLD, RUNFOLD_WIDE], lambda each: each.run(folder, contest.part, 2))
    alone = contest.in_turn([RUNFOLD], lambda each: each.enqueue(folder, contest.part))
    figures = [
        *_per_second("completed, one worker", one),
        *_against_fastest("completed, one worker", one, OF_FASTEST),
        *_per_second("completed, two workers", two),
        *_against_fastest("completed, two workers", two),
        *(Figure(f"enqueued, no worker: {title}", "runs/s", tuple(found)) for title, found in alone.items()),
        *_stored("stored with indexes", one),
    ]
    about = (
        "No-op async tasks, first call to the moment when the contestant's own store says that the last is completed;"
        " each enqueues by its fastest public way. New databases and new processes each time, the contestants in turn."
        f" Peers' workers do {CONCURRENCY} runs at a time, but Celery's one, in a process. {databases.described()}"
    )
    return contest.chapter("throughput and storage", about, figures)


def retries(folder: Path, *, quick: bool) -> Chapter:
    """Runs that fail twice."""
    contest = Contest(quick=quick)
    done = contest.in_turn([RUNFOLD], lambda each: each.retry(folder, contest.part))
    name = "failed twice, then completed"
    figures = [
        *_per_second(name, done),
        *_against_best(name, done, AHEAD_OF_ALL),
        *_stored("stored after two failures", done),
    ]
    about = (
        "One worker; each failed attempt is tried again at once. DBOS does that inside of a step, without a word to its"
        " database, the others by way of their queues; Oban looks at what is to be tried again once a second."
    )
    return contest.chapter("retries", about, figures)


def steps(folder: Path, *, quick: bool) -> Chapter:
    """Runs of five journaled steps, beside the peers that have such steps."""
    contest = Contest(quick=quick, among=lambda peer: peer.steps)
    done = contest.in_turn([RUNFOLD, RUNFOLD_WIDE], lambda each: each.steps(folder, contest.part))
    name = f"completed after {STEPS_PER_RUN} steps"
    figures = [
        *_per_second(name, done),
        *_against_best(name, done, STEPS_AIM),
        *_stored(f"stored with {STEPS_PER_RUN} steps", done),
    ]
    about = (
        f"One worker; each of {STEPS_PER_RUN} steps returns 1, and the next one begins when its result is committed."
        " Everything else as above. Restate keeps its journal in files of its own."
    )
    return contest.chapter("steps", about, figures)


def to_start(folder: Path, *, quick: bool) -> Chapter:
    """Single calls, open loop."""
    contest = Contest(quick=quick)
    calls = PER_SECOND * (QUICK_SECONDS if quick else SECONDS)
    found = contest.in_turn([RUNFOLD], lambda each: each.latency(folder, calls))
    figures: list[Figure] = []
    for name, pick in LATENCIES.items():
        for title, rounds in found.items():
            figures += quantiles(f"{name}: {title}", "ms", map(pick, rounds))
    about = (
        f"Single calls at {PER_SECOND}/s for {calls // PER_SECOND} s, open loop; one worker, otherwise idle."
        " Completed is what each one's store has: Runfold's has whole milliseconds, pgqueuer writes its own every"
        " 100 ms, all at once. DBOS is set to look at its queue every 10 ms instead of every second."
    )
    return contest.chapter("latency", about, figures)


def lists(folder: Path, *, quick: bool) -> Chapter:
    """The newest 50 failed runs of a long history."""
    contest = Contest(quick=quick)
    runs, calls = (QUICK_HISTORY, QUICK_CALLS) if quick else (HISTORY, CALLS)
    asks: dict[str, Callable[[], list[float]]] = {}
    with ExitStack() as stack:
        url = stack.enter_context(databases.fresh())
        made = corpus.write(url, runs)
        read_models = stack.enter_context(databases.opened(url)).read_models
        asks["Runfold"] = partial(listing.in_process, read_models, made, listing.newest_failed(), calls)
        for peer in [each for each in contest.peers if each.peer.lists]:
            with contest.or_without(peer):
                place = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
                at = stack.enter_context(peer.installed(place))
                peer.ask(place, at, "fill", runs)
                asks[peer.title] = partial(peer.ask, place, at, "list", calls)
        rounds = [{title: ask() for title, ask in asks.items()} for _ in range(contest.repeats)]
    figures: list[Figure] = []
    for title in asks:
        figures += quantiles(f"newest 50 failed: {title}", "ms", [each[title] for each in rounds])
    about = (
        f"{runs:,} finished runs, 1 % of them failed; each by its own call in its own process. pgqueuer lists those"
        " that it holds for a person, Procrastinate has neither order nor limit and gives all. Oban and Celery have no"
        " such call."
    )
    return contest.chapter("lists", about, figures)


def _per_second(name: str, done: dict[str, list[Done]]) -> Iterator[Figure]:
    for title, found in done.items():
        yield Figure(f"{name}: {title}", "runs/s", tuple(each.per_second for each in found))


def _stored(name: str, done: dict[str, list[Done]]) -> Iterator[Figure]:
    for title, found in done.items():
        values = [each.bytes_per_run for each in found if each.bytes_per_run is not None]
        if values:
            yield Figure(f"{name}: {title}", "bytes/run", tuple(values))


def _against_fastest(name: str, done: dict[str, list[Done]], aim: Aim | None = None) -> Iterator[Figure]:
    """Repetition by repetition, so that what else the machine did weighs on both."""
    for title in (RUNFOLD.title, RUNFOLD_WIDE.title) if FASTEST in done else ():
        pairs = zip(done[title], done[FASTEST], strict=True)
        shares = tuple(ours.per_second / theirs.per_second for ours, theirs in pairs)
        yield Figure(f"{name}: {title}, against {FASTEST}", "x", shares, aim)


def _against_best(name: str, done: dict[str, list[Done]], aim: Aim) -> Iterator[Figure]:
    peers = [found for title, found in done.items() if title not in (RUNFOLD.title, RUNFOLD_WIDE.title)]
    if peers:
        best = [max(each.per_second for each in turn) for turn in zip(*peers, strict=True)]
        pairs = zip(done[RUNFOLD.title], best, strict=True)
        shares = tuple(ours.per_second / theirs for ours, theirs in pairs)
        yield Figure(f"{name}: {RUNFOLD.title}, against the best of its peers", "x", shares, aim)
