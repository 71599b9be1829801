"""Lines that the code of a run logs, which are kept with the run."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from runfold.codec import encode
from runfold.texts import whole

LINES_MAX = 1_000
BYTES_MAX = 262_144
MESSAGE_MAX = 8_192
ATTRIBUTES_MAX_BYTES = 8_192
DROPPED = f"What follows was dropped: {LINES_MAX} lines and {BYTES_MAX} bytes of a run are kept."

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line, as the worker protocol has it."""

    at: int
    level: Level
    message: str
    attributes: dict[str, Any] = {}


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is kept with a run, the `index`-th of it (0-based)."""

    index: int
    at: datetime
    level: Level
    message: str
    attempt: int
    attributes: dict[str, Any] = {}


class LogLines(msgspec.Struct):
    """What the engine answers."""

    lines: tuple[LogLine, ...]


class RunLog:
    """`ctx.log`. The engine keeps 1,000 lines and 256 KB of a run; the worker's own log has every line as well.

    It never raises for what it is given, nor holds the code up.
    """

    def __init__(self, local: logging.LoggerAdapter[logging.Logger], keep: Callable[[Line], None]) -> None:
        self._local = local
        self._keep = keep
        self._lines = 0
        self._size = 0
        self._is_full = False

    def debug(self, message: str, /, **attributes: Any) -> None:
        """Keep a line for whoever looks into it closely."""
        self._log("debug", message, attributes)

    def info(self, message: str, /, **attributes: Any) -> None:
        """Keep a line."""
        self._log("info", message, attributes)

    def warning(self, message: str, /, **attributes: Any) -> None:
        """Keep a line about something that may be wrong."""
        self._log("warning", message, attributes)

    def error(self, message: str, /, **attributes: Any) -> None:
        """Keep a line about something that is wrong."""
        self._log("error", message, attributes)

    def _log(self, level: Level, message: str, attributes: dict[str, Any]) -> None:
        text = whole(message if type(message) is str else _told(message))
        names = whole("".join(f" {name}={_told(value)}" for name, value in attributes.items()))
        self._local.log(LEVELS[level], "%s%s", text, names, stacklevel=3)
        if self._is_full:
            return
        plain, size = _plain(attributes)
        line = Line(time.time_ns() // 1_000_000, level, text, plain)
        self._lines += 1
        self._size += size + len(line.message[:MESSAGE_MAX].encode())
        self._is_full = self._lines > LINES_MAX or self._size > BYTES_MAX
        self._keep(Line(line.at, "warning", DROPPED) if self._is_full else line)


def _plain(attributes: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The attributes as JSON has them, and the bytes that they take; what has no JSON is told as Python tells it."""
    plain = {whole(name): _json_of(value) for name, value in attributes.items()}
    content = encode(plain) if plain else b""
    if len(content) <= ATTRIBUTES_MAX_BYTES:
        return plain, len(content)
    told = {"dropped": f"{len(content)} bytes of attributes; at most {ATTRIBUTES_MAX_BYTES} are kept"}
    return told, len(encode(told))


def _json_of(value: Any) -> Any:
    try:
        return msgspec.json.decode(encode(value))
    except Exception:  # noqa: BLE001 (types of users may run any code of theirs here)
        return whole(_told(value))


def _told(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 (as above)
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
