"""What each status is called by the clients of four systems, and the questions that they ask about a run."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from domain.errors import InvalidInput
from domain.status import FINAL, Status


class Words(NamedTuple):
    """One status in the words of Trigger.dev v4, v3 and v2, and of TrigRun's executions."""

    v4: str
    v3: str
    v2: str
    executions: str


WORDS: dict[Status, Words] = {
    Status.PENDING: Words("QUEUED", "QUEUED", "PENDING", "queued"),
    Status.PENDING_VERSION: Words("PENDING_VERSION", "WAITING_FOR_DEPLOY", "PENDING", "queued"),
    Status.WAITING_ON_CONNECTIONS: Words("QUEUED", "QUEUED", "WAITING_ON_CONNECTIONS", "queued"),
    Status.DELAYED: Words("DELAYED", "DELAYED", "PENDING", "queued"),
    Status.QUEUED: Words("QUEUED", "QUEUED", "QUEUED", "queued"),
    Status.DEQUEUED: Words("DEQUEUED", "EXECUTING", "EXECUTING", "running"),
    Status.EXECUTING: Words("EXECUTING", "EXECUTING", "EXECUTING", "running"),
    Status.REATTEMPTING: Words("EXECUTING", "REATTEMPTING", "WAITING_TO_CONTINUE", "running"),
    Status.WAITING: Words("WAITING", "FROZEN", "WAITING_TO_CONTINUE", "running"),
    Status.FROZEN: Words("WAITING", "FROZEN", "WAITING_TO_CONTINUE", "running"),
    Status.COMPLETED: Words("COMPLETED", "COMPLETED", "SUCCESS", "succeeded"),
    Status.CANCELED: Words("CANCELED", "CANCELED", "CANCELED", "failed"),
    Status.FAILED: Words("FAILED", "FAILED", "FAILURE", "failed"),
    Status.TIMED_OUT: Words("TIMED_OUT", "TIMED_OUT", "TIMED_OUT", "failed"),
    Status.CRASHED: Words("CRASHED", "CRASHED", "FAILURE", "failed"),
    Status.INTERRUPTED: Words("FAILED", "INTERRUPTED", "FAILURE", "failed"),
    Status.SYSTEM_FAILURE: Words("SYSTEM_FAILURE", "SYSTEM_FAILURE", "FAILURE", "failed"),
    Status.EXPIRED: Words("EXPIRED", "EXPIRED", "FAILURE", "failed"),
    Status.INVALID_PAYLOAD: Words("FAILED", "FAILED", "INVALID_PAYLOAD", "failed"),
    Status.UNRESOLVED_AUTH: Words("FAILED", "FAILED", "UNRESOLVED_AUTH", "failed"),
}
"""What every vocabulary but our own is read from: the words of the systems, and where one has no word for a status, the
one that says most nearly what its client needs to know. v4 has the 13 names of the API version 2025-07-16, whose SDK
throws on any other; v2 is spelled as its API spelled it."""

OLD_NAMES = {"WAITING_FOR_DEPLOY": Status.PENDING_VERSION}
"""Names that Trigger.dev's API takes in filters whatever the vocabulary."""


class Vocabulary(Struct, frozen=True):
    """The words that one kind of client speaks; `helpers` are the booleans that each run carries, by status."""

    name: str
    words: Mapping[Status, str]
    helpers: Mapping[Status, Mapping[str, bool]]

    def named(self, name: str) -> frozenset[Status]:
        """The statuses that a client means by a name of the vocabulary, or by a full one. Raises InvalidInput."""
        if name in OLD_NAMES:
            return frozenset({OLD_NAMES[name]})
        found = frozenset(status for status, word in self.words.items() if name in {word, status.value})
        if not found:
            words = ", ".join(sorted({*self.words.values(), *Status}))
            raise InvalidInput(f'There is no status "{name[:40]}". Statuses are {words}.')
        return found


Questions = Mapping[str, frozenset[str]]
"""From the name of a boolean helper to the words for which it is true."""


def _questions(*, queued: str, executing: str, waiting: str, success: str, canceled: str, failed: str) -> Questions:
    asked = {
        "isQueued": queued,
        "isExecuting": executing,
        "isWaiting": waiting,
        "isCompleted": f"{success} {canceled} {failed}",
        "isSuccess": success,
        "isFailed": failed,
        "isCancelled": canceled,
    }
    return {name: frozenset(words.split()) for name, words in asked.items()}


def _vocabulary(name: str, words: Mapping[Status, str], questions: Questions) -> Vocabulary:
    asked = {status: {name: word in trues for name, trues in questions.items()} for status, word in words.items()}
    return Vocabulary(name, words, asked)


FULL = _vocabulary(
    "full",
    {status: status.value for status in Status},
    _questions(
        queued="PENDING PENDING_VERSION WAITING_ON_CONNECTIONS DELAYED QUEUED",
        executing="DEQUEUED EXECUTING REATTEMPTING",
        waiting="WAITING FROZEN",
        success="COMPLETED",
        canceled="CANCELED",
        failed=" ".join(FINAL - {Status.COMPLETED, Status.CANCELED}),
    ),
)
V4 = _vocabulary(
    "v4",
    {status: words.v4 for status, words in WORDS.items()},
    _questions(
        queued="PENDING_VERSION DELAYED QUEUED",
        executing="DEQUEUED EXECUTING",
        waiting="WAITING",
        success="COMPLETED",
        canceled="CANCELED",
        failed="FAILED TIMED_OUT CRASHED SYSTEM_FAILURE EXPIRED",
    ),
)
V3 = _vocabulary(
    "v3",
    {status: words.v3 for status, words in WORDS.items()},
    _questions(
        queued="WAITING_FOR_DEPLOY DELAYED QUEUED",
        # To v3, a frozen run is one that executes: it had no word for waiting, and its API answered so.
        executing="EXECUTING REATTEMPTING FROZEN",
        waiting="",
        success="COMPLETED",
        canceled="CANCELED",
        failed="FAILED TIMED_OUT CRASHED INTERRUPTED SYSTEM_FAILURE EXPIRED",
    ),
)
V2 = _vocabulary(
    "v2",
    {status: words.v2 for status, words in WORDS.items()},
    _questions(
        queued="PENDING QUEUED WAITING_ON_CONNECTIONS",
        executing="EXECUTING",
        waiting="WAITING_TO_CONTINUE",
        success="SUCCESS",
        canceled="CANCELED",
        failed="FAILURE TIMED_OUT INVALID_PAYLOAD UNRESOLVED_AUTH",
    ),
)
EXECUTIONS = _vocabulary(
    "executions",
    {status: words.executions for status, words in WORDS.items()},
    _questions(queued="queued", executing="running", waiting="", success="succeeded", canceled="", failed="failed"),
)

VOCABULARIES = {vocabulary.name: vocabulary for vocabulary in (FULL, V4, V3, V2, EXECUTIONS)}


def vocabulary_called(name: str) -> Vocabulary:
    """The vocabulary of this name. Raises InvalidInput for a name that none has."""
    if name not in VOCABULARIES:
        raise InvalidInput(f'There is no vocabulary "{name[:40]}". Vocabularies are {", ".join(VOCABULARIES)}.')
    return VOCABULARIES[name]
