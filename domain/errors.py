"""What can go wrong, in one small tree. Each message says what was asked and what stood in the way.

RunfoldError
├── Refused              the command is at odds with the rules or the state; nothing was written
│   ├── InvalidInput     the input itself is wrong
│   ├── TooLarge         what is sent, or what would come of it, is larger than what is kept
│   ├── NotFound         what it names does not exist in this environment
│   │   ├── Archived     the run has left the database for a segment file
│   │   └── QueueNotFound  no task names the queue, no run is in it, and nobody said anything of it
│   ├── NotAllowed       the state does not allow it
│   │   ├── TooLate      the run ended too long ago
│   │   └── UsedUp       what is for one use was used before
│   ├── KeyMissing       something is to be encrypted or decrypted, and the key for it is not here
│   └── UnknownVersion   a worker names a version that was never registered
├── Unavailable          the engine cannot take it now; asking again later is safe
│   └── Busy             the inbox is full
├── SealBroken           what is encrypted was changed, or moved to another place
├── OutOfStep            the read models cannot take these events: rebuild them
└── LedgerError
    ├── Deposed          another writer, or a lost tail, stands where the head should be
    ├── LedgerUnavailable  the database did not take the batch; whether it landed is not known
    └── LedgerCorrupt    what is stored is not what was appended
"""


class RunfoldError(Exception):
    """The root of all errors that Runfold raises on purpose."""


class Refused(RunfoldError):
    """The command is at odds with the rules or the state; nothing was written."""


class InvalidInput(Refused):
    """The input itself is wrong."""


class TooLarge(Refused):
    """What is sent, or what would come of it, is larger than what is kept."""


class NotFound(Refused):
    """What the command names does not exist in this environment."""


class Archived(NotFound):
    """The run has left the database for a segment file."""


class QueueNotFound(NotFound):
    """No task names the queue, no run is in it, and nobody said anything of it."""


class NotAllowed(Refused):
    """The state does not allow the command."""


class TooLate(NotAllowed):
    """The run ended too long ago."""


class UsedUp(NotAllowed):
    """What is for one use was used before."""


class KeyMissing(Refused):
    """Something is to be encrypted or decrypted, and the key for it is not here."""


class UnknownVersion(Refused):
    """A worker names a version that was never registered in this environment."""


class Unavailable(RunfoldError):
    """The engine cannot take the command now; asking again later is safe."""


class Busy(Unavailable):
    """The inbox is full."""


class SealBroken(RunfoldError):
    """What is encrypted was changed, or moved to another place."""


class OutOfStep(RunfoldError):
    """The read models cannot take these events: they are behind them, or of another shape. Rebuild them."""


class LedgerError(RunfoldError):
    """The ledger refused, or is not what it should be."""


class Deposed(LedgerError):
    """Another writer, or a lost tail, stands where the head should be."""


class LedgerUnavailable(LedgerError):
    """The database did not take the batch; whether it landed is not known."""


class LedgerCorrupt(LedgerError):
    """What is stored is not what was appended."""
