"""The reference of the command line against the code."""

import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from app.cli.program import commands
from runfold import worker

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_reference_has_every_command_with_its_options_and_no_other() -> None:
    assert dict(_told()) == dict(_commands())


def _told() -> Iterator[tuple[str, set[str]]]:
    """Each section's command, with the options that its table has."""
    for section in re.split(r"^## ", REFERENCE.read_text(), flags=re.MULTILINE)[1:]:
        command = re.match(r"`runfold ([^`]+)`", section)
        assert command, section
        yield command[1], set(re.findall(r"^\| `(--[a-z-]+)` \|", section, re.MULTILINE))


def _commands() -> Iterator[tuple[str, set[str]]]:
    """Each command with its arguments as the help shows them, and its options."""
    group = typer.main.get_command(commands())
    assert isinstance(group, TyperGroup)
    for path, command in _leaves(group, ()):
        arguments = [each.metavar or "" for each in command.params if isinstance(each, TyperArgument)]
        options = {name for each in command.params if isinstance(each, TyperOption) for name in each.opts}
        yield " ".join([*path, *arguments]), options | _options_of_launcher(*path)


def _leaves(group: TyperGroup, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _leaves(command, (*path, name))
        elif not command.hidden:
            assert isinstance(command, TyperCommand)
            yield (*path, name), command


def _options_of_launcher(*path: str) -> set[str]:
    """What needs the code of users is not the engine's, so the launcher does it by itself."""
    main = {"worker": worker.main, "deploy": worker.deploy}.get(" ".join(path))
    if main is None:
        return set()
    with redirect_stdout(StringIO()) as told, suppress(SystemExit):
        main(["--help"])
    return set(re.findall(r"--[a-z-]+", told.getvalue())) - {"--help"}
