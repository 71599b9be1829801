"""The page about the SDK is complete and true: it has every public name, and the tests that it names are there."""

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.official_sdk.engines import ROOT
from tests.official_sdk.node import HERE, Node

PAGE = (ROOT / "docs" / "how-to" / "use-the-trigger-dev-sdk.md").read_text(encoding="utf-8")
TESTS = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
WORKS = PAGE.partition("## What works")[2].partition("## What is not offered")[0]
ROWS = [line for line in WORKS.splitlines() if line.startswith("| `")]
HOOKS = PAGE.partition("### React hooks")[2].partition("## What is not offered")[0]
NAMES = {
    "@trigger.dev/sdk": set(re.findall(r"`([\w.*]+)`", PAGE.replace(HOOKS, ""))),
    "@trigger.dev/react-hooks": set(re.findall(r"`([\w.]+)`", HOOKS)),
}
INTERNAL = "__"


@pytest.mark.parametrize("row", ROWS)
def test_every_row_that_works_names_its_test(row: str) -> None:
    assert re.search(r"`test_\w+\.py::test_\w+`", row)


def test_every_test_that_is_named_is_there() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in TESTS
        if not re.search(rf"^(async )?def {name}\(", (HERE / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]

    assert missing == []
    assert len(TESTS) > len(ROWS) > 30


@pytest.mark.parametrize("package", NAMES)
def test_every_public_name_is_on_the_page(node: Node, package: str) -> None:
    found: Any = node.alone((HERE / "exports.mjs").read_text().replace("process.argv[2]", f"'{package}'"))
    public = [name for name in found if not name.startswith(INTERNAL)]

    unsaid = [name for name in public if not any(fnmatchcase(name, each) for each in NAMES[package])]

    assert unsaid == []
    assert len(public) > 10
