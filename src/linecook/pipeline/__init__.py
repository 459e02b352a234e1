"""Streams under pressure: stages of any lane, bounded by items and bytes, from a source to whoever reads."""
