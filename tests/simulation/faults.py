"""What goes wrong, how often: each seed draws which faults it has, so that each is also seen without the others."""

from collections.abc import Mapping
from enum import StrEnum

from tests.simulation.world import World


class Fault(StrEnum):
    """The faults that a seed may have."""

    # of a message
    REQUEST_LOST = "a request is lost"
    ANSWER_LOST = "an answer is lost"
    MESSAGE_SLOW = "a message is late"
    REQUEST_TWICE = "a request comes twice"
    # of a commit
    COMMIT_SLOW = "a commit takes long"
    COMMIT_REFUSED = "the ledger does not take a batch"
    COMMIT_GONE = "the connection dies, the batch is not there"
    COMMIT_UNSEEN = "the connection dies, the batch is there"
    CRASH_BEFORE = "the engine dies before its batch is committed"
    CRASH_AFTER = "the engine dies after its batch is committed"
    # of a process or a machine, looked at once a second
    ENGINE_CRASH = "the engine dies"
    ENGINE_DEAF = "the engine stops for a while"
    WORKER_CRASH = "a worker dies"
    WORKER_PAUSE = "a worker stops for a while"
    CLOCK_STEP = "the wall clock is set"
    # of code, at each boundary of a step: before its body, behind that, and behind its report
    CODE_DIES = "a process, or all of its worker, dies in the code of a run"


MOST = {
    Fault.REQUEST_LOST: 0.1,
    Fault.ANSWER_LOST: 0.1,
    Fault.MESSAGE_SLOW: 0.1,
    Fault.REQUEST_TWICE: 0.1,
    Fault.COMMIT_SLOW: 0.03,
    Fault.COMMIT_REFUSED: 0.05,
    Fault.COMMIT_GONE: 0.03,
    Fault.COMMIT_UNSEEN: 0.03,
    Fault.CRASH_BEFORE: 0.02,
    Fault.CRASH_AFTER: 0.02,
    Fault.ENGINE_CRASH: 0.06,
    Fault.ENGINE_DEAF: 0.04,
    Fault.WORKER_CRASH: 0.08,
    Fault.WORKER_PAUSE: 0.4,
    Fault.CLOCK_STEP: 0.06,
}
MOST_OF_CODE = MOST | {
    Fault.REQUEST_TWICE: 0.3,
    Fault.CRASH_AFTER: 0.06,
    Fault.ENGINE_CRASH: 0.12,
    Fault.CODE_DIES: 0.12,
}
"""Where workers execute code step by step."""
OF_A_COMMIT = (
    Fault.COMMIT_REFUSED,
    Fault.COMMIT_GONE,
    Fault.COMMIT_UNSEEN,
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
)
OF_A_MACHINE = (
    Fault.ENGINE_CRASH,
    Fault.ENGINE_DEAF,
    Fault.WORKER_CRASH,
    Fault.WORKER_PAUSE,
    Fault.CLOCK_STEP,
)


class Faults:
    """The faults of one seed, until they are over."""

    def __init__(self, world: World, most: Mapping[Fault, float] = MOST) -> None:
        self._world = world
        self._rates = {fault: rate * world.chance.random() for fault, rate in most.items() if world.happens(0.5)}
        world.tell("faults: %s", "; ".join(f"{fault} ({rate:.3f})" for fault, rate in self._rates.items()))

    def strikes(self, fault: Fault) -> bool:
        """Whether this goes wrong now."""
        return self._world.happens(self._rates.get(fault, 0.0))

    def one_of(self, faults: tuple[Fault, ...]) -> Fault | None:
        """The first of these that goes wrong now."""
        return next((fault for fault in faults if self.strikes(fault)), None)

    def end(self) -> None:
        """From now on all goes well."""
        self._rates = {}
        self._world.tell("the faults are over")
