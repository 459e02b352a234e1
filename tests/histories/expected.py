"""What each program of this folder is, and what the search must say about it.

The judgement comes from the programs: by argument, and by a naive search over asyncio's queue that is no part of
linecook. ``overtakings`` and ``faults`` are the fewest with which the failure can happen.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

SHOWN = "shown on the stock loop"
NEVER = "not on the stock loop"


@dataclass(frozen=True, slots=True)
class Bug:
    """A program that is wrong.

    Attributes:
      kinds: how it may show; several where several things go wrong.
      overtakings, faults: the cheapest schedule that fails.
      label: whether a stock loop can do it.
      category: what sort of mistake, as in the study of such programs.
    """

    category: str
    kinds: tuple[str, ...]
    overtakings: int = 0
    faults: int = 0
    label: str = SHOWN

    @property
    def tier(self) -> str:
        """What must be asked for to see it."""
        return "stock" if self.label == SHOWN else "any"


def bug(category: str, *kinds: str, overtakings: int = 0, faults: int = 0, label: str = SHOWN) -> Bug:
    """Describe a bug; without *kinds* it shows as an exception out of main."""
    return Bug(category, kinds or ("exception",), overtakings, faults, label)


BUGS: dict[str, Bug] = {
    "lost_update": bug("lost update"),
    "lost_update_hidden": bug("lost update"),
    "counter_sleep_0": bug("lost update"),
    "one_hop_apart": bug("lost update", overtakings=1, label=NEVER),
    "batch_loses_items": bug("lost update"),
    "shared_written_stale": bug("lost update", "lost update"),
    "map_entry_lost": bug("lost update", "lost update"),
    "double_spend": bug("check, then act", "invariant"),
    "job_claimed_twice": bug("check, then act"),
    "connected_twice": bug("check, then act"),
    "linecook_seats_oversold": bug("check, then act"),
    "write_skew": bug("write skew"),
    "shared_write_skew": bug("write skew"),
    "torn_read": bug("torn read"),
    "stale_cache_fill": bug("stale cache"),
    "shared_settings": bug("shared settings"),
    "same_name_other_lease": bug("ABA"),
    "live_iteration": bug("live iteration"),
    "single_flight_flag": bug("single flight"),
    "single_flight_leader_gone": bug("single flight", "deadlock"),
    "shared_fetch_cancelled": bug("single flight"),
    "crossed_locks": bug("deadlock", "deadlock"),
    "locks_one_hop_apart": bug("deadlock", "deadlock", overtakings=1, label=NEVER),
    "shared_edits_crossed": bug("deadlock", "deadlock"),
    "lock_taken_twice": bug("re-entrancy", "deadlock"),
    "slots_across_children": bug("nested limits", "deadlock"),
    "thread_calls_back": bug("nested limits", "deadlock"),
    "workers_fill_their_queue": bug("queue", "deadlock"),
    "task_done_forgotten": bug("queue", "deadlock"),
    "joined_too_early": bug("queue"),
    "lost_wakeup": bug("lost wake-up", "deadlock"),
    "wrong_waiter_notified": bug("lost wake-up", "deadlock", overtakings=1),
    "pulse_missed": bug("lost wake-up", "deadlock"),
    "cleared_after_work": bug("lost wake-up", "deadlock"),
    "stop_overtaken": bug("lost wake-up", "deadlock"),
    "condition_with_if": bug("condition"),
    "task_left_behind": bug("leaked task", "leaked task"),
    "shielded_and_forgotten": bug("leaked task", "leaked task"),
    "gather_leaves_orphans": bug("leaked task", "exception", "leaked task"),
    "failure_never_read": bug("failure unread", "exception never retrieved"),
    "cancellation_swallowed": bug("cancellation", "swallowed cancellation"),
    "cleanup_cancelled": bug("cancellation"),
    "slot_lost_on_timeout": bug("cancellation", "deadlock"),
    "slot_lost_in_handover": bug("cancellation", "deadlock", overtakings=1),
    "handed_over_and_lost": bug("cancellation", overtakings=1),
    "waited_then_cancelled": bug("cancellation"),
    "released_without_holding": bug("cancellation"),
    "linecook_slot_lost": bug("cancellation"),
    "busy_flag_after_cancel": bug("cancellation", "deadlock", faults=1),
    "timed_out_but_charged": bug("time-out"),
    "no_timeout_on_a_tool": bug("time-out", "deadlock", faults=1),
    "retried_and_sent_twice": bug("double effect"),
    "linecook_retry_without_key": bug("double effect"),
    "linecook_first_books_twice": bug("double effect", overtakings=1),
    "two_winners": bug("double effect", overtakings=1),
    "failed_call_keeps_slot": bug("failure path", "deadlock", faults=1),
    "closed_while_entering": bug("life of a resource"),
    "generator_left_open": bug("life of a resource", "deadlock"),
    "tenant_left_set": bug("context"),
    "answers_mixed_up": bug("order of completion"),
    "linecook_outcomes_by_arrival": bug("order of completion"),
    "taskgroup_cleanup_reordered": bug("order of completion"),
    "child_not_started_yet": bug("order of start", overtakings=1, label=NEVER),
    "thread_completion_order": bug("order of completion"),
    "float_budget": bug("rounding", "deadlock"),
    "window_reset_twice": bug("limits"),
    "limit_bypassed_by_retry": bug("limits"),
    "thread_race": bug("threads", overtakings=1),
    "thread_connects_twice": bug("threads", overtakings=1),
    "thread_crossed_locks": bug("threads", "deadlock", overtakings=1),
    "thread_against_agent": bug("threads"),
    "linecook_race_on_threads": bug("threads", overtakings=1),
    # Further from the surface: many agents, long ways, several coincidences.
    "overspend_by_five": bug("check, then act"),
    "three_locks": bug("deadlock", "deadlock"),
    "stale_fill_in_a_crowd": bug("stale cache"),
    "two_coincidences": bug("cancellation", overtakings=2),
    "split_brain": bug("check, then act"),
    "requeued_too_late": bug("queue"),
    "thread_race_late": bug("threads", overtakings=1),
    "thread_stack_aba": bug("ABA", overtakings=1),
}

CONTROLS: dict[str, int] = {
    "call_soon_order": 0,
    "callback_after_step": 0,
    "locked_counter": 0,
    "no_await_between": 0,
    "optimistic_retry": 0,
    "slot_given_back": 0,
    "slot_survives_faults": 1,
    "condition_loop": 0,
    "single_flight": 0,
    "group_cleans_up": 0,
    "double_checked_cache": 0,
    "bounded_pipeline": 0,
    "float_bucket": 0,
    "results_in_input_order": 0,
    "queue_get_with_timeout": 0,
    "locks_in_one_order": 0,
    "message_put_back": 0,
    "polling": 0,
    "cancelled_by_its_maker": 0,
    "background_with_reference": 0,
    "generator_closed": 0,
    "thread_lock": 0,
    "thread_adds_in_one_go": 0,
    "thread_to_loop": 0,
    "shared_update": 0,
    "shared_transaction": 0,
    "linecook_desk": 0,
}
"""Programs that are right, and with how many injected faults they are."""


def load_bug(name: str) -> ModuleType:
    """Import a program that is wrong."""
    return importlib.import_module(f"tests.histories.bugs.{name}")


def load_control(name: str) -> ModuleType:
    """Import a program that is right."""
    return importlib.import_module(f"tests.histories.controls.{name}")
