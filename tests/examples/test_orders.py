"""The tutorial of the order: what it says is done, and everything is killed in the middle."""

import json
import re
import signal
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.cli.installation import ROOT, Installation, Process, wait_until
from tests.examples.test_written import blocks, shell

TUTORIAL = (ROOT / "docs" / "tutorial-order.md").read_text()
KEY = "tr_prod_0123456789abcdef0123456789abcdef"
REMIND_AFTER = '"60s"'
"""What a reader has for killing both; this test needs less."""
LEASE = {"RUNFOLD_LEASE_MS": "2000"}


class Shop:
    """The folder of the tutorial, its engine and its worker."""

    def __init__(self, installation: Installation, folder: Path, stack: ExitStack) -> None:
        self._installation = installation
        self._folder = folder
        self._stack = stack
        self.url = ""
        (folder / "orders.py").write_text(blocks(TUTORIAL, "python")[0])

    def open(self) -> tuple[Process, Process]:
        """Start both, at the address where they were before."""
        port = self.url.rpartition(":")[2] or "0"
        engine = self._started("serve", RUNFOLD_PORT=port, **LEASE)
        self.url = engine.line().split()[-1]
        return engine, self.open_worker()

    def open_worker(self) -> Process:
        worker = self._started("worker", "orders.py", "--freeze-after", "0.2", RUNFOLD_API_URL=self.url)
        assert "ready as version" in worker.line()
        return worker

    def diary(self) -> list[str]:
        """What the outside world sees."""
        file = self._folder / "diary.txt"
        return file.read_text().splitlines() if file.exists() else []

    def until_written(self, text: str) -> None:
        wait_until(lambda: any(text in line for line in self.diary()), lambda: f"{text!r} in {self.diary()}")

    def shown(self, run: str) -> dict[str, object]:
        told = self._installation.run(
            *("runs", "show", run, "--json"), cwd=self._folder, RUNFOLD_API_URL=self.url, RUNFOLD_SECRET_KEY=KEY
        )
        shown: dict[str, object] = json.loads(told.stdout)
        return shown

    def _started(self, *arguments: str, **variables: str) -> Process:
        return self._stack.enter_context(
            self._installation.start(*arguments, cwd=self._folder, RUNFOLD_SECRET_KEY=KEY, **variables)
        )


@contextmanager
def in_shop(installation: Installation, folder: Path) -> Generator[Shop]:
    with ExitStack() as stack:
        yield Shop(installation, folder, stack)


def test_the_order_is_done_though_everything_is_killed(installation: Installation, tmp_path: Path) -> None:
    order = next(line for line in blocks(TUTORIAL, "sh")[2].splitlines() if line.startswith("RUN="))
    assert REMIND_AFTER in order
    order = order.replace(REMIND_AFTER, '"3s"')
    with in_shop(installation, tmp_path) as shop:
        both = shop.open()
        run = shell(installation, tmp_path, shop.url, f"export RUNFOLD_SECRET_KEY={KEY}; {order}; echo $RUN").strip()
        shop.until_written("approve at")
        wait_until(lambda: shop.shown(run)["status"] == "FROZEN", lambda: str(shop.shown(run)))
        for process in both:
            process.end(signal.SIGKILL)
        _, worker = shop.open()
        shop.until_written("still not approved")
        address = re.sub(".*approve at ", "", next(line for line in shop.diary() if "approve at" in line))
        assert httpx.post(address, json={"by": "Grace"}, trust_env=False).json() == {"success": True}
        worker.end(signal.SIGKILL)
        shop.open_worker()
        wait_until(lambda: shop.shown(run)["status"] == "COMPLETED", lambda: str(shop.shown(run)))

    charged, asked, reminded, *parcels, thanked = dict.fromkeys(shop.diary())
    assert shop.diary().count(charged) == 1
    assert re.fullmatch("30 charged under [0-9a-f]{8}", charged)
    assert (asked.startswith("A1: approve at http"), reminded) == (True, "A1: still not approved")
    assert sorted(parcels) == ["a parcel to Ada", "a parcel to Bob", "a parcel to Cleo"]
    assert thanked == f"A1: {charged}, approved by Grace"


def test_the_tutorial_has_the_tasks_of_the_example() -> None:
    assert blocks(TUTORIAL, "python") == [(ROOT / "examples" / "orders.py").read_text()]
