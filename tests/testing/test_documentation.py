"""The pages about tests are true: their examples pass, and every name is in the reference."""

import re

import pytest

import runfold.testing
from tests.testing.test_plugin import PLUGIN, ROOT

pytest_plugins = ["pytester"]

PAGE = ROOT / "docs" / "how-to" / "test-your-tasks.md"
PLUGIN_FILE = ROOT / "runfold" / "testing" / "plugin.py"
REFERENCE = ROOT / "docs" / "reference" / "testing.md"

SHOP = {
    "mail": """
        def send(text): raise ConnectionError("There is no mail server here.")
    """,
    "letters": """
        from runfold import task
        from shop import mail

        @task
        def send_letter(name: str) -> None:
            mail.send(f"Dear {name}")
    """,
    "orders": """
        from runfold import aio, task

        @task
        async def order(what: str) -> str:
            await aio.wait.for_("30d")
            return what
    """,
}
"""What the examples speak of."""
IMPORTS = """
from runfold.testing import finished, follow_journal
from shop import orders
from shop.letters import send_letter
from shop.orders import order
"""


def test_every_example_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, *others = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    [configuration] = [each for each in others if "import pytest" in each]
    tests = [each for each in others if each != configuration]
    package = pytester.mkpydir("shop")
    for name, code in SHOP.items():
        pytester.makepyfile(**{f"shop/{name}": code})
    assert (package / "orders.py").is_file()
    pytester.makeconftest(configuration)
    pytester.makepyfile(test_others=IMPORTS + "\n".join(tests))
    whole_page = pytester.mkdir("whole")
    (whole_page / "test_whole.py").write_text(
        whole + "\n\nimport pytest\n\n@pytest.fixture\ndef runfold_tasks():\n    return [welcome]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    result = pytester.runpytest_subprocess(*PLUGIN)

    result.assert_outcomes(passed=PAGE.read_text().count("\ndef test_"))


def test_the_reference_has_every_name_and_every_fixture_and_no_other() -> None:
    page = REFERENCE.read_text()
    told = re.findall(r"^\| `(runfold_\w+)` \|", page, flags=re.MULTILINE)

    assert sorted(told) == sorted(re.findall(r"^def (runfold_\w+)\(", PLUGIN_FILE.read_text(), flags=re.MULTILINE))
    assert [name for name in runfold.testing.__all__ if not re.search(rf"`{name}\b", page)] == []
