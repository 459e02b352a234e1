"""What a schedule must not meet for real, put in place and put back: chance, clocks, sockets, processes."""
