"""New runs: from what is asked for, by a trigger or a replay, to what the engine is given."""
