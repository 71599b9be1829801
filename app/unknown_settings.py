"""Variables that look like settings and are none: a misspelled one would else be ignored without a word."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import structlog

from app.settings import PREFIX, Settings

NEAR = 0.7
"""How alike a name and the one that was probably meant are (0 to 1)."""

log = structlog.get_logger(__name__)


def unknown_settings(variables: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Each variable that begins with RUNFOLD_ and is no setting, with the setting that was probably meant."""
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(variables):
        name = variable.upper().removeprefix(PREFIX)
        if variable.upper().startswith(PREFIX) and name not in known:
            yield variable, next((PREFIX + each for each in get_close_matches(name, known, 1, NEAR)), None)


def warn_of_unknown_settings(variables: Iterable[str]) -> None:
    """Only warn: programs of another version, or a worker's own code, may share the environment and read them."""
    for variable, meant in unknown_settings(variables):
        told = {"variable": variable} if meant is None else {"variable": variable, "probably_meant": meant}
        log.warning("a variable that begins with RUNFOLD_ is no setting, and is ignored", **told)
