"""What the environment says: every setting is a variable that begins with RUNFOLD_."""

import re
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.http.addresses import AddressPolicy, parsed_networks, parsed_ports
from adapters.secrets import MasterKey
from adapters.smtp import MailServer, SmtpMailer
from app.hosts import parsed_rate
from domain.errors import InvalidInput
from domain.events import RateLimit
from domain.mail import is_mail_address
from runfold.addresses import parsed_addresses

PREFIX = "RUNFOLD_"
SECRET_KEY_LENGTH_MIN = 16
SECRETS = frozenset({"secret_key", "admin_key", "encryption_key", "smtp_url"})
"""The settings whose values are told to nobody."""
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_NAME = re.compile("[a-z_][a-z0-9_]{0,39}")
_VISIBLE = re.compile("[!-~]*")  # what a header can carry
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (recognised here, bound nowhere)


class WrongSetting(Exception):
    """A setting cannot be used; the message is one sentence that names it."""


class Settings(BaseSettings):
    """A variable that is set to nothing counts as not set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: str = Field(default="sqlite:///.runfold/ledger.db", repr=False)
    database_schema: str = "runfold"
    secret_key: str | None = Field(default=None, repr=False)
    admin_key: str | None = Field(default=None, repr=False)
    encryption_key: str | None = Field(default=None, repr=False)
    api_url: str | None = None
    node_url: str | None = None
    writer_lease_ms: int = Field(default=2_000, ge=500, le=60_000)
    host: str = "127.0.0.1"
    port: int = Field(default=7650, ge=0, le=65_535)
    lease_ms: int = Field(default=30_000, ge=500)
    test_clock: bool = False
    follower: Literal["thread", "process"] = "thread"
    verify_per_second: int = Field(default=2_000, ge=0, le=1_000_000)
    segments_folder: Path | None = None
    sinks_folder: Path | None = None
    compare_per_second: int = Field(default=500, ge=0, le=1_000_000)
    repair_read_models: bool = True
    http_executor: bool = True
    http_concurrency: int = Field(default=20, ge=1, le=1_000)
    http_concurrency_per_host: int = Field(default=10, ge=1, le=1_000)
    http_rate_per_host: str = ""
    http_allowed_networks: str = ""
    http_ports: str = "80,443"
    smtp_url: str | None = Field(default=None, repr=False)
    smtp_from: str = "Runfold <runfold@localhost>"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] | None = None

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, url: str) -> str:
        if url.startswith(_POSTGRES):
            _parts_of(url)
            return url
        if not url.startswith(_SQLITE) or url.endswith("/") or ":memory:" in url or "?" in url:
            raise ValueError(
                "write sqlite:///relative/file.db, sqlite:////absolute/file.db or postgresql://user:password@host/name"
            )
        return url

    @field_validator("secret_key", "admin_key")
    @classmethod
    def _is_a_key(cls, key: str | None) -> str | None:
        if key is not None and (len(key) < SECRET_KEY_LENGTH_MIN or not _VISIBLE.fullmatch(key)):
            raise ValueError(f"a key has at least {SECRET_KEY_LENGTH_MIN} characters, all visible ASCII")
        return key

    @field_validator("encryption_key")
    @classmethod
    def _is_made_of_keys(cls, keys: str | None) -> str | None:
        try:
            parsed_keys(keys)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return keys

    @field_validator("database_schema")
    @classmethod
    def _is_a_name(cls, schema: str) -> str:
        if not _NAME.fullmatch(schema):
            raise ValueError("a schema has 1 to 40 characters: small letters, digits and underscores, no digit first")
        return schema

    @field_validator("api_url")
    @classmethod
    def _are_addresses(cls, urls: str | None) -> str | None:
        return urls and ",".join(parsed_addresses(urls))

    @field_validator("node_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("an address starts with http:// or https://")
        return url

    @field_validator("http_allowed_networks")
    @classmethod
    def _are_networks(cls, networks: str) -> str:
        try:
            parsed_networks(networks)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return networks

    @field_validator("http_rate_per_host")
    @classmethod
    def _is_a_rate(cls, rate: str) -> str:
        try:
            parsed_rate(rate)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return rate

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, url: str | None) -> str | None:
        if url is not None:
            try:
                MailServer.parse(url)
            except InvalidInput as error:
                raise ValueError(str(error)) from None
        return url

    @field_validator("smtp_from")
    @classmethod
    def _is_a_sender(cls, sender: str) -> str:
        if not is_mail_address(parseaddr(sender)[1]) or not sender.isprintable():
            raise ValueError("write an address, or a name and one: Runfold <alerts@example.com>")
        return sender

    @field_validator("http_ports")
    @classmethod
    def _are_ports(cls, ports: str) -> str:
        try:
            parsed_ports(ports)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return ports

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _in_any_case(cls, word: Any) -> Any:
        return word.lower() if isinstance(word, str) else word

    @property
    def is_postgres(self) -> bool:
        """Whether the database is PostgreSQL; if not, it is a SQLite file."""
        return self.database_url.startswith(_POSTGRES)

    @property
    def database(self) -> str:
        """The database as it may be shown: the file, or the URL without its password."""
        if not self.is_postgres:
            return str(self.database_path)
        parts = _parts_of(self.database_url)
        user, host, port, name = (parts.get(each, "") for each in ("user", "host", "port", "dbname"))
        return f"postgresql://{user and f'{user}@'}{host}{port and f':{port}'}/{name}"

    @property
    def database_path(self) -> Path:
        """The file of the ledger; a relative one is looked up from the working directory."""
        return Path(self.database_url.removeprefix(_SQLITE))

    @property
    def views_path(self) -> Path:
        """The file of the read models, beside the ledger: `ledger.views.db` for `ledger.db`."""
        ledger = self.database_path
        return ledger.with_name(f"{ledger.stem}.views{ledger.suffix}")

    @property
    def segments_path(self) -> Path | None:
        """Where runs go that leave the database: as set, else beside a file; None for PostgreSQL if it is not set."""
        if self.segments_folder is not None or self.is_postgres:
            return self.segments_folder
        return self.database_path.parent / "segments"

    @property
    def key_path(self) -> Path:
        """The file of the encryption key for those who set none: `ledger.db.key` for `ledger.db`."""
        ledger = self.database_path
        return ledger.with_name(f"{ledger.name}.key")

    @property
    def encryption_keys(self) -> list[MasterKey]:
        """The keys to encrypt with: the first one seals, each opens."""
        return parsed_keys(self.encryption_key)

    @property
    def address_policy(self) -> AddressPolicy:
        """What HTTP jobs may call."""
        return AddressPolicy(parsed_networks(self.http_allowed_networks), parsed_ports(self.http_ports))

    @property
    def rate_per_host(self) -> RateLimit | None:
        """How many calls of HTTP jobs to one host are started in some time; None: as many as there are."""
        return parsed_rate(self.http_rate_per_host)

    @property
    def mailer(self) -> SmtpMailer | None:
        """What sends e-mails; None if no mail server is set."""
        return SmtpMailer(MailServer.parse(self.smtp_url), self.smtp_from) if self.smtp_url else None

    @property
    def address(self) -> str:
        """Where the commands look for an engine: one address, or those of its nodes, joined by commas."""
        return self.api_url or address_of(self.host, self.port)

    @property
    def addresses(self) -> list[str]:
        """The same, one by one."""
        return self.address.split(",")

    @property
    def public_url(self) -> str | None:
        """The address that the engine names to others; None: the one that it was asked at."""
        return self.addresses[0] if self.api_url else None


def parsed_keys(text: str | None) -> list[MasterKey]:
    """Encryption keys, joined by commas. Raises InvalidInput, which tells none of them."""
    return [MasterKey.parse(each.strip()) for each in text.split(",")] if text else []


def address_of(host: str, port: int) -> str:
    """Where an engine that listens there is found from this machine."""
    host = _EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _parts_of(url: str) -> dict[str, Any]:
    """The parameters in the URL of a PostgreSQL database. Raises ValueError for one that is wrong."""
    from psycopg import ProgrammingError, conninfo  # noqa: PLC0415 (much to load where the database is a file)

    try:
        return conninfo.conninfo_to_dict(url)
    except ProgrammingError:
        # What libpq says of it may quote a password.
        raise ValueError("write postgresql://user:password@host:port/name?parameter=value") from None


def load(**given: Any) -> Settings:
    """The settings of the environment; what is `given` by field name wins, None leaves it to the environment.

    Raises WrongSetting.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise WrongSetting(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """The first mistake is enough: it has to be mended anyway."""
    mistake = error.errors()[0]
    field = str(mistake["loc"][0])
    # Keys stay out of logs, and so do addresses that carry a password.
    is_secret = field in SECRETS or "@" in str(mistake["input"]) or "password" in str(mistake["input"])
    value = "set, but wrong" if is_secret else repr(mistake["input"])
    reason = str(mistake.get("ctx", {}).get("error") or mistake["msg"].replace("Input", "it"))
    return f"The setting {PREFIX}{field.upper()} is {value}: {reason}."
