"""From a file, a pipe or a directory to items, one per call; a small reader for each format."""
