"""`runfold diff`: what changed between two moments."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from app.cli import api
from app.cli.output import AsJson, print_json_line, print_table, print_text


def diff(
    since: Annotated[str, typer.Option("--from", help="A position of the ledger, or an ISO 8601 date.")],
    until: Annotated[str | None, typer.Option("--to", help="The same, and not earlier; now, if left out.")] = None,
    as_json: AsJson = False,  # noqa: FBT002 (a switch of the command line)
) -> None:
    """Tell what changed in the environment between two moments: runs, queues, schedules and settings."""
    api.connect()
    found = _changes({"from": since} | ({} if until is None else {"to": until}))
    if as_json:
        for each in found:
            print_json_line(each)
        return
    rows = [_row(each) for each in found]
    if rows:
        print_table(("position", "recorded", "", "id", "name", "before", "after", "by"), rows)
    else:
        print_text("Nothing changed.")


def _changes(asked: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Page by page. Both ends are positions after the first, so that what happens meanwhile is not among them."""
    after = "0"
    while True:
        page = api.call("GET", "ledger", "diff", **asked, after=after)
        yield from page["changes"]
        if "next" not in page:
            return
        asked = {"from": str(page["from"]), "to": str(page["to"])}
        after = str(page["next"])


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    before, after = (_told(each, side) for side in ("before", "after"))
    place = str(each["position"]), api.date_of(each, "at")
    return (*place, each["kind"], each["id"], each["name"], before, after, each["actor"])


def _told(each: dict[str, Any], side: str) -> str:
    facts = each[side]
    if facts is None:
        return "not there"
    if each["kind"] == "run":
        return str(facts["status"])
    other = each["after" if side == "before" else "before"]
    # Of what is new or gone everything would be told.
    return "there" if other is None else " ".join(f"{name}={_text(value)}" for name, value in facts.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
