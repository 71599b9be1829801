"""How pages put things: words for statuses, how they are coloured, and lengths of time."""

import re
from urllib.parse import quote

PAGES = (
    ("/", "Runs"),
    ("/charts", "Charts"),
    ("/queues", "Queues"),
    ("/schedules", "Schedules"),
    ("/jobs", "HTTP jobs"),
    ("/batches", "Batches"),
    ("/tokens", "Waitpoints"),
    ("/bulk", "Bulk actions"),
    ("/deployments", "Deployments"),
    ("/workers", "Workers"),
    ("/keys", "Keys"),
)
"""The pages that one can go to from any other."""
FAILURES = (
    *("FAILED", "TIMED_OUT", "CRASHED", "INTERRUPTED", "SYSTEM_FAILURE"),
    *("INVALID_PAYLOAD", "UNRESOLVED_AUTH"),
)
"""The statuses of runs that came to nothing because something went wrong."""
_TONES = {
    "good": ("COMPLETED", "SUCCEEDED", "ACTIVE", "SEALED", "FIRED", "MANUAL", "DEPLOYED"),
    "bad": (*FAILURES, "ERROR", "LOST", "PARTIAL_FAILED"),
    "busy": ("EXECUTING", "DEQUEUED", "RUNNING", "STARTED", "PROCESSING"),
    "wait": ("WAITING", "FROZEN", "REATTEMPTING", "DELAYED", "WAITING_ON_CONNECTIONS", "PENDING_VERSION", "RETRYING"),
    "idle": ("QUEUED", "PENDING", "SCHEDULED", "DRAFT"),
}
_OF = {status: name for name, statuses in _TONES.items() for status in statuses}
GROUPS = (
    ("All", ()),
    ("Active", ("QUEUED", "DEQUEUED", "EXECUTING", "REATTEMPTING")),
    ("Waiting", ("PENDING", "PENDING_VERSION", "WAITING_ON_CONNECTIONS", "DELAYED", "WAITING", "FROZEN")),
    ("Failed", (*FAILURES, "EXPIRED")),
    ("Completed", ("COMPLETED",)),
)
"""Statuses that one asks for together."""
_SHOWN = 8
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)")


def tone(status: str) -> str:
    """Of which sort a status is: good, bad, busy, wait or idle; past, where nothing came of it."""
    return _OF.get(status.upper(), "past")


def word(status: str) -> str:
    """A status, or the name of an event, as one says it."""
    if status.isupper():
        return status.replace("_", " ").capitalize()
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in status)
    return spaced.replace("_", " ").strip().capitalize()


def duration(milliseconds: float) -> str:
    """A length of time in its two largest units."""
    if milliseconds < 1_000:
        return f"{round(milliseconds)} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    for unit, name, part, part_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            rest = int(seconds % unit // part)
            return f"{int(seconds // unit)} {name}" + (f" {rest} {part_name}" if rest else "")
    raise AssertionError("there is a unit for each")


def many(number: int) -> str:
    """A number of things, as one reads it."""
    return f"{number:,}"


def cut(text: str, length: int) -> str:
    """The beginning of a text, which says where more was."""
    return text if len(text) <= length else f"{text[:length]}…"


def short(name: str) -> str:
    """An id as far as one needs to tell it from the others on a page: its end, as ids begin with the time."""
    kind, _, rest = name.partition("_")
    return f"{kind}_…{rest[-_SHOWN:]}" if len(rest) > _SHOWN else name


def clock(moment: str) -> str:
    """An ISO 8601 moment in UTC, as one reads it."""
    return moment[:19].replace("T", " ")


def moments(sentence: str) -> list[str]:
    """The parts of a sentence: those at odd places are ISO 8601 moments."""
    return _MOMENT.split(sentence)


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")
