"""What the schemas of tasks say of the payloads of new runs."""

from msgspec.structs import replace

from app.schemas import Judge, judge_of
from domain.environment import Environment
from domain.lifecycle import NewRun


def all_judged(runs: list[NewRun], environment: Environment, blobs: dict[str, bytes]) -> list[NewRun]:
    """The runs, with what the schemas of their tasks say of their payloads, where there are any."""
    # Those that come together are most often of one task.
    kinds = {(new.task, new.lock) for new in runs}
    judges = {kind: judge for kind in kinds if (judge := judge_of(environment, *kind))}
    return [_judged(new, judges.get((new.task, new.lock)), blobs) for new in runs] if judges else runs


def judged(new: NewRun, environment: Environment, blobs: dict[str, bytes]) -> NewRun:
    """The run, with what the schema of its task says of its payload."""
    return _judged(new, judge_of(environment, new.task, new.lock), blobs)


def _judged(new: NewRun, judge: Judge | None, blobs: dict[str, bytes]) -> NewRun:
    if judge is None:
        return new
    payload = blobs[new.payload_blob.key] if new.payload_blob else new.payload
    return replace(new, verdict=judge.verdict(payload, new.payload_type))
