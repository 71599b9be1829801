"""A Node process with the official SDK, which runs scripts for tests."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGE = json.loads((HERE / "package.json").read_text())
VERSION = PACKAGE["dependencies"]["@trigger.dev/sdk"]
CACHE_VARIABLE = "RUNFOLD_TEST_NODE_CACHE"
ANSWER_SECONDS = 60.0
INSTALL_SECONDS = 240


class NotThere(Exception):
    """Node or the package cannot be had here; the message says why."""


class ScriptError(Exception):
    """What a script threw: `told` has its class, name, message and fields."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(f"{told['class']}: {told['message']}")
        self.told = told


class Node:
    """One process for all tests: scripts run side by side in it, each for the engine and with the key it is given."""

    def __init__(self, folder: Path, log: Path, *more: str) -> None:
        self._folder, self._environment = folder, _without_settings()
        with log.open("w") as stderr:
            self._process = subprocess.Popen(
                [shutil.which("node") or "node", str(folder / "driver.mjs"), *more],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._log = log
        self._ids = count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._guard = threading.Lock()
        self._reading = threading.Thread(target=self._read, name="node", daemon=True)
        self._reading.start()

    def start(self, script: str, url: str, key: str, args: Any = None) -> Future[Any]:
        """Begin a script; the future brings what it returns, or raises ScriptError."""
        future: Future[Any] = Future()
        with self._guard:
            number = next(self._ids)
            self._waiting[number] = future
            assert self._process.stdin is not None, "it is a pipe"
            line = {"id": number, "url": url, "key": key, "script": script, "args": args}
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        return future

    def run(self, script: str, url: str, key: str, args: Any = None) -> Any:
        """What a script returns. Raises ScriptError."""
        return self.start(script, url, key, args).result(ANSWER_SECONDS)

    def alone(self, script: str, **settings: str) -> Any:
        """What a module prints, as JSON, that runs in a process of its own with these settings."""
        command = [shutil.which("node") or "node", "--input-type=module", "--eval", script]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment | settings,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reading.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None, "both are pipes"
            pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it is a pipe"
        for line in self._process.stdout:
            answer = json.loads(line)
            future = self._waiting.pop(answer["id"])
            if "thrown" in answer:
                future.set_exception(ScriptError(answer["thrown"]))
            else:
                future.set_result(answer["value"])
        for future in self._waiting.values():
            future.set_exception(RuntimeError(f"Node ended: {self._log.read_text()[-2_000:]}"))


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TRIGGER", "VERCEL"))}


@contextmanager
def running_node(log: Path, *more: str) -> Generator[Node]:
    """Node with the SDK; `hooks` gives scripts those as well. Raises NotThere."""
    node = Node(_installed(), log, *more)
    try:
        yield node
    finally:
        node.close()


def _installed() -> Path:
    """A folder with the driver and the package, installed once and kept outside of the checkout. Raises NotThere."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NotThere(f"there is no {program} here")
    given = os.environ.get(CACHE_VARIABLE)
    cache = Path(given) if given else Path.home() / ".cache" / "runfold-tests"
    # What is pinned names the folder, so that another pin is installed anew.
    pinned = hashlib.sha256((HERE / "package.json").read_bytes()).hexdigest()[:8]
    folder = cache / f"trigger.dev-sdk-{VERSION}-{pinned}"
    if not (folder / "node_modules" / "@trigger.dev" / "sdk").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=cache, prefix="part-"))
        shutil.copy(HERE / "package.json", part)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            done = subprocess.run(
                command, cwd=part, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            shutil.rmtree(part)
            raise NotThere(f"npm did not install @trigger.dev/sdk {VERSION} within {INSTALL_SECONDS} s") from None
        if done.returncode:
            shutil.rmtree(part)
            raise NotThere(f"npm cannot install @trigger.dev/sdk {VERSION}: {done.stderr.strip()[-300:]}")
        try:
            part.rename(folder)
        except OSError:
            shutil.rmtree(part)  # another process was first
    # The driver stands beside the package, where Node looks for it.
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder / script.name)
    return folder
