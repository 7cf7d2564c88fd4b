"""The rules of the trade: pure functions and plain data; no clock, no dice, no disk, no network."""
