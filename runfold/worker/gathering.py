"""Lines that the code of runs logs, until a turn takes them: they wait for it, and never the code for them."""

import threading
from collections.abc import Callable
from typing import Any

from runfold.log import MESSAGE_MAX, Line
from runfold.worker.redacting import REDACTED, redaction
from runfold.worker.wire import HandOut

LINGER_SECONDS = 0.5
"""How long lines wait for something else to be reported, to go with it."""


class Gathered:
    """Of one attempt. Lines may come from any thread; `news` is told when there are some."""

    def __init__(self, news: Callable[[], None]) -> None:
        self._news = news
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._taken = 0
        self._is_closed = False

    def add(self, line: Line) -> None:
        """Gather a line."""
        with self._lock:
            if self._is_closed:
                return
            is_first = not self._lines
            self._lines.append(line)
        if is_first:
            self._news()

    def take(self) -> tuple[int, list[Line]]:
        """How many were taken before, and the lines that came since."""
        with self._lock:
            first, lines = self._taken, self._lines
            self._taken, self._lines = first + len(lines), []
            return first, lines

    def close(self) -> None:
        """Take no more: the attempt is over, though threads that it left behind may go on."""
        with self._lock:
            self._is_closed = True


def without_secrets(run: HandOut, keep: Callable[[Line], None]) -> Callable[[Line], None]:
    """Keeps lines without the credentials of the run, and cut where they are too long."""
    has_secrets = bool(run.auth or run.connections)
    redact = redaction(run) if has_secrets else str

    def log(line: Line) -> None:
        attributes = _redacted(line.attributes, redact) if has_secrets else line.attributes
        # Cut at last, so that no half of a secret is left at the edge.
        keep(Line(line.at, line.level, redact(line.message)[:MESSAGE_MAX], attributes))

    return log


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    inner: Any = value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): _redacted(each, redact) for name, each in inner.items()}
    if isinstance(value, list):
        return [_redacted(each, redact) for each in inner]
    if value is None or isinstance(value, bool):
        return value
    # A number may be a secret that is kept as a text.
    return value if redact(str(value)) == str(value) else REDACTED
