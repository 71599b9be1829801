"""Wait inside a task, for as long as it takes: the run holds no slot meanwhile, and after a while no process either."""

from runfold.waits import all, any, for_, for_batch, for_run, for_token, until  # noqa: A004 (the field's words)

__all__ = ["all", "any", "for_", "for_batch", "for_run", "for_token", "until"]
