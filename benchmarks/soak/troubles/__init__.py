"""The kinds of trouble, a file for each part of the product; importing them lists them in ``kitchen.TROUBLES``."""

from . import cancels, lives, processes, servers, state, streams, teams, threads

__all__ = ["cancels", "lives", "processes", "servers", "state", "streams", "teams", "threads"]
