"""docs/reference/statuses.md: what each status means, who shows it, and every way from one to another."""

from domain.events import RunEvent
from domain.status import EXECUTING, FINAL, INITIAL, LIVE, Status
from domain.transitions import TRANSITIONS
from domain.vocabulary import EXECUTIONS, FULL, OLD_NAMES, V2, V3, V4, VOCABULARIES, Vocabulary
from projections.attempts import Outcome
from tests.app.references.markdown import block, code, links_to, member_docs, page, table
from tests.shown import showings

INTRODUCTION = """A run is in one of these statuses. They are the union of the words of four systems: the statuses of
Trigger.dev v2, v3 and v4, and the states of TrigRun. Commands, tests and this page read the same table
(`domain/transitions.py`).

The API shows the names of the first column. A request with `?vocabulary=` is answered in the words of another
system, and one with the header `x-trigger-api-version: 2025-07-16`, whose SDK understands no others, in those of v4:
see [vocabularies](#vocabularies)."""

VOCABULARY_TEXT = """Routes that answer runs (list, retrieve, reschedule) take `?vocabulary=` with one of the names
in the head of this table, where `full` is our own and `executions` TrigRun's; another one is refused with 400. Where a
system has no word for a status it is shown under the one that says most nearly what its client needs to know. Sentences
of errors, events and the ledger always have the full names."""

SPELLING = """v2 is spelled as its API spelled it. Its documents say *Completed* for `SUCCESS`, *Failed* for `FAILURE`
and *Waiting* for `WAITING_TO_CONTINUE`."""

SHARED_TEXT = """These words stand for several statuses. Filters take the words of the vocabulary that is asked for
and the full names, and mean every status that is shown under the word."""

QUESTIONS = """Each run in an answer carries these booleans, which are true for the words beside them. Every final
status is completed, and a canceled run has not failed: only TrigRun knows no other word for it. v3 had no word for
waiting, and called a frozen run one that executes."""

ATTEMPTS_TEXT = """A run has an attempt for each time that its code was begun; one that goes on after a freeze or a
loss by the journal of its run is the same one, and is open again. Its `id` is that of the run
with its `number` behind a point, and its span in the trace has the same. The output of one that is COMPLETED is the
run's own. Its `status` is one of these."""

SHOWN_TEXT = """Each of these tests brings a run into the status through the public API, and fails when it does not."""

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
    old = f"Whatever the vocabulary, filters also take {code(*OLD_NAMES)} for {code(*OLD_NAMES.values())}."
    return page(
        "Statuses",
        INTRODUCTION,
        _statuses(),
        "## Vocabularies",
        VOCABULARY_TEXT,
        _vocabularies(),
        SPELLING,
        SHARED_TEXT,
        _shared(),
        old,
        "## Attempts",
        ATTEMPTS_TEXT,
        _attempts(),
        "## Questions that every run answers",
        QUESTIONS,
        _helpers(),
        "## Shown by",
        SHOWN_TEXT,
        _shown(),
        "## Transitions",
        "What may happen in which status, and where it leads. Nothing else is possible: a command that would need"
        " another way is refused. *Any that is not final* are " + code(*sorted(LIVE)) + ".",
        _transitions(),
        "## Chart",
        "Events that leave a run where it is are not drawn.",
        block("mermaid", _chart()),
    )


def _statuses() -> str:
    docs = member_docs(Status)
    return table(
        ("status", "kind", "meaning", "known from"),
        [
            (
                code(status),
                _kind(status),
                docs[status.name],
                KNOWN_FROM[status],
            )
            for status in Status
        ],
    )


def _attempts() -> str:
    docs = member_docs(Outcome)
    return table(("status", "meaning"), [(code(outcome), docs[outcome.name]) for outcome in Outcome])


def _vocabularies() -> str:
    return table(
        [code(name) for name in VOCABULARIES],
        [[code(vocabulary.words[status]) for vocabulary in VOCABULARIES.values()] for status in Status],
    )


def _shared() -> str:
    return table(
        ("vocabulary", "word", "stands for"),
        [
            (code(vocabulary.name), code(word), code(*statuses))
            for vocabulary in (V4, V3, V2, EXECUTIONS)
            for word, statuses in _by_word(vocabulary).items()
            if len(statuses) > 1
        ],
    )


def _by_word(vocabulary: Vocabulary) -> dict[str, list[Status]]:
    found: dict[str, list[Status]] = {}
    for status, word in vocabulary.words.items():
        found.setdefault(word, []).append(status)
    return found


def _kind(status: Status) -> str:
    return next(name for members, name in KINDS if status in members)


def _helpers() -> str:
    return table(
        ["boolean", *(code(name) for name in VOCABULARIES)],
        [
            [
                code(question),
                *(code(*_true_for(vocabulary, question)) or "none" for vocabulary in VOCABULARIES.values()),
            ]
            for question in FULL.helpers[Status.QUEUED]
        ],
    )


def _true_for(vocabulary: Vocabulary, question: str) -> list[str]:
    return [
        word
        for word, statuses in _by_word(vocabulary).items()
        if all(vocabulary.helpers[status][question] for status in statuses)
    ]


def _shown() -> str:
    return table(
        ("status", "test"),
        [(code(status), links_to(each for each in showings() if status in each.statuses)) for status in Status],
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
    lines += ['    state "any that is not final" as live']
    for event, (sources, target) in TRANSITIONS.items():
        if target is None:
            continue
        starts = ["live"] if sources == LIVE else [status for status in Status if status in sources]
        starts += ["[*]"] if None in sources else []
        lines += [f"    {start} --> {target}: {event.__name__}" for start in starts]
    lines += [f"    {status} --> [*]" for status in Status if status in FINAL]
    return "\n".join(lines)
