"""Finds the route of a request among those whose paths begin like it."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

SEGMENTS = 3
"""How much of a path is looked up: `/api/v1/runs` are three, and few routes begin with the same."""
FOUND = "runfold.route"
Beginning: TypeAlias = tuple[str, ...]


class Index(BaseRoute):
    """Stands before the routes that it knows: the router asks one after the other, and there are some two hundred.

    What is not found here, in its path or its method, goes to the router as before, which knows what to answer.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        known = [(_beginning_of(route.path), route) for route in routes if isinstance(route, Route)]
        self._routes: dict[Beginning, Sequence[Route]] = {
            beginning: [route for its, route in known if beginning[: len(its)] == its]
            for beginning in {(), *(its for its, _ in known)}
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """FULL for a request that one of the routes answers, the first of them, and NONE for any other."""
        if scope["type"] != "http" or scope.get("root_path"):
            return Match.NONE, {}
        for route in self._beginning_like(scope["path"]):
            if route.methods is None or scope["method"] in route.methods:
                match, found = route.matches(scope)
                if match is Match.FULL:
                    return match, {**found, FOUND: route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route that was found."""
        await scope[FOUND].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """The routes themselves know their paths. Raises NoMatchFound."""
        raise NoMatchFound(name, path_params)

    def _beginning_like(self, path: str) -> Sequence[Route]:
        beginning = tuple(path.split("/", SEGMENTS + 1)[1 : SEGMENTS + 1])
        while beginning not in self._routes:
            beginning = beginning[:-1]
        return self._routes[beginning]


def _beginning_of(path: str) -> Beginning:
    """The first segments of a path, up to one that is a parameter."""
    segments = path.split("/")[1 : SEGMENTS + 1]
    literal = next((at for at, segment in enumerate(segments) if "{" in segment), len(segments))
    return tuple(segments[:literal])
