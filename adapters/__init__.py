"""Where the engine touches the world: databases, HTTP, clock, codec."""
