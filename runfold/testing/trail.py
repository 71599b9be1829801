"""What there is to be told of an engine when a test has failed."""

from collections.abc import Iterator
from typing import Any

import httpx

from runfold.errors import ApiError
from runfold.testing.engine import Engine, Environment

SHOWN_MAX = 20


class Trail:
    """What the engine says, and which runs are made, from now on."""

    def __init__(self, engine: Engine, environment: Environment) -> None:
        self._engine = engine
        self._key = environment.settings.secret_key
        self._from = engine.log.stat().st_size

    def sections(self) -> Iterator[tuple[str, str]]:
        """The parts of it, with a heading each."""
        yield "Runs", self._all_runs()
        yield "Log of the engine", self._log()

    def _log(self) -> str:
        with self._engine.log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace").rstrip()

    def _all_runs(self) -> str:
        if self._engine.is_closed:
            # What ends behind the last test fails when nobody can be asked any more.
            return ""
        try:
            return "\n".join(self._runs())
        except (httpx.HTTPError, ApiError) as error:
            return f"The engine does not tell of the runs: {error}"

    def _runs(self) -> Iterator[str]:
        """The newest ones, a line each: which status they have, and why."""
        for run in self._ask(f"/api/v1/runs?page[size]={SHOWN_MAX}")["data"]:
            yield f"{run['id']}  {run['taskIdentifier']}  {run['status']}  {self._why(run)}".rstrip()

    def _why(self, run: dict[str, Any]) -> str:
        if not run["isCompleted"]:
            return str(self._ask(f"/api/v1/runs/{run['id']}/explain")["sentence"])
        if run["isSuccess"]:
            return ""
        error: dict[str, Any] = self._ask(f"/api/v3/runs/{run['id']}").get("error") or {}
        return f"{error.get('name', '')}: {error.get('message', '')}"

    def _ask(self, path: str) -> Any:
        return self._engine.ask("GET", path, self._key)
