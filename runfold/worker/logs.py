"""Lines on standard output: time, level, logger, message, then names with values."""

import logging
import sys
from datetime import UTC, datetime

_NAMES = ("run", "task", "attempt")


class Lines(logging.Formatter):
    """Appends what a run's logger names, so that lines can be searched for a run."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        names = "".join(f" {name}={record.__dict__[name]}" for name in _NAMES if name in record.__dict__)
        line = f"{moment} {record.levelname.lower()} {record.name} {record.getMessage()}{names}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_to_stdout() -> None:
    """Unless the user's code, which is loaded by now, has set up logging."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)  # what tasks print is to be seen when they print it
    if not logging.root.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(Lines())
        logging.root.addHandler(handler)
        logging.root.setLevel(logging.INFO)
    # One line for each request would drown all others.
    logging.getLogger("httpx").setLevel(logging.WARNING)
