"""Settings come from the environment; a wrong one is named in a sentence."""

import base64
import re
from pathlib import Path

import pytest

from app import settings
from app.settings import SECRETS, Settings, WrongSetting
from app.unknown_settings import unknown_settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
KEY = "tr_dev_0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"RUNFOLD_{field.upper()}", raising=False)
    return monkeypatch


def test_nothing_has_to_be_set() -> None:
    found = settings.load()

    assert (found.database_path, found.views_path) == (Path(".runfold/ledger.db"), Path(".runfold/ledger.views.db"))
    assert (found.host, found.port, found.secret_key, found.lease_ms) == ("127.0.0.1", 7650, None, 30_000)
    assert (found.addresses, found.public_url) == (["http://127.0.0.1:7650"], None)


def test_an_engine_of_several_nodes_names_the_first_address_to_others(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNFOLD_API_URL", "https://a.example/, http://b:7650")

    found = settings.load()

    assert found.addresses == ["https://a.example", "http://b:7650"]
    assert found.public_url == "https://a.example"


@pytest.mark.parametrize(
    ("url", "ledger", "views"),
    [
        ("sqlite:///jobs.db", "jobs.db", "jobs.views.db"),
        ("sqlite:///data/my jobs.sqlite3", "data/my jobs.sqlite3", "data/my jobs.views.sqlite3"),
        ("sqlite:////var/lib/runfold/ledger.db", "/var/lib/runfold/ledger.db", "/var/lib/runfold/ledger.views.db"),
        ("sqlite:///ledger", "ledger", "ledger.views"),
    ],
)
def test_a_database_url_names_a_file_and_the_read_models_beside_it(
    environment: pytest.MonkeyPatch, url: str, ledger: str, views: str
) -> None:
    environment.setenv("RUNFOLD_DATABASE_URL", url)

    found = settings.load()

    assert (found.database_path, found.views_path) == (Path(ledger), Path(views))


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("RUNFOLD_DATABASE_URL", "postgresql://localhost/jobs?colour=red", "postgresql://user:password@host:port/name"),
        ("RUNFOLD_DATABASE_URL", "postgresql:localhost", "postgresql://user:password@host/name"),
        ("RUNFOLD_DATABASE_SCHEMA", "Jobs", "small letters"),
        ("RUNFOLD_NODE_URL", "node-1:7650", "http://"),
        ("RUNFOLD_WRITER_LEASE_MS", "499", "500"),
        ("RUNFOLD_DATABASE_URL", "mysql://localhost/jobs", "sqlite:///relative/file.db"),
        ("RUNFOLD_DATABASE_URL", "sqlite://", "sqlite:///relative/file.db"),
        ("RUNFOLD_DATABASE_URL", "sqlite:///", "sqlite:///relative/file.db"),
        ("RUNFOLD_DATABASE_URL", "sqlite:///:memory:", "sqlite:///relative/file.db"),
        ("RUNFOLD_DATABASE_URL", "sqlite:///jobs.db?mode=ro", "sqlite:///relative/file.db"),
        ("RUNFOLD_SECRET_KEY", "fifteen letters", "at least 16 characters"),
        ("RUNFOLD_SECRET_KEY", "key with some spaces", "visible ASCII"),
        ("RUNFOLD_ADMIN_KEY", "fifteen letters", "at least 16 characters"),
        ("RUNFOLD_ENCRYPTION_KEY", "00" * 31, "32 bytes, as hex or base64"),
        ("RUNFOLD_ENCRYPTION_KEY", f"{'00' * 32},hush", "32 bytes, as hex or base64"),
        ("RUNFOLD_ENCRYPTION_KEY", f"{'00' * 32},", "32 bytes, as hex or base64"),
        ("RUNFOLD_API_URL", "localhost:7650", "http://"),
        ("RUNFOLD_API_URL", "http://a:7650,b:7650", "http://"),
        ("RUNFOLD_PORT", "http", "integer"),
        ("RUNFOLD_PORT", "65536", "65535"),
        ("RUNFOLD_PORT", "-1", "0"),
        ("RUNFOLD_LEASE_MS", "499", "500"),
        ("RUNFOLD_VERIFY_PER_SECOND", "-1", "0"),
        ("RUNFOLD_TEST_CLOCK", "perhaps", "boolean"),
        ("RUNFOLD_HTTP_CONCURRENCY", "0", "1"),
        ("RUNFOLD_HTTP_ALLOWED_NETWORKS", "localhost", "write networks such as 10.0.0.0/8"),
        ("RUNFOLD_HTTP_PORTS", "http", "write ports such as 80,443,8000-8999"),
        ("RUNFOLD_HTTP_RATE_PER_HOST", "10", "such as 10/1s"),
        ("RUNFOLD_SMTP_URL", "mail.example.com", "write smtp://user:password@host:port"),
        ("RUNFOLD_SMTP_FROM", "nobody", "Runfold <alerts@example.com>"),
        ("RUNFOLD_LOG_LEVEL", "loud", "'warning'"),
        ("RUNFOLD_LOG_FORMAT", "xml", "'json'"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(
    environment: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    environment.setenv(variable, value)

    with pytest.raises(WrongSetting) as refusal:
        settings.load()

    sentence = str(refusal.value)
    assert sentence.startswith(f"The setting {variable} is ")
    assert reason in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [
        ("RUNFOLD_SECRET_KEY", "hush hush hush hush", "hush"),
        ("RUNFOLD_ADMIN_KEY", "hush hush hush hush", "hush"),
        ("RUNFOLD_ENCRYPTION_KEY", "hush hush hush hush", "hush"),
        ("RUNFOLD_SMTP_URL", "smtp://me:hush@mail:port", "hush"),
        ("RUNFOLD_API_URL", "http://a,me:hush@b", "hush"),
        ("RUNFOLD_DATABASE_URL", "postgresql://me:hush@db/x?colour=red", "hush"),
        ("RUNFOLD_DATABASE_URL", "postgresql://db/x?password=hush&colour=red", "hush"),
    ],
)
def test_no_secret_gets_into_the_sentence(
    environment: pytest.MonkeyPatch, variable: str, value: str, secret: str
) -> None:
    environment.setenv(variable, value)

    with pytest.raises(WrongSetting) as refusal:
        settings.load()

    assert secret not in str(refusal.value)


@pytest.mark.parametrize("url", ["postgresql://me:hush@db:5433/jobs", "postgresql://me@db:5433/jobs?password=hush"])
def test_a_postgresql_database_is_shown_without_its_password(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("RUNFOLD_DATABASE_URL", url)

    found = settings.load()

    assert found.database == "postgresql://me@db:5433/jobs"
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("RUNFOLD_SECRET_KEY", KEY), ("RUNFOLD_ADMIN_KEY", KEY), ("RUNFOLD_ENCRYPTION_KEY", "0123456789abcdef" * 4)],
)
def test_no_key_is_shown_with_the_other_settings(environment: pytest.MonkeyPatch, variable: str, value: str) -> None:
    environment.setenv(variable, value)

    assert value not in repr(settings.load())


def test_encryption_keys_are_joined_by_commas(environment: pytest.MonkeyPatch) -> None:
    assert settings.load().encryption_keys == []
    environment.setenv("RUNFOLD_ENCRYPTION_KEY", f"{'01' * 32}, {base64.b64encode(bytes([2] * 32)).decode()}")

    assert [key.text for key in settings.load().encryption_keys] == ["01" * 32, "02" * 32]


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///data/jobs.db", "data/jobs.db.key"), ("sqlite:////ledger", "/ledger.key")]
)
def test_the_key_file_is_beside_the_database(environment: pytest.MonkeyPatch, url: str, path: str) -> None:
    environment.setenv("RUNFOLD_DATABASE_URL", url)

    assert settings.load().key_path == Path(path)


def test_a_variable_that_is_set_to_nothing_counts_as_not_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNFOLD_PORT", "")
    environment.setenv("RUNFOLD_SECRET_KEY", "")

    assert settings.load() == Settings()


def test_what_stands_on_the_command_line_goes_before_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNFOLD_PORT", "8000")

    assert (settings.load(port=0).port, settings.load(port=None).port) == (0, 8000)


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000"), ("db.local", "http://db.local:8000")],  # noqa: S104
)
def test_clients_find_an_engine_that_listens_anywhere(environment: pytest.MonkeyPatch, host: str, address: str) -> None:
    environment.setenv("RUNFOLD_HOST", host)
    environment.setenv("RUNFOLD_PORT", "8000")

    assert settings.load().address == address


def test_an_address_that_is_set_is_taken_as_it_is(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNFOLD_API_URL", "https://runfold.example")

    assert settings.load().address == "https://runfold.example"


def test_the_reference_has_every_setting_with_its_default_and_no_other() -> None:
    told = dict(re.findall(r"^\| `(RUNFOLD_\w+)` \| (.+?) \|", REFERENCE.read_text(), re.MULTILINE))
    by_host = "`http://` + host + port"
    without_value = dict.fromkeys(SECRETS, "none") | {
        "api_url": by_host,
        "node_url": by_host,
        "log_format": "by itself",
        "test_clock": "`false`",
        "http_executor": "`true`",
        "repair_read_models": "`true`",
        "http_allowed_networks": "none",
        "http_rate_per_host": "none",
        "segments_folder": "by itself",
        "sinks_folder": "none",
    }

    assert told == {
        f"RUNFOLD_{name.upper()}": without_value.get(name, f"`{field.default}`")
        for name, field in Settings.model_fields.items()
    }


def test_a_variable_that_is_no_setting_is_told_with_the_one_that_was_probably_meant() -> None:
    variables = [
        "RUNFOLD_SECERT_KEY",
        "RUNFOLD_LEASEMS",
        "runfold_prot",
        "RUNFOLD_PORT",
        "runfold_host",
        "RUNFOLD_X",
        "PATH",
    ]

    assert list(unknown_settings(variables)) == [
        ("RUNFOLD_LEASEMS", "RUNFOLD_LEASE_MS"),
        ("RUNFOLD_SECERT_KEY", "RUNFOLD_SECRET_KEY"),
        ("RUNFOLD_X", None),
        ("runfold_prot", "RUNFOLD_PORT"),
    ]
