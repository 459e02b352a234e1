"""What a failing schedule is told with: its steps, accesses, waits, its token and its report."""
