"""The rules: states, events, decisions and the engine core. Pure: no I/O, no clock, no chance."""
