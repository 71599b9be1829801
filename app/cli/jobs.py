"""`runfold jobs`: requests that Runfold sends by itself, and what came of them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from app.cli import api
from app.cli.making import json_of
from app.cli.output import AsJson, print_json, print_table, print_text

cli = typer.Typer(no_args_is_help=True)
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a job.")]
BELOW = "/v1/"


@cli.callback()
def connect() -> None:
    """Save HTTP jobs and look at their executions, on the engine that RUNFOLD_API_URL and RUNFOLD_SECRET_KEY name."""
    api.connect()


@cli.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="What is called.")],
    cron: Annotated[str | None, typer.Option(help="Five fields of cron, in quotes.")] = None,
    timezone: Annotated[str | None, typer.Option(help="The time zone of the cron expression.")] = None,
    every: Annotated[int | None, typer.Option(help="Every so many minutes.")] = None,
    at: Annotated[str | None, typer.Option(help="Once, at this ISO 8601 date.")] = None,
    webhook: Annotated[bool, typer.Option("--webhook", help="Whenever somebody posts to its URL.")] = False,  # noqa: FBT002 (a switch of the command line)
    event: Annotated[str | None, typer.Option(help="Whenever an event of this name is sent.")] = None,
    event_filter: Annotated[str | None, typer.Option(help="JSON: only events whose payload fits it.")] = None,
    method: Annotated[str | None, typer.Option(help="GET if left out, POST with a body.")] = None,
    header: Annotated[list[str] | None, typer.Option(help='A header such as "Accept: text/plain".')] = None,
    body: Annotated[str | None, typer.Option(help="What is sent: JSON, or any text.")] = None,
    pause_after: Annotated[int | None, typer.Option(help="Pause it after so many failures in a row.")] = None,
    rate: Annotated[str | None, typer.Option(help="So many attempts in some time at most, such as 10/1m.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Start nothing until it is resumed.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Save a job; one that nothing else starts runs at once."""
    times = {"cron": cron, "every_n_minutes": every, "run_at": at}
    given = {field: value for field, value in times.items() if value is not None}
    kinds = [{"cron": "cron", "every_n_minutes": "recurring", "run_at": "scheduled"}[field] for field in given]
    kinds += ["webhook_trigger"] if webhook else []
    kinds += ["event"] if event is not None else []
    if len(kinds) > 1:
        raise typer.BadParameter("One thing starts a job: say one of --cron, --every, --at, --webhook and --event.")
    if event_filter is not None and event is None:
        raise typer.BadParameter("--event-filter needs --event, whose events it filters.")
    request: dict[str, Any] = {"url": url, "method": method or ("GET" if body is None else "POST")}
    request["headers"] = dict(_header_of(each) for each in header or ())
    if body is not None:
        request["body"] = _json_or_text(body)
    asked: dict[str, Any] = {"name": name, "kind": kinds[0] if kinds else "one_time", "request": request}
    if pause_after is not None:
        asked["pause_after_failures"] = pause_after
    if rate is not None:
        asked["rate_limit"] = rate
    if given:
        asked["schedule"] = given | ({"timezone": timezone} if timezone else {})
    if event is not None:
        only = {} if event_filter is None else {"filter": json_of(event_filter, "--event-filter")}
        asked["event"] = {"name": event} | only
    saved = api.call("POST", "jobs", body=asked | {"state": "draft" if draft else "active"}, below=BELOW)
    if as_json:
        print_json(saved)
    else:
        following = saved["next_run_at"] and f", and runs next at {saved['next_run_at']}"
        print_text(f"{saved['id']} is {saved['state']}{following or ''}{_how_to_start(saved)}")


@cli.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="active, paused, draft or completed.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List the jobs of the environment, newest first."""
    found = api.call("GET", "jobs", below=BELOW, limit="100", **({"state": state} if state else {}))["data"]
    if as_json:
        print_json(found)
    elif not found:
        print_text("No jobs.")
    else:
        rows = [
            (each["id"], each["name"], each["kind"], each["state"], _date(each, "next_run_at"), each["request"]["url"])
            for each in found
        ]
        print_table(("job", "name", "kind", "state", "next (UTC)", "url"), rows)


@cli.command()
def show(job: JobId) -> None:
    """Show a job as JSON."""
    print_json(api.call("GET", "jobs", job, below=BELOW))


@cli.command()
def run(job: JobId) -> None:
    """Run a job now, and print the id of the execution."""
    print_text(api.call("POST", "jobs", job, "run-now", below=BELOW)["execution_id"])


@cli.command()
def pause(job: JobId) -> None:
    """Let a job start no more by itself."""
    print_text(f"{job} is {api.call('POST', 'jobs', job, 'pause', below=BELOW)['state']}")


@cli.command()
def resume(job: JobId) -> None:
    """Let a job start by itself again."""
    print_text(f"{job} is {api.call('POST', 'jobs', job, 'resume', below=BELOW)['state']}")


@cli.command()
def remove(job: JobId) -> None:
    """Take a job away; its executions stay."""
    api.call("DELETE", "jobs", job, below=BELOW)
    print_text(f"{job} is removed")


@cli.command("import")
def import_crontab(
    file: Annotated[Path | None, typer.Option(help="Read it from this file instead of standard input.")] = None,
    timezone: Annotated[str, typer.Option(help="The time zone of its times.")] = "UTC",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Save nothing.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Make jobs of the lines of a crontab that call URLs."""
    asked = {"crontab": _read(file), "timezone": timezone, "dry_run": dry_run}
    told = api.call("POST", "jobs", "import", body=asked, below=BELOW)
    if as_json:
        print_json(told)
        return
    for each in told["jobs"]:
        print_text(f"line {each['line']}: {each.get('id', 'would become the job')} {each['name']}")
    for each in told["skipped"]:
        print_text(f"line {each['line']} becomes no job: {each['reason']}")


@cli.command()
def executions(
    job: Annotated[str | None, typer.Option(help="Those of this job.")] = None,
    status: Annotated[str | None, typer.Option(help="queued, running, succeeded or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 50,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List executions, the latest first."""
    path = ("executions",) if job is None else ("jobs", job, "executions")
    query = {"limit": str(limit)} | ({"status": status} if status else {})
    found = api.call("GET", *path, below=BELOW, **query)["data"]
    if as_json:
        print_json(found)
    elif not found:
        print_text("No executions.")
    else:
        rows = [
            (each["id"], each["job_name"], each["status"], each["source"], _date(each, "scheduled_for"), _why(each))
            for each in found
        ]
        print_table(("execution", "job", "status", "source", "scheduled (UTC)", "error"), rows)


def _how_to_start(saved: dict[str, Any]) -> str:
    return f": POST {saved['webhook_url']} runs it" if "webhook_url" in saved else ""


def _header_of(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise typer.BadParameter(f'{name[:40]!r} is no header; write one like "Accept: text/plain".')
    return name.strip(), value.strip()


def _json_or_text(body: str) -> Any:
    try:
        return msgspec.Raw(msgspec.json.format(body, indent=-1).encode())
    except msgspec.DecodeError:
        return body


def _read(file: Path | None) -> str:
    try:
        return (sys.stdin.buffer.read() if file is None else file.read_bytes()).decode()
    except OSError as error:
        raise typer.BadParameter(f"The file {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter("The crontab is no text in UTF-8.") from error


def _why(execution: dict[str, Any]) -> str:
    return execution["error"]["class"] if execution["error"] else ""


def _date(item: dict[str, Any], name: str) -> str:
    return api.date_of(item, name) if item[name] else ""
