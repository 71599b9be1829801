"""The official SDK of Trigger.dev, unmodified, against a real engine with a Python worker, on both databases."""

from collections.abc import Generator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.official_sdk.engines import RunningEngine, running_engine
from tests.official_sdk.node import ANSWER_SECONDS, Node, NotThere, ScriptError, running_node


@dataclass(frozen=True)
class Sdk:
    """The SDK as somebody uses it who has a key: scripts have `sdk`, their arguments as `args`, and `shared`."""

    node: Node
    engine: RunningEngine
    key: str

    def run(self, script: str, **args: Any) -> Any:
        """What a script returns. Raises ScriptError."""
        return self.start(script, **args).result(ANSWER_SECONDS)

    def start(self, script: str, **args: Any) -> Future[Any]:
        """Begin a script."""
        return self.node.start(script, self.engine.url, self.key, args)

    def refused(self, script: str, **args: Any) -> dict[str, Any]:
        """What a script throws."""
        with pytest.raises(ScriptError) as raised:
            self.run(script, **args)
        return raised.value.told

    def holding(self, key: str) -> "Sdk":
        """The same with another key or token."""
        return Sdk(self.node, self.engine, key)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[Node]:
    """One process for all tests, which are skipped where there is no Node or no package."""
    yield from _node(tmp_path_factory)


@pytest.fixture(scope="session")
def node_of_a_page(tmp_path_factory: pytest.TempPathFactory) -> Generator[Node]:
    """One that takes itself for a browser's page, which changes how the SDK goes about things."""
    yield from _node(tmp_path_factory, "hooks")


def _node(tmp_path_factory: pytest.TempPathFactory, *more: str) -> Generator[Node]:
    with ExitStack() as stack:
        try:
            node = stack.enter_context(running_node(tmp_path_factory.mktemp("node") / "node.log", *more))
        except NotThere as reason:
            pytest.skip(f"These tests drive Trigger.dev's official SDK, and {reason}.")
        yield node


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def official_engine(request: pytest.FixtureRequest, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One engine for all tests of a database."""
    with running_engine(request.param, tmp_path_factory.mktemp(f"engine-{request.param}")) as engine:
        yield engine


@pytest.fixture
def sdk(node: Node, official_engine: RunningEngine) -> Sdk:
    """The SDK with the environment's secret key."""
    return Sdk(node, official_engine, official_engine.key)


@pytest.fixture
def page(node_of_a_page: Node, official_engine: RunningEngine) -> Sdk:
    """The React hooks, and the SDK beside them."""
    return Sdk(node_of_a_page, official_engine, official_engine.key)
