"""Rows as columns, and back."""

from typing import Any

from msgspec import Raw, structs

from adapters.read_models_rows import of_run, to_run
from domain.events import JobRef, RunError
from domain.status import Status
from projections.run_row import RunRow


def test_each_field_of_a_run_comes_back_as_it_was() -> None:
    fields: dict[str, Any] = {field.name: field.type for field in structs.fields(RunRow)}
    made: dict[str, Any] = {
        **{name: name for name, kind in fields.items() if kind in {str, str | None}},
        **{name: 1_000 + at for at, (name, kind) in enumerate(fields.items()) if kind in {int, int | None}},
        **{name: True for name, kind in fields.items() if kind is bool},
        **{name: (name,) for name, kind in fields.items() if kind == tuple[str, ...]},
        "status": Status.FAILED,
        "metadata": Raw(b'{"a":1}'),
        "error": RunError("boom", "ValueError"),
        "job": JobRef("job_1", "report", 1),
    }

    assert made.keys() == fields.keys()
    assert to_run(of_run(RunRow(**made))) == RunRow(**made)
