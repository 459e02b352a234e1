"""Threads under control: they take turns, their locks wait in turn, and their clocks are virtual."""
