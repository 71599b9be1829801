"""Pieces of Markdown, and the docstrings of things that Python gives none."""

import ast
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import json

from tests.shown import Showing

NOTICE = "<!-- Made from the code by `python -m tests.app.references`; a test says when it is out of date. -->"


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([NOTICE, f"# {title}", *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in its cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(*names: object) -> str:
    """Names as code, joined by commas."""
    return ", ".join(f"`{name}`" for name in names)


def links_to(showings: Iterable[Showing]) -> str:
    """The tests that show something, for a page in docs/reference."""
    return ", ".join(f"[{each.test}](../../{each.path})" for each in showings) or "none yet"


def block(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text}\n```"


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.format(json.encode(value), indent=2).decode()


def sentence(kind: type) -> str:
    """The docstring of a class, on one line."""
    return " ".join((inspect.getdoc(kind) or "").split())


def member_docs(kind: type) -> dict[str, str]:
    """The docstrings below the members of a class, by their names."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    name = ""
    for statement in body.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                docs[name] = " ".join(text.split())
            case _:
                name = ""
    return docs
