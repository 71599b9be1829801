"""What the benchmark and the programs of the peers call things."""

NOTHING, NOTE, TWICE = "nothing", "note", "twice"
WARM_UP_RUNS = 100
"""Done by every peer's worker before anything is measured."""
CONCURRENCY = 100
PAGE = 50
