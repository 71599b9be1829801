"""Celery on Redis: a message is forgotten once it is delivered, so its tasks themselves note that they are done."""

import os
import struct
import sys
import time
from typing import Any

from bench.peers import program
from bench.peers.names import NOTE, NOTHING, TWICE

celery = program.library("celery")

RECORD = struct.Struct("qd")
_done = os.open(f"{program.TIMES}.done", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)

app = celery.Celery("bench", broker=f"redis+socket://{program.URL}")
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)


class Celery:
    async def install(self) -> None:
        """Redis has no tables."""

    async def open(self) -> None:
        """Connections are made by whoever sends."""

    async def work(self) -> None:
        options = ("--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle")
        command = (sys.executable, "-P", "-m", "celery", "-A", "bench.peers.celery", "worker", "-l", "CRITICAL")
        os.execv(sys.executable, (*command, *options))  # noqa: S606 (its worker wants a process to itself)

    async def enqueue(self, task: str, numbers: range) -> None:
        # There is no way to send many at once.
        with app.producer_pool.acquire(block=True) as producer:
            for number in numbers:
                app.tasks[task].apply_async((number,), producer=producer)

    async def enqueue_one(self, task: str, number: int) -> Any:
        app.tasks[task].apply_async((number,))
        return number

    async def done(self) -> int:
        return os.fstat(_done).st_size // RECORD.size

    async def ended(self) -> dict[Any, float]:
        return dict(RECORD.iter_unpack(os.pread(_done, os.fstat(_done).st_size, 0)))


def nothing(number: int) -> None:
    os.write(_done, RECORD.pack(number, time.time()))


def note(number: int) -> None:
    program.note(number)
    nothing(number)


def twice(self: Any, number: int) -> None:
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    nothing(number)


app.task(name=NOTHING)(nothing)
app.task(name=NOTE)(note)
app.task(name=TWICE, bind=True, max_retries=5)(twice)

if __name__ == "__main__":
    program.main(Celery())
