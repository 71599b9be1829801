"""`python -m app.testing`: an engine for the tests that started this process, whose clock they can put forward.

It is a program of its own, because the command line with all that it can do takes half as long again to start.
"""

import os
import signal
import sys
import threading

from app import logs, settings
from app.server import serve


def main() -> None:
    """Serve until the input ends, which it does when whoever has the other end of it is gone, however that happened."""
    found = settings.load(test_clock=True)
    logs.set_up(found.log_level, found.log_format)
    threading.Thread(target=_end_with_input, name="input", daemon=True).start()
    serve(found)


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 65_536):
        pass
    # Nothing of it is kept, so there is nothing to bring in order.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
