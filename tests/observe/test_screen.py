import os
import subprocess
import textwrap

import pytest

from linecook.observe.screen import Screen
from tests.terminal import Terminal


@pytest.fixture
def terminal():
    with Terminal(40, 12) as made:
        yield made


@pytest.fixture
def screen(terminal):
    made = Screen(terminal.stream.fileno())
    yield made
    try:
        made.release()
    except OSError:  # the test has released it
        pass


def draw(screen: Screen, *lines: str) -> None:
    screen.draw(lines, screen.size())


def test_the_last_rows_are_the_boards_and_the_rest_scrolls_above_them(terminal, screen):
    for number in range(5):
        terminal.stream.write(f"before {number}\n")
    draw(screen, "board 1", "board 2")
    for number in range(30):
        terminal.stream.write(f"line {number}\n")
        if number % 7 == 0:
            draw(screen, "board 1", f"board after {number}")
    rows = terminal.look()
    assert rows[-2:] == ["board 1", "board after 28"]
    assert rows[:-2] == [*[f"line {number}" for number in range(21, 30)], ""]
    assert [*terminal.history, *rows][:7] == [*[f"before {n}" for n in range(5)], "line 0", "line 1"]


def test_nothing_but_what_others_wrote_is_left(terminal, screen):
    terminal.stream.write("before\n")
    draw(screen, "board 1", "board 2", "board 3")
    terminal.stream.write("between\n")
    screen.release()
    terminal.stream.write("after\n")
    assert [row for row in terminal.look() if row] == ["before", "between", "after"]
    for number in range(20):  # the whole terminal scrolls again
        terminal.stream.write(f"{number}\n")
    assert terminal.look()[-2:] == ["19", ""]


def test_the_last_frame_stays_if_asked(terminal, screen):
    terminal.stream.write("before\n")
    draw(screen, "board")
    screen.release(["result 1", "result 2"])
    terminal.stream.write("after\n")
    assert [row for row in terminal.look() if row] == ["before", "result 1", "result 2", "after"]


def test_rows_that_are_lent_are_taken_again_with_the_next_frame(terminal, screen):
    terminal.stream.write("before\n")
    draw(screen, "board 1", "board 2")
    screen.lend()
    terminal.stream.write("meanwhile\n")
    assert [row for row in terminal.look() if row] == ["before", "meanwhile"]
    assert terminal.screen.margins is None
    draw(screen, "board 1", "board 2")
    assert [row for row in terminal.look() if row] == ["before", "meanwhile", "board 1", "board 2"]


def test_keys_that_end_others_do_not_reach_the_guard(terminal, screen):
    draw(screen, "board")
    assert os.getsid(screen._guard.pid) != os.getsid(0)


def test_a_line_that_is_not_ended_yet_goes_on_where_it_was(terminal, screen):
    terminal.stream.write("half a li")
    draw(screen, "board")
    terminal.stream.write("ne")
    draw(screen, "board!")
    terminal.stream.write(", whole\n")
    assert terminal.look()[0] == "half a line, whole"


def test_a_board_that_grows_covers_nobodys_words(terminal, screen):
    for number in range(11):
        terminal.stream.write(f"line {number}\n")
    for height in range(1, 7):
        draw(screen, *[f"board {place}" for place in range(height)])
    rows = terminal.look()
    assert rows[-6:] == [f"board {place}" for place in range(6)]
    assert rows[:5] == [f"line {number}" for number in range(6, 11)]


def test_a_board_that_shrinks_keeps_its_place(terminal, screen):
    draw(screen, "one", "two", "three")
    draw(screen, "one")
    assert terminal.look()[-3:] == ["one", "", ""]


@pytest.mark.parametrize("size", [(40, 8), (25, 12), (80, 30), (30, 7)])
def test_after_a_resize_the_board_is_whole_again(terminal, screen, size):
    for number in range(20):
        terminal.stream.write(f"line {number}\n")
    draw(screen, "board 1", "board 2", "board 3")
    terminal.resize(*size)
    draw(screen, "board 1", "board 2", "board 3")
    terminal.stream.write("last line\n")
    rows = terminal.look()
    assert rows[-3:] == ["board 1", "board 2", "board 3"]
    assert "last line" in rows[:-3]


def test_a_frame_that_says_the_same_is_not_written_again(terminal, screen):
    draw(screen, "board")
    terminal.look()
    before = len(terminal.raw)
    draw(screen, "board")
    terminal.look()
    assert len(terminal.raw) == before


def test_colours_and_cursor_of_others_are_kept(terminal, screen):
    terminal.stream.write("\x1b[31mred ")
    draw(screen, "\x1b[32mgreen")
    terminal.stream.write("still red")
    terminal.look()
    assert [terminal.screen.buffer[0][x].fg for x in (0, 4, 12)] == ["red"] * 3
    assert not terminal.screen.cursor.hidden


def test_a_terminal_that_does_not_know_its_size_counts_as_usual(terminal, screen):
    terminal._set_size(0, 0)
    assert screen.size() == (80, 24)


def test_a_terminal_that_is_gone_is_an_os_error_once_and_then_silence(terminal, screen):
    draw(screen, "board")
    terminal.vanish()
    with pytest.raises(OSError):
        draw(screen, "board!")
    screen.release(["last"])


def test_a_terminal_made_non_blocking_gets_whole_frames(terminal, screen):
    os.set_blocking(terminal.stream.fileno(), False)
    draw(screen, *[f"{'x' * 30} {place}" for place in range(9)])
    assert terminal.look()[-1] == f"{'x' * 30} 8"


def test_no_process_and_no_descriptor_is_left(terminal):
    before = set(os.listdir("/proc/self/fd"))
    screen = Screen(terminal.stream.fileno())
    draw(screen, "board")
    guard = screen._guard
    screen.release()
    assert set(os.listdir("/proc/self/fd")) == before
    assert guard.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("death", ["os.kill(os.getpid(), 9)", "os._exit(3)", "os.abort()"])
def test_when_the_process_is_killed_the_terminal_is_given_back(terminal, death, tmp_path, environment):
    program = f"""
        import os, resource
        from linecook.observe.screen import Screen
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        screen = Screen(2)
        print("before", flush=True)
        screen.draw(["board 1", "board 2"], screen.size())
        print("between", flush=True)
        {death}
    """
    terminal.python(textwrap.dedent(program), environment, tmp_path)
    terminal.wait_end()
    terminal.wait_for(lambda rows: not any("board" in row for row in rows))
    for number in range(20):
        terminal.stream.write(f"{number}\n")
    terminal.wait_for(lambda rows: rows[-2:] == ["19", ""])
    assert "between" in terminal.history


def test_where_there_is_no_shell_the_board_is_drawn_all_the_same(terminal, screen, monkeypatch):
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("/bin/sh")

    monkeypatch.setattr(subprocess, "Popen", missing)
    draw(screen, "board")
    assert terminal.look()[-1] == "board"
    screen.release()
    assert "board" not in terminal.look()
