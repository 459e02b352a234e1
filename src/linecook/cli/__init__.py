"""Floor 7: the command line. Imports only what users can import; each module says in a line what it does."""
