"""`runfold deploy` and `runfold worker`, which need the code of users, and so are the launcher's, not the engine's."""

from typing import Annotated, NoReturn

import typer


def deploy(_arguments: Annotated[list[str] | None, typer.Argument(metavar="FILE_OR_MODULE")] = None) -> NoReturn:
    """Make the tasks that a file or a module defines the current version, without starting a worker."""
    # The launcher never sends `deploy` here; `python -m app deploy` does.
    raise typer.BadParameter("The engine runs no code of yours: use `runfold deploy`.")


def worker(_arguments: Annotated[list[str] | None, typer.Argument(metavar="FILE_OR_MODULE")] = None) -> NoReturn:
    """Run the tasks that a file or a module defines, for an engine that runs elsewhere."""
    # The launcher never sends `worker` here; `python -m app worker` does.
    raise typer.BadParameter("The engine runs no code of yours: use `runfold worker` or `python -m runfold.worker`.")
