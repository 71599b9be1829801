"""Where a replay begins to do things itself, as the API writes it."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from runfold.codec import encode_result

StepRef: TypeAlias = str | tuple[str, int]
"""A step by its name; the second of that name is `("charge", 2)`, or `"charge#2"`.

Where branches of the code have one each, `"charge@4"` is the one with this index in the journal.
"""


def beginning_on_wire(from_step: StepRef | None, step_results: Mapping[StepRef, Any] | None) -> dict[str, Any]:
    """Raises TypeError for results that come before no step."""
    if from_step is None:
        if step_results:
            raise TypeError("step_results replaces results of what comes before a step: say which, with from_step.")
        return {}
    results = {_name(step): encode_result(result) for step, result in (step_results or {}).items()}
    return {"fromStep": _name(from_step), **({"stepResults": results} if results else {})}


def _name(step: StepRef) -> str:
    return step if isinstance(step, str) else f"{step[0]}#{step[1]}"
