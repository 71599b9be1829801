"""What goes wrong at one run ends that run, and nothing else."""

import logging
from collections.abc import Generator
from contextlib import contextmanager, suppress

from runfold.texts import whole
from runfold.worker.failures import MESSAGE_MAX
from runfold.worker.wire import Error, Report

log = logging.getLogger("runfold.worker")

REFUSED = "ReportRefused"
"""The name of the error of an attempt of which a report is refused."""


@contextmanager
def sparing(run: str) -> Generator[None]:
    """Code of users that the worker calls by the way, such as their logging and tracing, may fail by itself."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (it is noted)
        note_failure(run, error)


def note_failure(run: str, error: BaseException) -> None:
    """Log an error of the worker, if users have not set up logging so that it fails as well."""
    with suppress(Exception):
        log.error("the worker failed at the run %s", run, exc_info=error)


def instead_of(refused: Report, why: str, at: int) -> Report | None:
    """What is told in place of a report that nobody takes: its attempt has failed. None if that is not taken either."""
    if refused.error is not None and refused.error.name == REFUSED:
        return None
    message = f'What was to be told of the run ("{refused.kind}") was refused: {whole(why)}'
    error = Error(REFUSED, message[:MESSAGE_MAX])
    if refused.kind in {"authorized", "unauthorized"}:
        return Report(refused.run, refused.token, "unauthorized", at, error=error)
    # Another attempt would tell the same.
    return Report(refused.run, refused.token, "failed", at, error=error, retryable=False)
