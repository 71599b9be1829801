"""Whether it was want of memory that killed a process: what Linux counts for the worker's control group."""

import re
from pathlib import Path

KILLED = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
GROUPS = Path("/sys/fs/cgroup")


class OutOfMemoryKills:
    """Counts in `memory.events` of a control group (version 2). Without such a file nothing is claimed."""

    def __init__(self, events: Path | None) -> None:
        self._events = events

    def count(self) -> int | None:
        """How many processes of the group were killed so far; None where nobody counts."""
        if self._events is None:
            return None
        try:
            found = KILLED.search(self._events.read_bytes())
        except OSError:  # the group is gone, or closed to us
            return None
        return None if found is None else int(found[1])

    def rose_since(self, before: int | None) -> bool:
        now = self.count()
        return before is not None and now is not None and now > before


def of_this_process(memberships: Path = Path("/proc/self/cgroup"), groups: Path = GROUPS) -> OutOfMemoryKills:
    try:
        lines = memberships.read_text().splitlines()
    except OSError:  # not Linux
        return OutOfMemoryKills(None)
    for line in lines:
        if line.startswith("0::"):
            events = groups / line.removeprefix("0::").lstrip("/") / "memory.events"
            return OutOfMemoryKills(events if events.is_file() else None)
    return OutOfMemoryKills(None)
