"""What somebody who audits asks for, as parameters of a request."""

from typing import Annotated

from fastapi import Depends, Query, Request

from app.web.caller import CallerDep
from app.web.errors import Malformed
from app.web.listing import each_once, refuse_unknown
from domain import durations
from domain.audit import Question, check_actor
from domain.errors import InvalidInput
from domain.events import EVENTS

After = Annotated[int, Query(ge=0, le=2**62, description="The position behind which to begin.")]
Actors = Annotated[
    str | None,
    Query(
        description="Only what these did, joined by commas: `key:7f3a…`, or all of a kind: `key:`, `worker:`;"
        " what a bulk action did, who began it did."
    ),
]
Types = Annotated[str | None, Query(description="Only events of these types, joined by commas.")]
Tasks = Annotated[str | None, Query(description="Only events of runs of these tasks, joined by commas.")]
OfRun = Annotated[str | None, Query(description="Only events of this run, or of what else has this id.")]
Since = Annotated[str | None, Query(alias="from", description="Only what was recorded at this ISO 8601 date or later.")]
Until = Annotated[str | None, Query(alias="to", description="Only what was recorded before this ISO 8601 date.")]
FILTERS = frozenset({"actor", "type", "task", "run", "from", "to"})
_TYPES = frozenset(each.__name__ for each in EVENTS)


async def question_of(
    request: Request,
    caller: CallerDep,
    actor: Actors = None,
    type_: Annotated[Types, Query(alias="type")] = None,
    task: Tasks = None,
    run: OfRun = None,
    since: Since = None,
    until: Until = None,
) -> Question:
    """What is asked for. Raises Malformed: a filter that is misspelled must not answer with everything."""
    each_once(request.query_params)
    types = _several("type", type_)
    for each in sorted(types - _TYPES):
        raise Malformed(f"There is no event {each[:60]!r}; the reference of events has them all.")
    actors = _several("actor", actor)
    try:
        for each in sorted(actors):
            check_actor(each)
    except InvalidInput as error:
        raise Malformed(str(error)) from error
    return Question(
        caller.environment.id,
        actors=actors,
        types=types,
        tasks=_several("task", task),
        run=run,
        since=_moment("from", since),
        until=_moment("to", until),
    )


QuestionDep = Annotated[Question, Depends(question_of)]


def only_known(request: Request, *others: str) -> None:
    """Raises Malformed for a parameter that is neither a filter nor one of the others."""
    refuse_unknown(request.query_params, FILTERS | {"vocabulary", *others})


def _several(name: str, text: str | None) -> frozenset[str]:
    if text is None:
        return frozenset()
    values = frozenset(each for each in text.split(",") if each)
    if not values:
        raise Malformed(f"The filter {name} is empty: name one or more, joined by commas, or leave it out.")
    return values


def _moment(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return durations.parse_date(text)
    except InvalidInput as error:
        raise Malformed(f"{name} is an ISO 8601 date, not {text[:40]!r}.") from error
