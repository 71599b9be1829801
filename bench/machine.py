"""The kind of machine, as far as figures depend on it: no names, no paths."""

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bench.figures import BenchError

LIBRARIES = ("uvloop", "httptools", "uvicorn", "fastapi", "msgspec", "httpx", "eventsourcing", "psycopg")
QUIET_LOAD = 0.5


def require_linux() -> None:
    """Times of processes and their memory are read from /proc. Raises BenchError where there is none."""
    if sys.platform != "linux":
        raise BenchError(f"The benchmark reads /proc, which {sys.platform} does not have: run it on Linux.")


def describe(folder: Path) -> dict[str, str]:
    """What a reader needs to know to compare; `folder` is where the databases are."""
    memory = next(line for line in _lines("/proc/meminfo") if line.startswith("MemTotal:"))
    load = os.getloadavg()[0]
    return {
        "CPU": f"{_cpu()}, {len(os.sched_getaffinity(0))} cores",
        "RAM": f"{int(memory.split()[1]) / 1024**2:.0f} GiB",
        "file system": _file_system(folder),
        "system": f"Linux {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "load at the start": f"{load:.2f}" + ("" if load <= QUIET_LOAD else " (not quiet: others were at work)"),
    }


def _cpu() -> str:
    models = (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    return next(models, platform.machine())


def _file_system(folder: Path) -> str:
    """The type of the mount that the folder is on: the one with the longest path above it."""
    here = folder.resolve()
    mounts = [line.split()[1:3] for line in _lines("/proc/mounts")]
    above = [(len(point), kind) for point, kind in mounts if here.is_relative_to(point)]
    return max(above)[1]


def _lines(file: str) -> Iterator[str]:
    yield from Path(file).read_text().splitlines()
