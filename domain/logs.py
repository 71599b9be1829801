"""What the code of a run logs is kept with the run: so many lines, and then one that says that there were more."""

from collections.abc import Iterator, Sequence

from domain.events import LogLine, RunEvent, RunLogged
from domain.run import LOG_LINES_MAX, Run, size_of

LOG_BYTES_MAX = 262_144
"""Of messages and attributes of all lines of a run."""
EVENT_BYTES_MAX = 32_768
"""More than that at once are several events, so that each stays small."""
LOGGED = "logged"
"""The kind of the report."""


def log(run: Run, first: int, lines: Sequence[LogLine]) -> list[RunEvent]:
    """Keep the lines for which there is room. `first` counts those that came before them under the same token.

    Lines that came already are passed over, so that what is sent again changes nothing.
    """
    if run.is_log_full:
        return []
    lines = lines[max(0, run.log_heard - first) :]
    kept: list[LogLine] = []
    size = run.log_size
    for line in lines:
        size += size_of(line)
        if run.log_lines + len(kept) == LOG_LINES_MAX or size > LOG_BYTES_MAX:
            return [*_events(kept), RunLogged((_last_after(line),), is_full=True)]
        kept.append(line)
    return [*_events(kept)]


def _events(lines: Sequence[LogLine]) -> Iterator[RunEvent]:
    chunk: list[LogLine] = []
    size = 0
    for line in lines:
        size += size_of(line)
        if chunk and size > EVENT_BYTES_MAX:
            yield RunLogged(tuple(chunk))
            chunk, size = [], size_of(line)
        chunk.append(line)
    if chunk:
        yield RunLogged(tuple(chunk))


def _last_after(line: LogLine) -> LogLine:
    told = f"What follows was dropped: {LOG_LINES_MAX} lines and {LOG_BYTES_MAX} bytes of a run are kept."
    return LogLine(line.at, "warning", told)
