"""Read models for the conformance suite."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.adapters.read_models import EMPTY, READ_MODELS, Opener, Tables


@pytest.fixture(params=READ_MODELS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Opener]:
    with READ_MODELS[request.param](tmp_path) as opener:
        yield opener


@pytest.fixture
def read_models(opener: Opener) -> Tables:
    return opener()


@pytest.fixture(scope="module", params=EMPTY)
def empty(request: pytest.FixtureRequest) -> Generator[Opener]:
    """For properties: each example calls it for read models that hold nothing."""
    with EMPTY[request.param]() as empty:
        yield empty
