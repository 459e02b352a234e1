"""Who is alive and what each waits for: found by looking, told through a door that only the same user opens."""
