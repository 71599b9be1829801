"""The Python standard library of this machine, and the files in it that do not parse."""

import ast
import sysconfig
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
TRUNCATED = 3


def modules_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every module by its dotted name; what was installed into a standard library later does not count."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if path.is_file() and not {"site-packages", "dist-packages"} & set(parts):
            yield ".".join(parts).removesuffix(".__init__"), path


def broken_among(modules: Mapping[str, Path]) -> set[str]:
    """Files that are there to be refused, as the input of the library's own tests."""
    return {name for name, path in modules.items() if _is_suspect(name, path) and not parses(path)}


def truncated_copies(modules: Mapping[str, Path], folder: Path) -> Iterator[tuple[str, Path]]:
    """Broken files, where the library was installed without its tests."""
    folder.mkdir()
    for name, path in islice(modules.items(), TRUNCATED):
        content = path.read_bytes()
        copy = folder / f"{name}.py"
        copy.write_bytes(content[: len(content) // 2] + b"\ndef (")
        yield f"truncated.{name}", copy


def parses(path: Path) -> bool:
    """Whether it is Python of this version."""
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return False
    return True


def _is_suspect(name: str, path: Path) -> bool:
    return "lib2to3" in name or path.name.startswith("bad")
