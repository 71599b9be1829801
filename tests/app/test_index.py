"""The index finds the route that asking one after the other finds, and nothing where that finds nothing."""

import re
from typing import Any

import pytest
from starlette.routing import BaseRoute, Match, Route

from app.web.application import create_application
from app.web.index import FOUND, Index

VALUES = ("run_1", "a b", "a/b/c", "runs", "..", "ä")


def _nobody() -> Any:
    raise AssertionError("nothing is answered here")


APPLICATION = create_application(_nobody)
INDEX, *ROUTES = APPLICATION.router.routes


@pytest.mark.parametrize("value", VALUES)
def test_it_finds_the_same_route_as_asking_each(value: str) -> None:
    assert isinstance(INDEX, Index)
    for each in ROUTES:
        assert isinstance(each, Route)
        path = re.sub(r"\{[^}]*\}", value, each.path)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            scope = {"type": "http", "method": method, "path": path}
            match, found = INDEX.matches(scope)
            route = found.pop(FOUND, None)
            assert (route, found) == _asked(scope), (method, path)
            assert match is (Match.FULL if route else Match.NONE)


def test_it_leaves_what_it_does_not_know_to_the_router() -> None:
    for path in ("", "/", "/api", "/api/v1/nothing/here", "//", "/api/v1/runs/"):
        scope = {"type": "http", "method": "TRACE", "path": path}
        assert INDEX.matches(scope) == (Match.NONE, {})
    assert INDEX.matches({"type": "http", "method": "GET", "path": "/livez", "root_path": "/below"}) == (Match.NONE, {})
    assert INDEX.matches({"type": "lifespan"}) == (Match.NONE, {})


def _asked(scope: dict[str, Any]) -> tuple[BaseRoute | None, dict[str, Any]]:
    for route in ROUTES:
        match, found = route.matches(scope)
        if match is Match.FULL:
            return route, dict(found)
    return None, {}
