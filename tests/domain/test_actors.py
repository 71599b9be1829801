"""Who may stand in an event as its actor: what the code writes there is what may be asked for."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from domain.audit import ALONE, KIND_END, NAMED_KINDS, check_actor, kind_of
from domain.errors import InvalidInput

ROOT = Path(__file__).parents[2]
MAKERS = {"Origin", "Caller", "Keeper"}
"""Who is made with an actor in the second place."""


def _written(source: ast.AST) -> Iterator[ast.expr]:
    """What stands where an actor is said."""
    for node in ast.walk(source):
        if isinstance(node, ast.Call):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "actor")
            if isinstance(node.func, ast.Name) and node.func.id in MAKERS and len(node.args) > 1:
                yield node.args[1]
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from (value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "actor")


def _actors(file: Path) -> Iterator[str]:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for value in _written(ast.parse(file.read_text())):
        match value:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                yield text
            case ast.Name(id=name) if name.isupper():
                yield str(getattr(import_module(module), name))
            case _:
                pass  # what came from one of these


def test_the_actors_are_those_that_the_code_writes() -> None:
    # What a command line sends and a page shows is of no event.
    files = (*ROOT.glob("domain/**/*.py"), *(each for each in ROOT.glob("app/**/*.py") if each.parent.name != "cli"))

    written = {kind_of(actor) for file in files for actor in _actors(file)}

    assert written == {*NAMED_KINDS, *ALONE}


@pytest.mark.parametrize("actor", ["", "key", "foo", "kye:1", "engine:", "KEY:"])
def test_an_actor_of_a_kind_that_there_is_none_of_is_refused(actor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_actor(actor)

    assert all(each in str(refused.value) for each in (*NAMED_KINDS, *ALONE))
    assert all(each.endswith(KIND_END) for each in NAMED_KINDS)
