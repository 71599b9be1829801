"""Where the engine is and which key opens it: `configure()`, the environment, or what `runfold dev` left behind."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from runfold.addresses import parsed_addresses
from runfold.errors import ConfigurationError

DEFAULT_API_URL = "http://127.0.0.1:7650"
KEY_FILE = Path(".runfold") / "secret-key"


@dataclass(frozen=True)
class Settings:
    """`api_url` is one address, or those of several nodes of one engine, joined by commas."""

    api_url: str
    secret_key: str

    @property
    def addresses(self) -> list[str]:
        """Where the engine is, each of them as good as the others."""
        return self.api_url.split(",")


@dataclass
class _Configured:
    api_url: str | None = None
    secret_key: str | None = None


_configured = _Configured()


def configure(*, api_url: str | None = None, secret_key: str | None = None) -> None:
    """Set the engine's address or the key for this process; None leaves a value to the environment.

    An engine of several nodes may have several addresses, joined by commas.
    """
    _configured.api_url = api_url
    _configured.secret_key = secret_key


@contextmanager
def configured(settings: Settings) -> Generator[None]:
    """Go by these settings, and afterwards by those from before."""
    before = replace(_configured)
    configure(api_url=settings.api_url, secret_key=settings.secret_key)
    try:
        yield
    finally:
        configure(api_url=before.api_url, secret_key=before.secret_key)


def current_settings() -> Settings:
    """Read anew for each call, so that `configure()` and a changed environment take effect at once."""
    api_url = _configured.api_url or os.environ.get("RUNFOLD_API_URL") or DEFAULT_API_URL
    try:
        addresses = parsed_addresses(api_url)
    except ValueError as error:
        raise ConfigurationError(f"The engine cannot be found: {error}, not {api_url!r}.") from None
    secret_key = _configured.secret_key or os.environ.get("RUNFOLD_SECRET_KEY") or _key_left_by_dev()
    if not secret_key:
        raise ConfigurationError(
            "There is no secret key: set RUNFOLD_SECRET_KEY or call runfold.configure(secret_key=...). "
            "`runfold dev` writes one to .runfold/secret-key, which is found from its folder and the folders below."
        )
    return Settings(",".join(addresses), secret_key)


def key_file() -> Path | None:
    """Where `runfold dev` left a key, in the working directory or the nearest folder above it."""
    here = Path.cwd()
    return next((file for folder in (here, *here.parents) if (file := folder / KEY_FILE).is_file()), None)


def _key_left_by_dev() -> str | None:
    file = key_file()
    return file.read_text().strip() if file else None
