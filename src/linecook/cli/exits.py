"""Exit codes, and the errors that carry one."""

from __future__ import annotations

ALL_OK = 0
SOME_FAILED = 1
USAGE = 2
STOPPED = 3
NOT_WRITTEN = 74  # EX_IOERR of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
PIPE_CLOSED = 141  # 128 + SIGPIPE: what `cat` ends with under `| head`

EXIT_CODES = """\
exit codes:
  0    every item, or the one call, succeeded
  1    some items failed, timed out or were cancelled, now or (with the same --output) before; or the one call did
  2    nothing (more) could be run: wrong TARGET, wrong arguments, unreadable input file
  3    stopped early, by --fail-on or by a function that stops the event loop
  74   the output could not be written (disk full); what was written stands
  130  Ctrl-C
  141  the reader of standard output went away (`| head`)
"""


class BadUsage(Exception):
    """What the user typed can't be run; the message says why and what to type instead. Exit code 2.

    Attributes:
      details: lines to print below the message, such as the traceback of the user's own module; empty for none.
    """

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details
