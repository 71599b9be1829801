"""The peers that Runfold is measured beside, each installed in a virtual environment of its own when first needed."""

import hashlib
import os
import shutil
import subprocess
import sys
from enum import Enum
from pathlib import Path

from msgspec import Struct

CACHE = Path(__file__).parents[1] / ".bench"
PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")
INSTALL_SECONDS = 300


class Missing(Exception):
    """A peer cannot be measured here; the message is the sentence that says why."""


class Store(Enum):
    """Where a peer keeps its runs."""

    POSTGRES = "PostgreSQL"
    REDIS = "Redis"
    RESTATE = "Restate"


class Peer(Struct, frozen=True):
    """What is installed, and how much it is given to do: about as long as the others need for theirs.

    `retried` is the number of runs that fail twice.
    """

    title: str
    requirements: tuple[str, ...]
    runs: int
    retried: int
    python_min: tuple[int, int] = (3, 11)
    store: Store = Store.POSTGRES
    npm: tuple[str, ...] = ()
    """What else is installed, from the registry of Node.js."""
    lists: bool = False
    steps: int = 0
    """Runs of journaled steps. 0: it has no such steps."""


# The one place with versions of peers.
PEERS = {
    "pgqueuer": Peer("pgqueuer 1.6.0", ("pgqueuer==1.6.0", "asyncpg==0.32.0"), 20_000, 1_000, lists=True),
    "oban": Peer("Oban 0.7.0", ("oban==0.7.0", "psycopg[binary,pool]==3.3.9"), 5_000, 500, python_min=(3, 12)),
    "procrastinate": Peer(
        "Procrastinate 3.10.0", ("procrastinate==3.10.0", "psycopg[binary,pool]==3.3.9"), 3_000, 300, lists=True
    ),
    "dbos": Peer("DBOS 3.4.0", ("dbos==3.4.0", "psycopg[binary]==3.3.9"), 3_000, 300, lists=True, steps=300),
    "absurd": Peer(
        "absurd 0.5.1", ("absurd-sdk==0.5.1", "absurdctl==0.5.1", "psycopg[binary]==3.3.9"), 3_000, 300, steps=600
    ),
    "celery": Peer(
        "Celery 5.7.0", ("celery[redis]==5.7.0", "redis==8.1.0", "packaging==26.3"), 3_000, 300, store=Store.REDIS
    ),
    "restate": Peer(
        "Restate 1.7.12",
        ("restate-sdk[serde]==1.3.0", "hypercorn==0.18.0", "aiohttp==3.14.5", "uvloop==0.23.0"),
        5_000,
        500,
        store=Store.RESTATE,
        npm=("@restatedev/restate-server@1.7.12",),
        steps=1_000,
    ),
}


def python_of(name: str) -> Path:
    """The interpreter that has this peer. Raises Missing when there can be none on this machine."""
    peer = PEERS[name]
    # What was installed for other pins, or by an installation that was broken off, is under another name.
    pins = hashlib.sha256(" ".join((*peer.requirements, *peer.npm)).encode()).hexdigest()[:8]
    folder = CACHE / f"{name}-{pins}"
    if folder.exists():
        return folder / "bin" / "python"
    part = CACHE / f"{name}-{pins}.part"
    try:
        # An environment may be moved as long as only its interpreter is called, none of its scripts.
        _run(peer, _python_for(peer), "-m", "venv", "--clear", part)
        _run(peer, part / "bin" / "python", "-m", "pip", "install", "--quiet", *peer.requirements)
        if peer.npm:
            _run(peer, _npm_for(peer), "install", "--no-audit", "--no-fund", "--prefix", part, *peer.npm)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    part.rename(folder)
    return folder / "bin" / "python"


def _python_for(peer: Peer) -> str:
    for name in (sys.executable, *PYTHONS):
        # A name may stand for a program that only says that there is no such version.
        code = f"import ensurepip, sys, venv; sys.exit(sys.version_info < {peer.python_min})"
        found = shutil.which(name)
        if found and subprocess.run((found, "-c", code), capture_output=True, check=False).returncode == 0:
            return found
    needed = ".".join(map(str, peer.python_min))
    raise Missing(f"{peer.title} was not measured: it needs Python {needed} or newer, and there is none here.")


def _npm_for(peer: Peer) -> str:
    found = shutil.which("npm")
    if found is None:
        raise Missing(f"{peer.title} was not measured: it comes by npm, and there is none here.")
    return found


def _run(peer: Peer, *command: str | Path) -> None:
    # The environment that the benchmark itself runs in is no business of the new one.
    world = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    try:
        subprocess.run(command, env=world, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        lines = str(error.stderr).strip().splitlines() or ["it did not say why"]
        raise Missing(f"{peer.title} was not measured: it cannot be installed ({lines[-1]}).") from error
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{peer.title} was not measured: {INSTALL_SECONDS} s did not suffice to install it.") from error
