"""How long things are kept: erasing, retention, and the sinks that take the feed elsewhere."""
