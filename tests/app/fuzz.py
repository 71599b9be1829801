"""Requests of any kind for any route: what the document of the API describes, and now and then what it does not."""
# schemathesis gives many of its types no parameters.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WORDS = st.sampled_from(
    ["", "greet", "writer", "1h", "-1s", "7d", "٣h", "a,b", "%00", "WzEsImEiXQ", "WzksIvCfmIAiXQ", "queued", "asc",
     "2027-01-15", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59-14:00", "2030-01-01T00:00:00Z", "created_at",
     "UTC", "https://example.com"]
)  # fmt: skip
CRONS = st.lists(st.sampled_from(["*", "*/5", "0", "L", "5-7", "1#2", "JAN", "30"]), min_size=4, max_size=6)
CRONTABS = st.lists(
    st.sampled_from(["* * * * *", "@daily", "curl", "wget", "-X", "'", "https://example.com", "\n", "#", "TZ=UTC", ">"])
)
OF_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "session": st.sampled_from(["worker_1", "worker_2"]),
    "version": st.just("20270115.1"),
    "sequence": st.integers(1, 30),
    "received": st.integers(0, 5),
    "want": st.integers(0, 3),
    "token": st.integers(0, 9),
    "at": st.integers(0, 9),
    "every": st.integers(-1, 1_500),
    "every_n_minutes": st.integers(-1, 1_500),
    "holds": st.none() | st.lists(st.tuples(WORDS, st.integers(0, 9)), max_size=3),
    "task": st.just("greet"),
    "taskIdentifier": st.just("greet"),
    "slug": st.sampled_from(["a", "b", "dev", "A"]),
    "cron": CRONS.map(" ".join),
    "crontab": CRONTABS.map(" ".join),
    "url": st.sampled_from(["https://a.test", "http://[::1", "https://{{uuid}}", "secret://a", "http://a\ud800"]),
    "method": st.sampled_from(["GET", "POST", "get", "put"]),
    "action": st.sampled_from(["cancel", "replay", "pause", "resume"]),
}
"""What means something in these fields; a report's `kind` and a job's have the same name."""
KINDS = st.sampled_from(["cron", "recurring", "scheduled", "one_time", "started", "succeeded", "failed", "crashed"])
WILD = st.integers(-(10**25), 10**25) | st.sampled_from([0, 1, -1, 2**31 - 1, 2**53, 2**63, 1e300]) | TEXT | st.none()
MEANING_ONE_IN, WILD_ONE_IN, UNNAMED_ONE_IN = 2, 40, 6
"""How often a value is one that means something, anything at all, or the name of something that there is not."""


class Question(NamedTuple):
    """A request, and the case that it was made from."""

    case: Case[Any]
    query: dict[str, Any]
    body: bytes | None

    def check(self, answer: httpx.Response) -> None:
        """Raises FailureGroup for an answer that is not as the document says."""
        checks = [content_type_conformance, response_schema_conformance, status_code_conformance]
        self.case.validate_response(answer, checks=checks)


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """One object a line, of which there is one."""
    return json.dumps(value).encode()


def questions(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, st.SearchStrategy[Question]]:
    """Any requests to each operation of the document; `names` are of things that there are, as paths call them."""
    schema = schemathesis.openapi.from_dict(dict(document))
    results = list(schema.get_all_operations())
    operations = [each.ok() for each in results if isinstance(each, Ok)]
    assert len(operations) == len(results), "all of the document can be read"
    return {each.label: st.one_of(*(_to(each, mode, names) for mode in _modes_of(each))) for each in operations}


def _modes_of(operation: APIOperation[Any, Any, Any, Any]) -> list[GenerationMode]:
    # What is wrong can be made only where it is said what is right.
    is_described = "$ref" in str(operation.definition.raw.get("requestBody"))
    return list(GenerationMode) if is_described else [GenerationMode.POSITIVE]


@st.composite
def _to(
    draw: st.DrawFn, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, names: Mapping[str, str]
) -> Question:
    case: Case[Any] = draw(operation.as_strategy(generation_mode=mode))
    for name in case.path_parameters or {}:
        if name in names and draw(st.integers(1, UNNAMED_ONE_IN)) > 1:
            case.path_parameters[name] = names[name]
    query = {name: draw(_seasoned(value, "", names)) for name, value in dict(case.query or {}).items()}
    if case.body is NOT_SET:
        return Question(case, query, None)
    if isinstance(case.body, bytes):
        return Question(case, query, case.body)
    body = draw(_seasoned(case.body, "", names))
    return Question(case, query, json.dumps(body).replace("Infinity", "1e999").encode())


@st.composite
def _seasoned(draw: st.DrawFn, value: Any, field: str, names: Mapping[str, str]) -> Any:
    """A value of which parts are replaced by what means something there, and now and then by anything at all."""
    if field == "waitMs":
        return 0
    if draw(st.integers(1, WILD_ONE_IN)) == 1:
        return draw(WILD)
    has_meaning = draw(st.integers(1, MEANING_ONE_IN)) == 1
    match value:
        case _ if has_meaning and field in OF_FIELDS:
            return draw(OF_FIELDS[field])
        case dict():
            return {name: draw(_seasoned(each, str(name), names)) for name, each in value.items()}
        case list():
            return [draw(_seasoned(each, "", names)) for each in value]
        case str() if has_meaning:
            return draw(KINDS if field == "kind" else WORDS | st.sampled_from(sorted(names.values())))
        case _:
            return value
