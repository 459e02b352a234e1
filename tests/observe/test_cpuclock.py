import threading
import time

from linecook.observe.cpuclock import CPUClocks


def test_the_clock_of_a_thread_that_works_goes_on_and_that_of_one_that_waits_stands_still():
    clocks, stop = CPUClocks(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            sum(range(100))

    threads = [threading.Thread(target=work), threading.Thread(target=stop.wait)]
    for thread in threads:
        thread.start()
    idents = [thread.ident or 0 for thread in threads]
    before = [clocks.read(ident) or 0.0 for ident in idents]
    time.sleep(0.15)
    after = [clocks.read(ident) or 0.0 for ident in idents]
    stop.set()
    for thread in threads:
        thread.join()
    assert after[0] - before[0] > 0.01
    assert after[1] - before[1] < 0.01


def test_of_a_thread_that_has_ended_or_never_was_nothing_is_known():
    clocks = CPUClocks()
    thread = threading.Thread(target=time.sleep, args=(0.01,))
    thread.start()
    assert thread.ident is not None
    assert clocks.read(thread.ident) is not None
    thread.join()
    deadline = time.monotonic() + 5  # the kernel lets go of a thread a moment after Python does
    while clocks.read(thread.ident) is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert clocks.read(thread.ident) is None
    assert clocks.read(12345) is None


def test_of_threads_that_have_ended_nothing_is_kept():
    """Found by the soak: two numbers for each thread that was ever looked at, 4,096 threads long."""
    clocks, stop = CPUClocks(), threading.Event()
    for _ in range(20):
        thread = threading.Thread(target=stop.wait)
        thread.start()
        assert clocks.read(thread.ident or 0) is not None
        stop.set()
        thread.join()
        stop.clear()
    own = threading.get_ident()
    assert clocks.read(own) is not None
    assert clocks._numbers == {own: threading.get_native_id()}
