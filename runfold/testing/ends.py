"""Waiting for the end of a run."""

from runfold import runs
from runfold.durations import Duration
from runfold.handles import RunHandle
from runfold.run import Run
from runfold.typevars import PayloadT, ResultT

INTERVAL_SECONDS = 0.01


def finished(run: str | RunHandle[PayloadT, ResultT], *, timeout: Duration = 10.0) -> Run[PayloadT, ResultT]:
    """The run once its status is final. Raises TimeoutError, which says why it is not, after so much real time."""
    try:
        return runs.poll(run, interval=INTERVAL_SECONDS, timeout=timeout)
    except TimeoutError as late:
        raise TimeoutError(f"{late} {runs.explain(run).sentence}") from None
