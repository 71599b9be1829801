"""What a process does that helps to verify. It imports little, so that it can help soon."""

import gc
import pickle
import signal
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection

from projections.ports import Opener, Snapshot

SNAPSHOT = "snapshot"


def serve(line: Connection, opener: Opener) -> None:
    """Answer until nobody asks any more, also because the process that asked was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks decides what it ends
    gc.disable()
    with suppress(EOFError, OSError), opener() as (ledger, read_models), ExitStack() as opened:
        stored: Snapshot | None = None
        while True:
            question = line.recv()
            answer: object
            try:
                if question == SNAPSHOT:
                    opened.close()
                    stored = opened.enter_context(read_models.snapshot())
                    answer = stored.head
                else:
                    answer = question.look(ledger, stored)
            except Exception as error:  # noqa: BLE001 (whoever asked raises it)
                answer = error
            tell(line, answer)


def tell(line: Connection, what: object) -> None:
    """Send it. Raises OSError when nobody is at the other end.

    `Connection.send` sends a view of a buffer: when that
    fails and the garbage collector takes both, Python 3.12.1 crashes.
    """
    line.send_bytes(pickle.dumps(what))
