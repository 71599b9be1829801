"""How seldom the garbage collector looks at everything: all that an engine does stands still meanwhile."""

import gc

FULL_AFTER = 100
"""Collections of young objects before one of all, ten times as many as Python's default.

A poll that is held is a hundred objects, none of them garbage, so thousands of polls are walked for nothing; while
they come, every second. What is garbage is mostly gone at once, by counting references, and cycles that live longer
than that wait for no more than about 700,000 others.
"""


def collect_seldom() -> None:
    """Leave what is there now out of all collections, and look at the rest as a whole a tenth as often."""
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_AFTER)
