import pytest

from tests.cli.installation import Installation


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Each test has its own, because some of them break it."""
    return Installation.make(tmp_path_factory.mktemp("installation"))
