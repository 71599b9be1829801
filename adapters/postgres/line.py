"""A connection on which every question is answered in time, or the line is hung up."""

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection


class Line:
    """A connection, and a thread that hangs up when no answer comes: libpq would wait as long as the other side."""

    def __init__(self, connection: Connection[Any], answer_seconds: float) -> None:
        self.connection = connection
        self._answer_seconds = answer_seconds
        self._due: float | None = None
        self._hung_up = False
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="answer-watch", daemon=True)
        self._watcher.start()

    @contextmanager
    def in_time(self) -> Generator[None]:
        """What is asked in here is answered in time, or raises TimeoutError."""
        self._due = time.monotonic() + self._answer_seconds
        try:
            yield
        except psycopg.Error as error:
            if self._hung_up:
                raise TimeoutError(f"no answer within {self._answer_seconds:g} seconds") from error
            raise
        finally:
            self._due = None

    def close(self) -> None:
        self._closed.set()
        self._watcher.join()
        self.connection.close()

    def _watch(self) -> None:
        while not self._closed.wait(self._answer_seconds / 10):
            due = self._due
            if due is not None and time.monotonic() > due:
                self._hung_up = True
                with suppress(OSError), socket.socket(fileno=os.dup(self.connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
                return
