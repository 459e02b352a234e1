"""The explored event loop: its tasks, what comes from outside and when, executors and lanes."""
