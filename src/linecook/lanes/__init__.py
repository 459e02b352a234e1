"""Floor 1: where a body runs. ``base`` is what lanes share; a new lane is a file beside ``thread`` and ``process``."""
