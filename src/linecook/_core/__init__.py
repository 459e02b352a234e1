"""Floor 0: time, tasks, endings. Imports nothing of ours from above; users come in through ``linecook``."""
