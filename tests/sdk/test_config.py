"""Where the address and the key come from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runfold import ConfigurationError, configure
from runfold.config import Settings, current_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    configure()


def test_the_environment_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNFOLD_API_URL", "https://runs.test/")
    monkeypatch.setenv("RUNFOLD_SECRET_KEY", "from-environment")

    assert current_settings() == Settings("https://runs.test", "from-environment")


def test_configure_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNFOLD_SECRET_KEY", "from-environment")

    configure(secret_key="configured")

    assert current_settings() == Settings("http://127.0.0.1:7650", "configured")


def test_the_key_that_dev_left_is_found_from_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".runfold").mkdir()
    (folder / ".runfold" / "secret-key").write_text("from-dev\n")
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a" / "b")

    assert current_settings().secret_key == "from-dev"


def test_without_a_key_it_says_how_to_give_one() -> None:
    with pytest.raises(ConfigurationError, match=r"set RUNFOLD_SECRET_KEY or call runfold\.configure\(secret_key="):
        current_settings()


def test_an_address_without_a_scheme_is_refused() -> None:
    configure(api_url="localhost:7650", secret_key="k")

    with pytest.raises(ConfigurationError, match="must start with http:// or https://, not 'localhost:7650'"):
        current_settings()


def test_an_engine_of_several_nodes_has_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNFOLD_API_URL", "http://a.test:7650/, https://b.test,http://c.test")
    monkeypatch.setenv("RUNFOLD_SECRET_KEY", "from-environment")

    assert current_settings().addresses == ["http://a.test:7650", "https://b.test", "http://c.test"]


@pytest.mark.parametrize("addresses", ["http://a.test,b.test", "http://a.test,", ",http://a.test"])
def test_each_of_several_addresses_has_a_scheme(addresses: str) -> None:
    configure(api_url=addresses, secret_key="k")

    with pytest.raises(ConfigurationError, match="must start with http:// or https://"):
        current_settings()
