"""The command line, called in this process: that is faster, and its engine is a real one all the same."""

import json
import sys
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from typing import Any

import pytest

from app.cli.program import main


@dataclass
class Answer:
    """What a command said."""

    stdout: str
    stderr: str


@dataclass
class CommandLine:
    """`runfold` with these arguments."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    stdin: bytes = b""

    def ask(self, *arguments: str, code: int = 0) -> Answer:
        self.monkeypatch.setattr(sys, "argv", ["runfold", *arguments])
        self.monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(self.stdin)))
        with pytest.raises(SystemExit) as end:
            main()
        captured = self.capsys.readouterr()
        answer = Answer(captured.out, captured.err)
        assert (end.value.code or 0) == code, answer
        return answer

    def run(self, *arguments: str, code: int = 0) -> str:
        return self.ask(*arguments, code=code).stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))
