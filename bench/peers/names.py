"""What the benchmark and the programs of the peers call things."""

NOTHING, NOTE, TWICE, STEPS = "nothing", "note", "twice", "steps"
WARM_UP_RUNS = 100
"""Done by every peer's worker before anything is measured."""
CONCURRENCY = 100
STEPS_PER_RUN = 5
PAGE = 50
