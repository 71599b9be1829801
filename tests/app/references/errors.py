"""docs/reference/errors.md: the tree of errors, and what each is answered with."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from msgspec import json

from app.web.errors import CODES, RETRY_AFTER_SECONDS, TITLES, answer, status_of
from domain.attempts import Late
from domain.errors import RunfoldError
from tests.app.references.markdown import block, code, page, pretty, sentence, table

INTRODUCTION = """Whatever goes wrong is answered with one body: a sentence that a person can act on under `error`, and
the fields of RFC 9457 beside it. Nothing was written when a request was refused (4xx)."""

WHAT_TO_DO = {
    400: "Mend the request: the sentence names the place.",
    401: "Send the header `Authorization: Bearer <secret key>` with a key of this engine.",
    403: "Use the admin key of the engine (`RUNFOLD_ADMIN_KEY`), or a key of the environment that is named.",
    404: "Look at the path, the id and the key: what is named does not exist in this environment.",
    405: "Use a method that the header `Allow` names.",
    411: "Send the header `Content-Length`: a body of unknown length is not read.",
    413: "Send less: large values belong into a store, and the payload says where.",
    415: "Send the body as the media type that the sentence names.",
    422: "Mend the request: its shape is right, and what it says cannot be.",
    500: "Look into the engine's log; it is a bug, or the ledger was damaged.",
    503: f"Send the same request again after `Retry-After` ({RETRY_AFTER_SECONDS} second). With the header"
    " `x-trigger-request-idempotency-key` it is safe to do so: what was written after all is not written twice.",
}
ROOT = Path(__file__).parents[3]
OURS = ("domain", "projections", "adapters", "app")


def text() -> str:
    """The whole page."""
    import_rooms()
    body = answer(404, "Run run_01a3185c500075a9b1f6c1d7f9a3e0b2 not found.").body
    return page(
        "Errors",
        INTRODUCTION,
        block("json", pretty(json.decode(body))),
        f"Errors that programs react to have a word under `code` as well: {code(*CODES.values())}.",
        "## By status",
        table(
            ("status", "title", "what to do"),
            [(str(status), TITLES[status], what) for status, what in WHAT_TO_DO.items()],
        ),
        "A 500 or 503 may come from any route, a 401 from every one but `/livez` and `/readyz`.",
        "## By class",
        "The classes of the engine, as its log names them.",
        block("text", "\n".join(_tree(RunfoldError))),
        table(
            ("class", "status", "code", "meaning"),
            [
                (
                    code(kind.__name__),
                    str(status_of_kind(kind)),
                    code(CODES[kind]) if kind in CODES else "",
                    sentence(kind),
                )
                for kind in walk(RunfoldError)
            ],
        ),
    )


def walk(kind: type[RunfoldError]) -> Iterator[type[RunfoldError]]:
    """The class and all that the engine derives from it."""
    yield kind
    for child in _children(kind):
        yield from walk(child)


def _children(kind: type[RunfoldError]) -> list[type[RunfoldError]]:
    ours = [child for child in kind.__subclasses__() if child.__module__.split(".")[0] in OURS]
    return sorted(ours, key=lambda child: child.__name__)


def import_rooms() -> None:
    """Errors are found where they are defined only once their module was imported."""
    for room in OURS:
        for module in pkgutil.walk_packages([str(ROOT / room)], f"{room}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def status_of_kind(kind: type[RunfoldError]) -> int:
    """The status that an error of this class is answered with."""
    return status_of(Late("", []) if kind is Late else kind(""))


def _tree(kind: type[RunfoldError]) -> Iterator[str]:
    yield kind.__name__
    children = _children(kind)
    for child in children:
        last = child is children[-1]
        first, *rest = _tree(child)
        yield f"{'└' if last else '├'}── {first}"
        yield from (f"{' ' if last else '│'}   {line}" for line in rest)
