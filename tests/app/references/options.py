"""docs/reference/options.md: every option of a trigger and every setting of a task, in the words of four systems."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from app.web.bodies import TriggerOptions
from domain.events import TaskSettings
from runfold import options as sdk
from runfold.declaring import TaskOptions
from tests.app.references import api
from tests.app.references.markdown import code, links_to, page, table
from tests.app.references.terms import TASK, TRIGGER, Terms
from tests.shown import Showing, showings

INTRODUCTION = """What a run may be asked for when it is triggered, and what a task says of all its runs. Each line has
the word of the documents of Trigger.dev v4, v3 and v2 and of TrigRun, where they have one, and the tests that show what
the option does."""

TRIGGER_TEXT = """In `options` of a [trigger](api.md#post-apiv1taskstasktrigger); in Python, arguments of `trigger`.
`null` is the same as absent."""

TASK_TEXT = """In what a [worker registers](worker-protocol.md); in Python, arguments of `@task`. A trigger that says
the same of one run wins."""

SYSTEMS = ("v4", "v3", "v2", "TrigRun")
TASK_PREFIX = "task."
"""What tells `task.ttl` from the `ttl` of a trigger, where tests say what they show."""


def text() -> str:
    """The whole page."""
    return page(
        "Options",
        INTRODUCTION,
        "## Of a trigger",
        TRIGGER_TEXT,
        _table(
            ("option", "Python", "type", "meaning and limits"),
            (
                ((code(name), _python(name), _type(field), api.OPTIONS[name]), TRIGGER[name], name)
                for name, field in triggers()
            ),
        ),
        "## Of a task",
        TASK_TEXT,
        _table(
            ("option", "Python", "type", "default", "meaning and limits"),
            (
                (
                    (code(name), _python_of_task(name), _type(field), _default(field), TASK[name].meaning),
                    TASK[name].terms,
                    TASK_PREFIX + name,
                )
                for name, field in settings()
            ),
        ),
    )


def names() -> list[str]:
    """Every option, as tests say that they show it."""
    return [name for name, _ in triggers()] + [TASK_PREFIX + name for name, _ in settings()]


def triggers() -> Iterator[tuple[str, Any]]:
    """The options of a trigger, each with its JSON Schema."""
    yield from _schemas(TriggerOptions)["TriggerOptions"]["properties"].items()


def settings() -> Iterator[tuple[str, Any]]:
    """The settings of a task by their paths, each with its JSON Schema."""
    schemas = _schemas(TaskSettings)
    yield from _leaves(schemas, "TaskSettings", "")


def _schemas(kind: type[Struct]) -> dict[str, Any]:
    return msgspec.json.schema_components((kind,), ref_template="{name}")[1]


def _leaves(schemas: dict[str, Any], kind: str, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, field in schemas[kind]["properties"].items():
        (inner,) = [each["$ref"] for each in _choices(field) if "$ref" in each] or [None]
        if inner is None:
            yield prefix + name, field
        else:
            yield from _leaves(schemas, inner, f"{prefix}{name}.")


def _choices(field: Any) -> list[Any]:
    choices: list[Any] = field.get("anyOf", [field])
    return choices


def _type(field: Any) -> str:
    """In words. That null is taken is not said of each: it is the same as absent."""
    return " or ".join(_word(each) for each in _choices(field) if each.get("type") != "null")


def _default(field: Any) -> str:
    """Empty where the meaning says what holds if the option is left out."""
    default = msgspec.json.encode(field.get("default")).decode()
    return "" if default in {"null", "[]"} else code(default)


def _word(schema: Any) -> str:
    if schema.get("type") == "array":
        return f"list of {_word(schema['items'])}s"
    return "object" if "$ref" in schema else str(schema.get("type", "any JSON"))


def _python(wire: str) -> str:
    known = sdk._WIRE  # pyright: ignore[reportPrivateUsage]
    return code(*(name for name, (place, _) in known.items() if place == wire))


def _python_of_task(name: str) -> str:
    """Empty as long as the SDK does not know it."""
    python = TASK[name].python
    keyword = python.partition("=")[0]
    if not keyword.isidentifier():
        return python
    return code(python) if keyword in TaskOptions.__annotations__ else ""


def _table(head: Sequence[str], rows: Iterable[tuple[tuple[str, ...], Terms, str]]) -> str:
    return table(
        (*head, *SYSTEMS, "shown by"),
        [(*cells, *terms, links_to(_that_show(option))) for cells, terms, option in rows],
    )


def _that_show(option: str) -> Iterator[Showing]:
    return (each for each in showings() if option in each.options)
