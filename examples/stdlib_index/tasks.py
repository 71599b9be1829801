"""An index of Python files: what each one defines, how long it is, and its hash."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runfold import AbortTaskRunError, Context, Retry, task


@dataclass
class Module:
    name: str
    path: str


@dataclass
class Entry:
    """What is known of one module."""

    lines: int
    functions: int
    classes: int
    sha256: str


# Not async: parsing takes a whole processor, so it belongs into the worker's child processes.
@task(id="index-module", retry=Retry(max_attempts=3, min_timeout_ms=200))
def index_module(module: Module) -> Entry:
    content = Path(module.path).read_bytes()
    try:
        tree = ast.parse(content, module.path)
    except (SyntaxError, ValueError) as error:
        # Unlike a disk that does not answer, a file that does not parse will not parse the second time.
        raise AbortTaskRunError(f"{type(error).__name__}: {error}") from error
    kinds = [type(statement) for statement in statements_of(tree)]
    return Entry(
        lines=content.count(b"\n"),
        functions=kinds.count(ast.FunctionDef) + kinds.count(ast.AsyncFunctionDef),
        classes=kinds.count(ast.ClassDef),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def statements_of(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements, however deep; `ast.walk` would visit every expression too, at ten times the cost."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, block, None)
            if isinstance(inner, list):  # the body of a lambda is an expression
                todo += inner


@task(id="fail-first-attempt-by-design", retry=Retry(max_attempts=2, min_timeout_ms=300, randomize=False))
def fail_first_attempt_by_design(_payload: None, ctx: Context) -> str:
    if ctx.attempt.number == 1:
        raise RuntimeError("The first attempt of this task fails by design; the second one succeeds.")
    return f"attempt {ctx.attempt.number} succeeded"
