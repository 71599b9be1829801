"""docs/reference/statuses.md: what each status means, who shows it, and every way from one to another."""

from domain.events import RunEvent
from domain.status import EXECUTING, FINAL, INITIAL, LIVE, NOT_YET_REACHABLE, Status
from domain.transitions import TRANSITIONS
from domain.vocabulary import OLD_NAMES, V4_NAMES, helpers
from tests.app.references.markdown import block, code, member_docs, page, table

INTRODUCTION = """A run is in one of these statuses. They are the union of the words of four systems: the statuses of
Trigger.dev v2, v3 and v4, and the states of TrigRun. Commands, tests and this page read the same table
(`domain/transitions.py`).

The API shows the names of the first column. A request with the header `x-trigger-api-version: 2025-07-16` is
answered with the names of the column *v4 shows*, which are all that Trigger.dev's SDK understands. Filters take
the names of both, and mean every status that is shown under the name."""

KINDS = ((INITIAL, "initial"), (EXECUTING, "executing"), (FINAL, "final"))
ALL = "v4, v3, v2, TrigRun"
KNOWN_FROM = {
    Status.PENDING: "v2",
    Status.PENDING_VERSION: "v4, v3 (waiting for deploy)",
    Status.WAITING_ON_CONNECTIONS: "v2",
    Status.DELAYED: "v4, v3",
    Status.QUEUED: ALL,
    Status.DEQUEUED: "v4",
    Status.EXECUTING: "v4, v3, v2, TrigRun (running)",
    Status.REATTEMPTING: "v3, v2 (waiting)",
    Status.WAITING: "v4, v2",
    Status.FROZEN: "v3",
    Status.COMPLETED: "v4, v3, v2, TrigRun (succeeded)",
    Status.CANCELED: "v4, v3, v2",
    Status.FAILED: "v4, v3, v2, TrigRun",
    Status.TIMED_OUT: "v4, v3, v2",
    Status.CRASHED: "v4, v3",
    Status.INTERRUPTED: "v3",
    Status.SYSTEM_FAILURE: "v4, v3",
    Status.EXPIRED: "v4, v3",
    Status.INVALID_PAYLOAD: "v2",
    Status.UNRESOLVED_AUTH: "v2",
}
"""Whose word it is; for TrigRun every other end is `failed`."""


def text() -> str:
    """The whole page."""
    old = f"Filters also take {code(*OLD_NAMES)}, an older name of {code(*OLD_NAMES.values())}."
    return page(
        "Statuses",
        INTRODUCTION,
        _statuses(),
        old,
        "## Questions that every run answers",
        "Each run in an answer carries these booleans. A canceled run has not failed; every final status is completed.",
        _helpers(),
        "## Transitions",
        "What may happen in which status, and where it leads. Nothing else is possible: a command that would need"
        " another way is refused. *Any that is not final* are " + code(*sorted(LIVE)) + ".",
        _transitions(),
        "## Chart",
        "Events that leave a run where it is are not drawn, nor those of statuses that cannot be reached yet.",
        block("mermaid", _chart()),
    )


def _statuses() -> str:
    docs = member_docs(Status)
    return table(
        ("status", "kind", "meaning", "v4 shows", "known from", "reachable"),
        [
            (
                code(status),
                _kind(status),
                docs[status.name],
                code(V4_NAMES[status]),
                KNOWN_FROM[status],
                "not yet" if status in NOT_YET_REACHABLE else "yes",
            )
            for status in Status
        ],
    )


def _kind(status: Status) -> str:
    return next(name for members, name in KINDS if status in members)


def _helpers() -> str:
    names = list(helpers(Status.QUEUED))
    return table(
        ("boolean", "true for"),
        [(code(name), code(*(status for status in Status if helpers(status)[name]))) for name in names],
    )


def _transitions() -> str:
    return table(
        ("event", "from", "to"),
        [
            (f"[`{event.__name__}`](events.md#{event.__name__.lower()})", sources_of(event), target_of(event))
            for event in TRANSITIONS
        ],
    )


def sources_of(event: type[RunEvent]) -> str:
    """The statuses in which an event may happen, in words."""
    sources = TRANSITIONS[event].sources
    if sources == LIVE:
        return "any that is not final"
    if sources == LIVE | FINAL:
        return "any"
    return "nothing" if None in sources else code(*(status for status in Status if status in sources))


def target_of(event: type[RunEvent]) -> str:
    """The status that an event leads to, in words."""
    target = TRANSITIONS[event].target
    return "stays" if target is None else code(target)


def _chart() -> str:
    lines = ["stateDiagram-v2"]
    drawn = [status for status in Status if status not in NOT_YET_REACHABLE]
    lines += ['    state "any that is not final" as live']
    for event, (sources, target) in TRANSITIONS.items():
        if target is None or target in NOT_YET_REACHABLE:
            continue
        starts = ["live"] if sources == LIVE else [status for status in drawn if status in sources]
        starts += ["[*]"] if None in sources else []
        lines += [f"    {start} --> {target}: {event.__name__}" for start in starts]
    lines += [f"    {status} --> [*]" for status in drawn if status in FINAL]
    return "\n".join(lines)
