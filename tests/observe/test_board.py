import io
import os
import textwrap
import threading
import time

import pytest

from linecook import Runtime, tool
from linecook.observe import Board, wants_board
from tests.terminal import Terminal

pytestmark = pytest.mark.slow  # a frame comes after 0.3 s at the earliest

RUN = """
    import logging, os, sys, threading, time
    from linecook import agent, as_completed, run, tool
    from linecook._runtime import current
    from linecook.observe import Board

    early = logging.StreamHandler()  # keeps the sys.stderr of this moment, as libraries do at import

    @tool
    def fetch(number):
        time.sleep(0.01)
        if number % 50 == 0:
            print(f"printed by a thread {number}", flush=True)
            os.system(f"echo printed by a child {number}")
            early.emit(logging.makeLogRecord({"msg": f"logged {number}"}))

    @agent
    async def reader(number):
        await fetch(number)

    async def main():
        board.attach(current())
        async with as_completed((reader(n) for n in range(int(sys.argv[1]))), limit=8) as outcomes:
            async for outcome in outcomes:
                board.update(type(outcome).__name__)

    for number in range(5):
        print("before", number)
    with Board(int(sys.argv[1]), sys.stderr, keep="keep" in sys.argv) as board:
        run(main())
    print("the summary")
"""


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with Terminal(80, 24) as made:
        yield made


@pytest.fixture
def start(terminal, environment, tmp_path):
    environment = {name: value for name, value in environment.items() if name not in ("TERM", "NO_COLOR", "CI")}

    def start(*words: object, **variables: str) -> None:
        variables = {"TERM": "xterm-256color", **variables}
        terminal.python(textwrap.dedent(RUN), environment | variables, tmp_path, *map(str, words))

    return start


def test_it_appears_goes_on_and_leaves_nothing_while_others_print(terminal, start):
    start(1600)
    first = terminal.wait_for(" of 1,600 ")
    begun = next(row for row in first if " of 1,600 " in row)
    terminal.wait_for(lambda rows: any(" of 1,600 " in row and row != begun for row in rows))
    rows = terminal.wait_for("fetch ")
    assert any(row.startswith("thread ") for row in rows)
    assert rows[-1] == "Ctrl-C: begin nothing new, finish what runs"
    assert terminal.wait_end() == 0
    seen = [row for row in [*terminal.history, *terminal.lines] if row]
    assert seen[-1] == "the summary"
    assert sorted(seen[:-1]) == sorted(
        [f"before {n}" for n in range(5)]
        + [f"printed by a {who} {n}" for who in ("thread", "child") for n in range(0, 1600, 50)]
        + [f"logged {n}" for n in range(0, 1600, 50)]
    )
    assert not terminal.screen.cursor.hidden


def test_the_last_frame_stays_when_asked(terminal, start):
    start(300, "keep")
    assert terminal.wait_end() == 0
    rows = terminal.wait_for("the summary")
    assert any("300 of 300" in row and "100 %" in row for row in rows)
    assert any("300 ok" in row for row in rows)


def test_ctrl_c_is_answered_by_what_the_next_one_does(terminal, start):
    start(100_000)
    terminal.wait_for("Ctrl-C: begin nothing new, finish what runs")
    terminal.type("\x03")
    assert terminal.wait_end() == 130
    assert not any("of 100,000" in row for row in terminal.look())


def test_three_presses_give_the_terminal_back(terminal, environment, tmp_path):
    stubborn = RUN.replace("time.sleep(0.01)", "time.sleep(30)").replace(
        "await fetch(number)",
        "while True:\n            try: await fetch(number)\n            except BaseException: pass",
    )
    variables = {"TERM": "xterm-256color", "CI": ""}
    terminal.python(textwrap.dedent(stubborn), environment | variables, tmp_path, "100")
    terminal.wait_for("Ctrl-C: begin nothing new, finish what runs")
    terminal.type("\x03")
    terminal.wait_for("finishing what runs, nothing new is begun. Ctrl-C again cancels it")
    terminal.type("\x03")
    terminal.wait_for("cancelling everything. Ctrl-C again ends at once")
    terminal.type("\x03")
    assert terminal.wait_end() == 130
    terminal.wait_for(lambda rows: not any(" of 100 " in row for row in rows))
    terminal.stream.write("\n" * 30 + "the prompt")
    assert terminal.look()[-1] == "the prompt"


def test_it_fits_a_window_that_is_resized(terminal, start):
    start(3000)
    terminal.wait_for("fetch ")
    terminal.resize(40, 12)
    rows = terminal.wait_for("finish what")
    terminal.wait_for(lambda rows: any(row.startswith("lane       running") for row in rows))
    terminal.resize(100, 30)
    rows = terminal.wait_for("so far")
    assert rows[-1] == "Ctrl-C: begin nothing new, finish what runs"
    terminal.resize(100, 3)  # too small to be drawn on; and back
    terminal.look(0.4)
    terminal.resize(80, 24)
    terminal.wait_for("so far")


def test_a_terminal_that_is_closed_ends_the_board_and_not_the_run(terminal, environment, tmp_path):
    program = RUN.replace(
        "import logging", "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); import logging"
    )
    program = program.replace('print(f"printed', 'False and print(f"printed').replace("early.emit", "str")
    program = program.replace('print("the summary")', 'open("summary", "w").write("all done")')
    terminal.python(textwrap.dedent(program), environment | {"TERM": "xterm", "CI": ""}, tmp_path, "300")
    terminal.wait_for(" of 300 ")
    terminal.vanish()
    assert terminal.wait_end() == 0
    assert (tmp_path / "summary").read_text() == "all done"


def test_it_steps_aside_and_comes_back(terminal):
    with Board(10, terminal.stream) as board:
        terminal.wait_for(" of 10 ")
        board.step_aside()
        board.step_aside()  # nothing is left to give back
        assert not any(" of 10 " in row for row in terminal.look(0.6))
        assert terminal.screen.margins is None
        board.come_back()
        terminal.wait_for(" of 10 ")
    board.step_aside()
    terminal.look()
    assert terminal.screen.margins is None


@pytest.mark.parametrize("no_color", ["", "1"])
def test_no_color_means_none_and_colours_are_there_otherwise(terminal, start, no_color):
    start(600, NO_COLOR=no_color)
    terminal.wait_for(" of 600 ")
    assert (b"\x1b[32m" in terminal.raw) is not bool(no_color)
    terminal.wait_end()


def test_a_stream_that_knows_no_dashes_gets_plain_characters(terminal):
    with open(os.dup(terminal.stream.fileno()), "w", encoding="ascii") as stream, Board(10, stream) as board:
        board.update("Ok")
        rows = terminal.wait_for("1 of 10")
    assert all(row.isascii() for row in rows)
    assert any("##" in row for row in rows)


async def test_lanes_of_a_runtime_are_shown(terminal):
    async with Runtime() as runtime:
        with Board(None, terminal.stream) as board:
            board.attach(runtime)
            await tool(lambda: None)()
            board.expect(3)
            board.update("Failed")
            rows = terminal.wait_for("1 failed")
            assert any("1 of 3" in row for row in rows)
            assert any(row.startswith("thread ") for row in rows)
    assert not any(terminal.look())


def test_what_takes_long_to_import_is_not_imported_for_it(terminal, environment, tmp_path):
    program = """
        import sys, time
        from linecook.observe import Board
        with Board(10, sys.stderr):
            time.sleep(0.8)
        print("rich" in sys.modules)
    """
    terminal.python(textwrap.dedent(program), environment | {"TERM": "xterm"}, tmp_path)
    terminal.wait_for("0 of 10")
    assert "False" in terminal.wait_for(lambda rows: any(rows) and "of" not in "".join(rows))


def test_a_run_that_is_over_at_once_shows_no_board(terminal):
    with Board(1, terminal.stream) as board:
        board.update("Ok")
    terminal.look()
    assert terminal.raw == b""


def test_closing_twice_and_closing_after_the_stream_are_no_trouble(terminal):
    stream = os.fdopen(os.dup(terminal.stream.fileno()), "w")
    board = Board(10, stream)
    terminal.wait_for("0 of 10")
    stream.close()
    other = os.open(os.devnull, os.O_WRONLY)  # may get the number that was the stream's
    board.close()
    board.close()
    os.close(other)
    assert not any(terminal.look())


def test_an_exception_gives_the_terminal_back(terminal):
    with pytest.raises(ZeroDivisionError):
        with Board(10, terminal.stream):
            terminal.wait_for("0 of 10")
            raise ZeroDivisionError
    assert not any(terminal.look())


def test_a_program_that_forgets_to_close_gives_the_terminal_back(terminal, environment, tmp_path):
    program = "import sys, time\nfrom linecook.observe import Board\nboard = Board(10, sys.stderr)\ntime.sleep(0.8)\n"
    terminal.python(program, environment | {"TERM": "xterm"}, tmp_path)
    terminal.wait_for("0 of 10")
    assert terminal.wait_end() == 0
    assert not any(terminal.look())


def test_a_forked_child_that_exits_leaves_the_board_to_its_parent(terminal, environment, tmp_path):
    program = """
        import os, sys, time, warnings
        from linecook.observe import Board
        warnings.simplefilter("ignore")  # of fork in a process with threads
        with Board(10, sys.stderr) as board:
            time.sleep(0.6)
            if os.fork() == 0:
                sys.exit(0)
            os.wait()
            board.update("Ok")
            time.sleep(0.6)
        print("the end")
    """
    terminal.python(textwrap.dedent(program), environment | {"TERM": "xterm"}, tmp_path)
    terminal.wait_for("0 of 10")
    terminal.wait_for("1 of 10")
    assert terminal.wait_end() == 0
    assert [row for row in terminal.look() if row] == ["the end"]


def test_a_terminal_that_takes_nothing_delays_the_end_by_seconds_and_no_more(terminal):
    fd = os.dup(terminal.stream.fileno())
    os.set_blocking(fd, False)
    board = Board(10, terminal.stream)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(fd, True)
    time.sleep(0.5)  # the first frame waits for somebody to read
    began = time.monotonic()
    board.close()
    assert time.monotonic() - began < 10
    terminal.look(0.1)
    os.close(fd)


def test_a_board_that_fails_says_so_in_the_log_and_gives_the_terminal_back(terminal, monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise ArithmeticError("a bug of ours")

    with Board(10, terminal.stream) as board:
        terminal.wait_for("0 of 10")
        monkeypatch.setattr("linecook.observe.board.lines", broken)
        terminal.wait_for(lambda rows: not any(rows))
        board.update("Ok")
    assert "the run goes on" in caplog.text


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True),
        ({"TERM": "xterm", "CI": "false"}, True),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "unknown"}, False),
        ({}, False),
    ],
)
def test_a_board_is_wanted_where_somebody_can_see_it(terminal, environ, wanted):
    assert wants_board(terminal.stream, environ) is wanted


def test_no_board_is_wanted_on_files_pipes_and_closed_streams(tmp_path, terminal):
    environ = {"TERM": "xterm"}
    with open(tmp_path / "log", "w") as file:
        assert not wants_board(file, environ)
    assert not wants_board(file, environ)
    assert not wants_board(io.StringIO(), environ)


def test_what_cannot_be_drawn_on_is_refused_with_the_cure(terminal, monkeypatch):
    with pytest.raises(ValueError, match="ask wants_board"):
        Board(1, io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(ValueError, match="ask wants_board"):
        Board(1, terminal.stream)
    with pytest.raises(ValueError, match="total=-1"):
        Board(-1, terminal.stream)
    assert not [thread for thread in threading.enumerate() if thread.name == "linecook-board"]
