"""Checks the payloads of runs that waited for their version, by the schemas that came with it."""

import asyncio
from itertools import islice

from app.engine.chores import keep_up
from app.engine.loop import EngineLoop
from app.engine.triggered import asked_of, value_of
from app.schemas import verdict_of
from domain.commands import JudgePayloads
from domain.environment import Environment
from domain.errors import LedgerCorrupt
from domain.events import Recorded, RunError
from domain.gates import Verdict
from domain.ports import Clock, Ledger

CHUNK = 200


class Checks:
    """A task of the service: what the engine cannot judge by itself is judged here, and told to it."""

    def __init__(self, loop: EngineLoop, ledger: Ledger, clock: Clock) -> None:
        self._loop = loop
        self._ledger = ledger
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        await keep_up(self._loop.unjudged, self._waiting, self._check, "payloads cannot be checked")

    def _waiting(self) -> dict[str, str]:
        return dict(islice(self._loop.engine.unjudged().items(), CHUNK))

    async def _check(self, waiting: dict[str, str]) -> None:
        for run in waiting:
            # A run that the engine itself triggers is told of before it is committed.
            await self._loop.settled(run)
        histories = await asyncio.to_thread(self._ledger.read_streams, waiting)
        verdicts: dict[str, dict[str, Verdict]] = {}
        for run, version in waiting.items():
            history = histories.get(run)
            if history is None:
                # Its batch never landed, and there is no such run.
                self._loop.engine.unjudged().pop(run, None)
                continue
            environment = self._loop.engine.memory.environment(history[0].environment)
            assert environment is not None, "a run has an environment"
            verdict = await asyncio.to_thread(self._judge, environment, history, version)
            verdicts.setdefault(environment.id, {})[run] = verdict
        for environment_id, found in verdicts.items():
            await self._loop.submit(
                JudgePayloads(
                    environment=environment_id,
                    actor="engine",
                    cause="payload check",
                    at=self._clock.now().wall,
                    verdicts=found,
                )
            )

    def _judge(self, environment: Environment, history: list[Recorded], version: str) -> Verdict:
        asked, seen = asked_of(history), history[-1].version
        try:
            payload = value_of(self._ledger, asked.payload, asked.payload_blob)
        except LedgerCorrupt as error:
            return Verdict(version, RunError(str(error), "InvalidPayload"), seen)
        verdict = verdict_of(environment, asked.task, version, bytes(payload), asked.payload_type)
        return Verdict(version, verdict.error if verdict else None, seen)
