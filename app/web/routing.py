"""Routes that FastAPI describes, and that are answered without what it does for parameters that they do not have."""

from collections.abc import Awaitable, Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic.fields import FieldInfo
from starlette.routing import request_response

from app.web.caller import caller_of, keeper_of, reader_of, service_of, visitor_of

Asked: TypeAlias = Callable[[Request], Awaitable[object]]
Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
OURS: frozenset[Asked] = frozenset({caller_of, keeper_of, reader_of, service_of, visitor_of})


class PlainRoute(APIRoute):
    """Calls an endpoint itself that takes the request, texts of it and what `app.web.caller` finds, else FastAPI does.

    FastAPI's way to such an endpoint takes longer than most of them do: it looks for parameters that there are not.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        plain = self._plain()
        if plain is not None:
            self.app = request_response(plain)

    def _plain(self) -> Handler | None:
        of, endpoint = self.dependant, self.endpoint
        asked: list[tuple[str, Asked]] = [
            (str(each.name), each.call) for each in of.dependencies if each.call and each.call in OURS
        ]
        options = [(each.name, each.alias) for each in of.query_params if _is_optional_text(each.field_info)]
        texts = {each.name for each in of.path_params if each.field_info.annotation is str}
        others = (*of.header_params, *of.cookie_params, *of.body_params)
        named = (of.response_param_name, of.background_tasks_param_name, of.http_connection_param_name)
        if len(asked) < len(of.dependencies) or len(options) < len(of.query_params) or others or any(named):
            return None
        if texts != self.param_convertors.keys() or not iscoroutinefunction(endpoint):
            return None
        if endpoint.__annotations__.get("return") is not Response:
            return None

        async def answer(request: Request) -> Response:
            values: dict[str, Any] = dict(request.path_params)
            if of.request_param_name:
                values[of.request_param_name] = request
            for name, alias in options:
                values[name] = request.query_params.get(alias)
            for name, find in asked:
                values[name] = await find(request)
            response: Response = await endpoint(**values)
            return response

        return answer


def _is_optional_text(field: FieldInfo) -> bool:
    return field.annotation == str | None and field.default is None and not field.metadata


def room(tag: str) -> APIRouter:
    """The routes of one subject, which is what the document of the API calls them by."""
    return APIRouter(tags=[tag], route_class=PlainRoute)
