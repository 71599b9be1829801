"""Tests of tasks: an engine of their own, workers in the process of the tests, and a clock that can be put forward.

pytest finds the fixtures by itself; they are in `runfold.testing.plugin`, the only module here that needs pytest.
"""

from runfold.testing.clock import Clock
from runfold.testing.ends import finished
from runfold.testing.engine import Engine, EngineError, Environment
from runfold.testing.following import Followed, follow_journal
from runfold.testing.serving import Serve
from runfold.testing.worker import Worker

__all__ = ["Clock", "Engine", "EngineError", "Environment", "Followed", "Serve", "Worker", "finished", "follow_journal"]
