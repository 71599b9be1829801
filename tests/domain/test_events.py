"""Every kind of event is in the registry, which the codec and the references are made from."""

import importlib
import pkgutil

import domain
from domain.events import EVENTS, RUN_EVENTS, Event, RunEvent


def test_every_event_is_registered_once() -> None:
    for module in pkgutil.walk_packages(domain.__path__, "domain."):
        importlib.import_module(module.name)
    assert {kind for kind in _kinds(Event) if kind is not RunEvent} | _kinds(RunEvent) == set(EVENTS)
    assert _kinds(RunEvent) == set(RUN_EVENTS)
    assert len(set(EVENTS)) == len(EVENTS)


def _kinds(base: type[Event]) -> set[type[Event]]:
    return {kind for kind in base.__subclasses__() if kind.__module__.startswith("domain.")}
