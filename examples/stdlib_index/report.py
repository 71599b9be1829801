"""What the demo shows when all runs have ended."""

import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Collection, Mapping
from operator import attrgetter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.stdlib_index.processes import COMMAND, DemoError
from runfold import Run

SLOWEST_MAX = 5

console = Console(highlight=False, emoji=False)


def print_statuses(runs: Collection[Run]) -> None:
    table = Table("task", "status", "runs", title="How the runs ended", title_justify="left")
    table.columns[2].justify = "right"
    for (task, status), count in sorted(Counter((run.task, run.status) for run in runs).items()):
        table.add_row(task, status, str(count))
    console.print(table)


def print_slowest(runs: Collection[Run], names: Mapping[str, str]) -> None:
    slowest = sorted((run for run in runs if run.id in names), key=attrgetter("duration_ms"), reverse=True)[
        :SLOWEST_MAX
    ]
    table = Table("module", "ran (ms)", "run", title="The slowest", title_justify="left")
    table.columns[1].justify = "right"
    table.columns[2].no_wrap = True
    for run in slowest:
        table.add_row(Text(names[run.id]), str(run.duration_ms), run.id)
    console.print(table)


def print_failed(runs: Collection[Run], names: Mapping[str, str]) -> None:
    table = Table("module", "error", title="What does not parse", title_justify="left")
    for run in runs:
        if run.status == "FAILED":
            table.add_row(Text(names.get(run.id, run.task)), Text(run.error.message if run.error else ""))
    console.print(table)


def show(folder: Path, *arguments: str) -> None:
    """Run a command as its reader could, and show both the command and its answer."""
    console.print(f"\n[bold]$ runfold {shlex.join(arguments)}[/bold]")
    done = subprocess.run([COMMAND, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    console.print(done.stdout.rstrip(), markup=False, soft_wrap=True)
    if done.returncode:
        raise DemoError(f"runfold {shlex.join(arguments)} ended with code {done.returncode}.")


def say_how_to_go_on(folder: Path, retried: str, failed: str) -> None:
    found = shutil.which("runfold")
    command = "runfold" if found and Path(found).resolve() == COMMAND.resolve() else shlex.quote(str(COMMAND))
    console.print(
        f"""
[bold]Everything is kept. To look further, start the engine again:[/bold]
  cd {shlex.quote(str(folder))}
  {command} serve

[bold]and in another terminal:[/bold]
  cd {shlex.quote(str(folder))}
  {command} runs list --status FAILED
  {command} runs show {failed}
  {command} runs events {retried}

[bold]or in a browser:[/bold] the address that the engine prints, with the key in the file .runfold/secret-key

`make demo` runs all of this anew, in a folder of its own.""",
        soft_wrap=True,
    )


def say_that_it_is_over() -> None:
    console.print(
        """
This PostgreSQL was here for the demo only, and is gone. On one of yours:
  export RUNFOLD_DATABASE_URL=postgresql://user:password@host/name
  runfold serve""",
        soft_wrap=True,
    )
