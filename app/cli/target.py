"""What the user named on the command line, as the folder whose changes matter."""

from importlib.machinery import PathFinder
from pathlib import Path

import typer


def folder_of(target: str) -> Path:
    """The folder of a file, or of a module's outermost package. Raises BadParameter when there is no such thing."""
    if target.endswith(".py") or "/" in target:
        file = Path(target)
        if not file.is_file():
            raise typer.BadParameter(f"There is no file {file}.")
        return file.resolve().parent
    outermost = target.partition(".")[0]
    # Found, not imported: the user's code runs in the worker only.
    found = PathFinder.find_spec(outermost, [str(Path.cwd())]) or PathFinder.find_spec(outermost)
    if found is None:
        raise typer.BadParameter(f"There is no module {target!r} in {Path.cwd()}, and no file of that name.")
    if found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations))).resolve()
    if found.origin is None:
        raise typer.BadParameter(f"The module {target!r} has no folder to watch.")
    return Path(found.origin).resolve().parent
