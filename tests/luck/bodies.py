"""Bodies with bad luck, importable by worker processes."""

import os
import resource as system
import signal
import time

from linecook import tool


@tool(lane="process")
def double(number: int) -> int:
    return number * 2


@tool(lane="process", attempt_timeout=0.3)
def spin(number: int) -> int:
    while True:
        number += 1


@tool(lane="process", attempt_timeout=30)
def brief(number: int) -> int:
    until = time.perf_counter() + 0.002
    while time.perf_counter() < until:
        pass
    return -number


@tool(lane="process")
def hungry(megabytes: int, allowed: int) -> int:
    """Take more memory than the system allows this process."""
    soft, hard = system.getrlimit(system.RLIMIT_AS)
    with open("/proc/self/statm") as statm:
        held = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    system.setrlimit(system.RLIMIT_AS, (held + allowed * 2**20, hard))
    try:
        return len(bytearray(megabytes * 2**20))
    finally:
        system.setrlimit(system.RLIMIT_AS, (soft, hard))


@tool(lane="process")
def killed_by_the_system() -> None:
    """End as the kernel's memory killer ends a process: no warning, no clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


@tool(lane="process")
def large(megabytes: int) -> bytes:
    return b"x" * (megabytes * 2**20)


@tool(lane="process")
def answers_beyond_its_memory(megabytes: int) -> list[str]:
    """Return what there is no memory to send."""
    answer = [chr(97 + number % 26) * 2**20 for number in range(megabytes)]
    with open("/proc/self/statm") as statm:
        held = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    system.setrlimit(system.RLIMIT_AS, (held + 2**22, system.getrlimit(system.RLIMIT_AS)[1]))
    return answer


@tool(lane="process")
def forks() -> tuple[int, int]:
    """Fork inside a worker; the child ends by itself, at once, and says so by its exit code."""
    child = os.fork()
    if child == 0:
        os._exit(7)
    return os.getpid(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
