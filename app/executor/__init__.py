"""Who executes the tasks that the engine brings along: in the engine's process, or in one of its own."""
