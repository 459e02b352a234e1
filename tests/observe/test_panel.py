import io
from dataclasses import replace

import pytest
from rich.console import Console

from linecook.observe import (
    BudgetFacts,
    ChangeFacts,
    LaneFacts,
    LimitFacts,
    Snapshot,
    SpentFacts,
    StallFacts,
    ToolFacts,
    render,
)
from linecook.observe.panel import lines, painted, rate

HINT = "Ctrl-C: begin nothing new, finish what runs"
BUSY = Snapshot(
    at=1.0,
    pid=4242,
    uptime=74.0,
    done=3412,
    total=10_000,
    rate=412.3,
    eta=16.0,
    outcomes={"Failed": 9, "TimedOut": 3, "Ok": 3400},
    lanes={"loop": LaneFacts(64, 0, 1, 64), "thread": LaneFacts(12, 3, 49, 1024, abandoned=1)},
    tools=(
        ToolFacts("fetch", "thread", 1204, 3, 1, 22.0, 0.084, 1.2),
        ToolFacts("ask", "loop", None, None, None, 0.4),
    ),
    retries=14,
    limits_waiting=58,
    loop_lag=0.0008,
    stalls=(StallFacts("/home/me/shop/app.py:16 in load: time.sleep(3)", "main/load", 3, 9.1),),
    hint=HINT,
)


def rows(snapshot: Snapshot, width: int = 80, height: int | None = None) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(render(snapshot, width, height), soft_wrap=True)
    return [row.rstrip() for row in stream.getvalue().splitlines()]


def test_everything_that_is_asked_of_a_run_stands_there():
    head, *middle, last = rows(BUSY)
    assert head.startswith("3,412 of 10,000  ━")
    assert head.endswith(" 34 %  412/s  about 16 s left  74 s so far")
    assert "3,400 ok · 9 failed · 3 timed out · 14 retries · 58 waiting for a limit" in middle
    assert "loop lag 800 µs" in middle
    assert "thread            12          3         49      1,024          1" in middle
    assert "loop              64          0          1         64          0" in middle
    assert "fetch     84 ms   1.2 s   1,204        3           1     22 s   thread" in middle
    assert "the loop stood still, 9.1 s in 3 stalls: shop/app.py:16 in load: time.sleep(3)" in middle
    assert last == HINT


def test_what_is_not_known_is_a_dash_and_never_a_zero():
    assert "ask           –       –       –        –           –   400 ms     loop" in rows(BUSY)


@pytest.mark.parametrize("width", [1, 9, 20, 40, 59, 60, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 5, 8, 20, None])
def test_no_row_is_wider_and_no_board_higher_than_there_is_room(width, height):
    text = render(BUSY, width, height)
    lines = text.split("\n")
    assert all(line.cell_len <= width for line in lines)
    assert height is None or len(lines) <= height


def test_wide_characters_take_the_cells_they_take():
    wide = replace(BUSY, tools=(ToolFacts("取得" * 30, "thread", 1, 0, 0, 1.0, 1.0, 1.0),))
    assert all(line.cell_len <= 60 for line in render(wide, 60).split("\n"))


@pytest.mark.parametrize("width", [1, 7, 30, 80])
def test_painted_lines_say_the_same_as_rich_text(width):
    text = render(BUSY, width)
    assert [painted(line, colours=False).replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[2m", "")
            for line in lines(BUSY, width)] == text.plain.split("\n")  # fmt: skip


def test_colours_are_the_terminals_own_and_can_be_left_out():
    assert painted([("9 failed", "bold red"), (", ", ""), ("3 ok", "green")]) == (
        "\x1b[1;31m9 failed\x1b[0m, \x1b[32m3 ok\x1b[0m"
    )
    assert painted([("9 failed", "bold red"), (" 3 ok", "green")], colours=False) == "\x1b[1m9 failed\x1b[0m 3 ok"


def test_in_little_room_the_tools_go_first_and_how_to_stop_stays():
    short = rows(BUSY, height=8)
    assert short[-1] == HINT
    assert any(row.startswith("thread ") for row in short)
    assert not any("fetch" in row for row in short)
    assert rows(BUSY, height=2)[1:] == [HINT]


def test_a_narrow_board_has_fewer_columns():
    narrow = rows(BUSY, width=40)
    assert "lane       running  waiting      cap" in narrow
    assert "fetch     84 ms   1.2 s   1,204" in narrow
    assert "stalled, 9.1 s in 3 stalls: app.py:16 i…" in narrow
    assert narrow[-2:] == ["Ctrl-C: begin nothing new, finish what", "runs"]


def test_without_a_total_no_share_is_shown():
    assert rows(replace(BUSY, total=None, eta=None))[0] == "3,412 done  412/s  74 s so far"


def test_a_runtime_that_counts_no_outcomes_is_named_by_its_process():
    assert rows(replace(BUSY, done=0, total=None, eta=None))[0] == "process 4242, watched for 74 s"


def test_an_empty_input_is_done():
    assert " 100 % " in rows(replace(BUSY, done=0, total=0, eta=None))[0]


def test_more_than_the_total_is_no_more_than_all():
    assert " 100 % " in rows(replace(BUSY, done=5, total=4, eta=None))[0]


def test_a_stall_that_goes_on_is_told_as_such():
    now = replace(BUSY, stalls=(StallFacts("app.py:3 in f: g()", None, 1, 2.0, going_on=True),))
    assert "the loop stands still, 2.0 s: app.py:3 in f: g()" in rows(now)


def test_tools_and_stalls_that_have_no_room_are_counted():
    tools = tuple(ToolFacts(f"tool{n}", "thread", 1, 0, 0, 1.0, 1.0, 1.0) for n in range(9))
    stalls = tuple(StallFacts(f"app.py:{n} in f", None, 1, 1.0) for n in range(5))
    crowded = rows(replace(BUSY, tools=tools, tools_hidden=2, stalls=stalls))
    assert "and 6 more" in crowded
    assert "and stalls at 2 more lines" in crowded


def test_names_and_source_lines_command_no_terminal():
    nasty = replace(
        BUSY,
        tools=(ToolFacts("\x1b[2Jboom\n", "thread", 1, 0, 0, 1.0, 1.0, 1.0),),
        stalls=(StallFacts("a.py:1 in f: print('[red]\x1b[31m\t')", None, 1, 1.0),),
    )
    shown = "\n".join(rows(nasty))
    assert "\x1b" not in shown
    assert "?[2Jboom?" in shown
    assert "print('[red]?[31m?')" in shown


def test_rates_below_ten_keep_a_decimal():
    assert (rate(0.31), rate(1234.5)) == ("0.3/s", "1,234/s")


PROVIDER = LimitFacts(
    "provider", 12, 16, waiting=34, waited=90, waited_for=70.0, changes=(ChangeFacts(3.0, 20, 16, "refused"),)
)
RICH = replace(
    BUSY,
    limits=(PROVIDER,),
    spent=SpentFacts(1.234, 45_000, 12_000),
    budgets=(BudgetFacts("budget(usd=5)", "main", {"usd": 1.234}, {"usd": 5.0}),),
)


def test_a_limit_that_was_hit_has_a_line_and_so_has_the_money():
    shown = rows(RICH, width=120)
    assert (
        "limit provider · 12 of 16 in flight · 34 waiting · 20 to 16, refused, 3.0 s ago · 56 waited 1.2 s each"
        in shown
    )
    assert "1.23 usd spent · 45,000 tokens in · 12,000 out · budget(usd=5) of main: 25 % of its usd" in shown


def test_where_no_limit_was_hit_and_nothing_charged_there_is_no_line():
    assert not any(row.startswith("limit ") or "usd" in row for row in rows(BUSY))


def test_limits_go_after_tools_and_stalls_when_rows_are_few():
    everything = rows(RICH, width=120)
    fewer = rows(RICH, width=120, height=len(everything) - 4)  # three rows of tools, one stall
    assert [row for row in everything if row.startswith("limit ")] == [row for row in fewer if row.startswith("limit ")]
    assert not any("fetch" in row or "stood still" in row for row in fewer)


def test_a_line_of_a_limit_is_cut_where_it_tells_least():
    narrow = rows(RICH, width=40)
    assert "limit provider · 12 of 16 in flight · 3…" in narrow


def test_limits_that_have_no_room_are_counted():
    crowded = rows(replace(BUSY, limits=(PROVIDER,) * 6, limits_hidden=3))
    assert "and 5 more limits" in crowded
