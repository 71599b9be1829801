"""Single triggers on PostgreSQL, at a steady pace."""

from pathlib import Path

from bench import databases
from bench.figures import Chapter, quantiles, under
from bench.latency import EMPTY_CALL, Measured, once
from bench.pace import PER_SECOND

SECONDS, QUICK_SECONDS = 20, 3
REPEATS = 3
P50, P99 = under(4), under(12)


def measure(folder: Path, *, quick: bool) -> Chapter:
    """The call, the way to the task's first line, and the way to its end."""
    seconds, repeats = (QUICK_SECONDS, 1) if quick else (SECONDS, REPEATS)
    found: list[Measured] = []
    for _ in range(repeats):
        with databases.fresh() as url:
            found.append(once(folder, PER_SECOND * seconds, url))
    start = "PostgreSQL: scheduled time to the task's first line"
    figures = [
        *quantiles(start, "ms", [each.to_start for each in found], p50=P50, p99=P99),
        *quantiles("PostgreSQL: scheduled time to completed", "ms", [each.to_completed for each in found]),
        *quantiles(
            "PostgreSQL: the trigger call itself", "ms", [each.calls for each in found], floors=(f"{EMPTY_CALL}, p50",)
        ),
    ]
    about = (
        f"Single triggers through the SDK at {PER_SECOND}/s for {seconds} s, open loop, to a worker that has nothing"
        " else to do. Completed is what the engine stamped on the event, in whole milliseconds."
    )
    return Chapter("PostgreSQL: trigger to start", about, figures)
