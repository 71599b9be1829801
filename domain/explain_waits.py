"""What the code of a run waits for: how much of that is over, and until when at most."""

from typing import Any

from msgspec.structs import replace

from domain.batch import Batch
from domain.durations import iso
from domain.explanation import NAMED_MAX, Explanation, named
from domain.memory import Memory
from domain.run import Run, Wait
from domain.states import kind_of
from domain.status import Status

_FIELDS = {"run": "runs", "batch": "batches", "waitpoint": "tokens"}


def blocked(run: Run, memory: Memory) -> Explanation:
    """A run of which nothing goes on until a wait is over."""
    data: dict[str, Any] = {"waits": [_data(wait, memory) for wait in run.waits[:NAMED_MAX]]}
    sentence = f"Its code waits {_phrases(run, memory)}"
    if run.status is Status.FROZEN:
        return Explanation("waiting", f"{sentence}; it is in no process meanwhile.", data)
    return Explanation("waiting", f"{sentence}; worker {run.worker} keeps its process.", data | {"worker": run.worker})


def beside(run: Run, memory: Memory, told: Explanation) -> Explanation:
    """The same of a run that executes, of whose code a part waits."""
    if not run.waits:
        return told
    sentence = f"{told.sentence.removesuffix('.')}; a part of its code waits {_phrases(run, memory)}."
    return replace(told, sentence=sentence, data=told.data | {"waits": [_data(each, memory) for each in run.waits]})


def awake(run: Run, hindrance: Explanation | None) -> Explanation:
    """A run whose wait is over and that has no slot yet, in the process that kept it."""
    data = {"worker": run.worker, "over": [woken.wait for woken in run.woken][:NAMED_MAX]}
    if hindrance is None:
        sentence = f"What its code waited for is over; it goes on in worker {run.worker} in a moment."
        return Explanation("turn", sentence, data)
    sentence = f"What its code waited for is over, but there is no slot. {hindrance.sentence}"
    return replace(hindrance, sentence=sentence, data=data | hindrance.data)


def resuming(run: Run, told: Explanation) -> Explanation:
    """A run that was begun and goes on as soon as somebody takes it."""
    entries = "the entry" if run.journal == 1 else f"the {run.journal} entries"
    sentence = f"Attempt {run.attempts} goes on behind {entries} of its journal. {told.sentence}"
    return replace(told, sentence=sentence, data=told.data | {"attempt": run.attempts, "journal": run.journal})


def _phrases(run: Run, memory: Memory) -> str:
    return named([_phrase(wait, memory) for wait in run.waits])


def _phrase(wait: Wait, memory: Memory) -> str:
    if not wait.targets:
        assert wait.until is not None, "what waits for nothing waits for a time"
        until = f"until {iso(wait.until)}"
        return until if wait.step is None else f'{until} to try the step "{wait.step}" again'
    still = _still(wait, memory)
    phrase = f"for {named([_progress(target, memory) for target in still], 'or' if wait.is_any else 'and')}"
    if len(wait.targets) > 1 and not wait.is_any:
        over = len(wait.targets) - len(still)
        phrase += f" ({over} of {len(wait.targets)} {'is' if over == 1 else 'are'} over)"
    return phrase if wait.until is None else f"{phrase} until {iso(wait.until)} at most"


def _progress(target: str, memory: Memory) -> str:
    batch = memory.states.get(target)
    if not isinstance(batch, Batch):
        return target
    return f"{target} ({_over_of(batch, memory)} of its {batch.expected} runs over)"


def _data(wait: Wait, memory: Memory) -> dict[str, Any]:
    data: dict[str, Any] = {"wait": wait.index}
    if wait.step is not None:
        data["step"] = wait.step
    if wait.targets:
        still = _still(wait, memory)
        data |= {"any": wait.is_any, "over": len(wait.targets) - len(still), "of": len(wait.targets)}
        for target in still[:NAMED_MAX]:
            data.setdefault(_FIELDS[kind_of(target)], []).append(target)
    return data if wait.until is None else data | {"until": iso(wait.until)}


def _still(wait: Wait, memory: Memory) -> list[str]:
    return [target for target in wait.targets if not memory.is_over(target)]


def _over_of(batch: Batch, memory: Memory) -> int:
    """How many of its items came to an end: no run, or one that is over."""
    own = len(memory.members.unfinished.get(batch.id, ()))
    shared = sum(not memory.is_over(run) for run in batch.shared)
    return batch.known - own - shared
