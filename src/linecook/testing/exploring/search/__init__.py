"""Which schedules are tried, in which order, and the decisions they are made of."""
