"""Where peers keep their runs: in a database on the server, or in a server of their own."""

import socket
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

from bench import databases
from bench.environments import Peer, Store
from bench.figures import BenchError
from bench.processes import READY_SECONDS, started

RESTATE = "node_modules/@restatedev/restate-server-*/bin/restate-server"
LOOK_AGAIN_SECONDS = 0.01


def opened(peer: Peer, python: Path, folder: Path) -> AbstractContextManager[str]:
    """A new store for this peer, whose interpreter is named; where its program finds it."""
    match peer.store:
        case Store.POSTGRES:
            return databases.fresh()
        case Store.REDIS:
            return _redis(folder)
        case Store.RESTATE:
            (server,) = python.parents[1].glob(RESTATE)
            return _restate(server, folder)


@contextmanager
def _redis(folder: Path) -> Generator[str]:
    """A Redis with its own settings, which listens on a socket only; the path of that."""
    path = folder / "redis.sock"
    with started(folder, "redis", ("redis-server", "--port", "0", "--unixsocket", path, "--dir", folder)) as running:
        with socket.socket(socket.AF_UNIX) as line:
            while line.connect_ex(str(path)) != 0:
                if time.perf_counter() > running.started + READY_SECONDS:
                    raise BenchError(f"Redis does not listen after {READY_SECONDS} s.")
                time.sleep(LOOK_AGAIN_SECONDS)
        yield str(path)


@contextmanager
def _restate(server: Path, folder: Path) -> Generator[str]:
    """A Restate with its own settings; its two addresses, of the ingress and of the administration."""
    fabric, ingress, admin = _free_ports(3)
    world = {
        "RESTATE_BASE_DIR": str(folder / "restate"),
        "RESTATE_CLUSTER_NAME": folder.name,
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{fabric}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{fabric}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_DISABLE_TELEMETRY": "true",
    }
    with started(folder, "restate", (server, "--no-logo"), is_heard=False, **world) as running:
        ready = f"http://127.0.0.1:{ingress}/restate/health", f"http://127.0.0.1:{admin}/health"
        while not all(map(_answers, ready)):
            if time.perf_counter() > running.started + READY_SECONDS:
                raise BenchError(f"Restate does not answer after {READY_SECONDS} s.")
            time.sleep(LOOK_AGAIN_SECONDS)
        yield f"http://127.0.0.1:{ingress} http://127.0.0.1:{admin}"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()
