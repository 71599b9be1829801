"""The dashboard's page of runs among a million, with each filter and each pair of them; how soon it shows a new run."""

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from app.pages.live import PACE_SECONDS
from bench import corpus, databases
from bench.figures import BenchError, Chapter, Figure, quantile, under
from bench.processes import HEADERS, KEY, Running, engine

RUNS, QUICK_RUNS = 1_000_000, 5_000
ROUNDS, CALLS = 3, 5
NEW_RUNS, QUICK_NEW_RUNS = 40, 5
PAUSES = (0.05, 0.4)
"""Seconds between two new runs: within the time in which the page puts changes together, and beyond it."""
ANSWER, UPDATE = under(150), under(200)
READY_SECONDS = 120
TASK = "shown"
"""Of the new runs: the others are of a later time, and the newest are on the page."""
LATE_SECONDS = 10

Filter = Mapping[str, str]


def measure(folder: Path, *, quick: bool) -> Chapter:
    """On SQLite."""
    return on(databases.file_in(folder), folder, "The dashboard", "", quick=quick)


def on(url: str, folder: Path, title: str, before: str, *, quick: bool) -> Chapter:
    """Write a ledger, and open the pages of an engine on it; `before` begins the names of the figures."""
    made = corpus.write(url, QUICK_RUNS if quick else RUNS)
    with engine(folder, database=url) if before else engine(folder) as running:
        running.wait_ready(READY_SECONDS)
        figures, slowest = _pages(running, before)
        shown = [asyncio.run(_updates(running, QUICK_NEW_RUNS if quick else NEW_RUNS)) for _ in range(ROUNDS)]
    name = f"{before}triggered to shown on the open page"
    for share, word in ((0.5, "p50"), (1, "slowest")):
        figures.append(Figure(f"{name}, {word}", "ms", tuple(quantile(each, share) for each in shown), UPDATE))
    about = (
        f"{len(made.runs):,} finished runs, 1 % of them failed. {CALLS} calls a page, one after the other, over one"
        f" connection; what a filter takes is the slowest of its calls. The slowest pair was {slowest}."
        f" Half of the new runs come {PAUSES[0] * 1_000:.0f} ms behind the one before,"
        f" and a page changes at most every {PACE_SECONDS * 1_000:.0f} ms."
    )
    return Chapter(title, about, figures)


def filters() -> list[Filter]:
    """Each by itself: common ones, rare ones, and those that nothing fits."""
    return [
        {"status": "FAILED"},
        {"status": "COMPLETED,FAILED"},
        {"task": corpus.TASKS[3]},
        {"tag": corpus.TAGS[7]},
        {"queue": corpus.QUEUE},
        {"version": "20200101.1"},
        {"test": "true"},
        {"machine": "micro"},
        {"period": "24h"},
    ]


def _pages(running: Running, before: str) -> tuple[list[Figure], str]:
    """The figures of the page without a filter, with each and with each pair; and the slowest pair."""
    alone = filters()
    pairs = [one | other for one, other in itertools.combinations(map(dict, alone), 2) if one.keys() != other.keys()]
    with httpx.Client(base_url=running.address, timeout=60, follow_redirects=True) as http:
        _sign_in(http)
        bare = [_took(http, {}) for _ in range(ROUNDS)]
        each = [[max(_took(http, wanted)) for wanted in alone] for _ in range(ROUNDS)]
        both = [[max(_took(http, wanted)) for wanted in pairs] for _ in range(ROUNDS)]
    name = f"{before}page of runs"
    figures = [
        Figure(f"{name}, no filter, p50", "ms", tuple(quantile(times, 0.5) for times in bare), ANSWER),
        Figure(f"{name}, each of {len(alone)} filters, p50", "ms", tuple(quantile(times, 0.5) for times in each)),
        Figure(f"{name}, each of {len(alone)} filters, slowest", "ms", tuple(map(max, each)), ANSWER),
        Figure(f"{name}, each of {len(pairs)} pairs, p50", "ms", tuple(quantile(times, 0.5) for times in both)),
        Figure(f"{name}, each of {len(pairs)} pairs, slowest", "ms", tuple(map(max, both)), ANSWER),
    ]
    slowest = max(zip(both[-1], pairs, strict=True), key=lambda pair: pair[0])[1]
    return figures, " and ".join(f"{key} {value}" for key, value in slowest.items())


def _took(http: httpx.Client, wanted: Filter) -> list[float]:
    """Milliseconds of each call."""
    took: list[float] = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        page = http.get("/", params=wanted).raise_for_status().text
        took.append((time.perf_counter() - begun) * 1_000)
        if "<h1>Runs</h1>" not in page:
            raise BenchError(f"This is not the page of runs with {wanted}.")
    return took


async def _updates(running: Running, runs: int) -> list[float]:
    """Milliseconds from sending each trigger to the row of its run on the stream of an open page."""
    client = httpx.AsyncClient(base_url=running.address, timeout=LATE_SECONDS, follow_redirects=True)
    async with client, asyncio.timeout(runs * LATE_SECONDS):
        with httpx.Client(base_url=running.address) as signing:
            client.cookies = _sign_in(signing)
        shown: dict[str, float] = {}
        changed, opened = asyncio.Event(), asyncio.Event()
        following = asyncio.create_task(_follow(client, shown, changed, opened))
        await opened.wait()
        took: list[float] = []
        for _, pause in zip(range(runs), itertools.cycle(PAUSES), strict=False):
            begun = time.perf_counter()
            made = await client.post(f"/api/v1/tasks/{TASK}/trigger", json={"payload": 1}, headers=HEADERS)
            run: str = made.raise_for_status().json()["id"]
            while run not in shown:
                changed.clear()
                await changed.wait()
            took.append((shown[run] - begun) * 1_000)
            await asyncio.sleep(pause)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    return took


async def _follow(
    client: httpx.AsyncClient, shown: dict[str, float], changed: asyncio.Event, opened: asyncio.Event
) -> None:
    """Note when each run is first in what the open page is sent."""
    async with client.stream("GET", "/live/runs", params={"task": TASK}) as answer:
        answer.raise_for_status()
        opened.set()
        async for line in answer.aiter_lines():
            for run in re.findall(r"run_[0-9a-f]{32}", line):
                shown.setdefault(run, time.perf_counter())
            changed.set()


def _sign_in(http: httpx.Client) -> httpx.Cookies:
    """The cookies of a session, which the client has then."""
    hidden = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', http.get("/sign-in").text))
    http.post("/sign-in", data=hidden | {"key": KEY}, follow_redirects=False)
    return http.cookies
