"""Runfold as users have it: a command in an environment of its own, and processes that it starts."""

import json
import os
import signal
import subprocess
import sysconfig
import time
import venv
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
LAUNCHER = """\
#!{python}
from runfold.engine import main
main()
"""


@dataclass(frozen=True)
class Installation:
    """An environment whose packages are those of the one that runs the tests, with this checkout as a link."""

    bin: Path

    @classmethod
    def make(cls, home: Path) -> "Installation":
        venv.create(home, with_pip=False, symlinks=True)
        [site_packages] = home.glob("lib/python*/site-packages")
        borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (site_packages / "borrowed.pth").write_text("\n".join([str(ROOT), *sorted(borrowed)]))
        command = home / "bin" / "runfold"
        command.write_text(LAUNCHER.format(python=home / "bin" / "python"))
        command.chmod(0o755)
        return cls(home / "bin")

    def world(self, **variables: str) -> dict[str, str]:
        """Nothing of the shell that runs the tests but its PATH."""
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "TZ": "UTC", "NO_COLOR": "1", **variables}

    def run(
        self, *arguments: str, cwd: Path, code: int = 0, program: str = "runfold", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.bin / program, *arguments],
            cwd=cwd,
            env=self.world(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    @contextmanager
    def start(self, *arguments: str, cwd: Path, **variables: str) -> Generator["Process"]:
        """A process that goes on, and is gone in the end; what it says on standard error goes to a file."""
        said = cwd / f"{arguments[0]}.stderr"
        with (
            said.open("w") as stderr,
            subprocess.Popen(
                [self.bin / "runfold", *arguments],
                cwd=cwd,
                env=self.world(**variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            try:
                yield Process(process, said)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                    process.wait(PATIENCE_SECONDS)


@dataclass(frozen=True)
class Process:
    process: subprocess.Popen[str]
    stderr: Path

    def line(self) -> str:
        """The next one on standard output."""
        assert self.process.stdout
        return self.process.stdout.readline()

    def said(self, text: str) -> None:
        """Wait until it has said this on standard error."""
        wait_until(lambda: text in self.stderr.read_text(), lambda: f"{text!r} in {self.stderr.read_text()!r}")

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_SECONDS)


@dataclass(frozen=True)
class Project:
    """A folder with tasks, and `runfold dev` running on it."""

    folder: Path
    process: Process
    started: dict[str, str]


@contextmanager
def developing(installation: Installation, folder: Path, target: str, **variables: str) -> Generator[Project]:
    with installation.start("dev", target, "--port", "0", "--json", cwd=folder, **variables) as process:
        line = process.line()
        assert line, process.stderr.read_text()
        yield Project(folder, process, json.loads(line))


def wait_until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    """At the boundary between processes there is no event to await."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)
