"""The functions that take most, from cProfile."""

import cProfile
import pstats
from pathlib import Path

TOP = 20


def top(profile: cProfile.Profile) -> str:
    """A list by own time, in percent of all; without the folders of this machine."""
    # What typeshed does not know of pstats: file, line and name to calls, all calls, own time, whole time, callers.
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = vars(pstats.Stats(profile))["stats"]
    # Waiting for work is no work.
    busy = [(where, numbers) for where, numbers in stats.items() if "epoll" not in where[2]]
    total = sum(own for _, (_, _, own, _, _) in busy)
    ordered = sorted(busy, key=lambda each: each[1][2], reverse=True)
    lines = [f"{'own %':>6} {'whole %':>8} {'calls':>9}  function"]
    lines += [
        f"{100 * own / total:6.1f} {100 * whole / total:8.1f} {calls:9,}  {_place(*where)}"
        for where, (_, calls, own, whole, _) in ordered[:TOP]
    ]
    return "\n".join(lines)


def _place(file: str, line: int, function: str) -> str:
    return function if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {function}"
