"""What follows a failure, by its class alone."""

from __future__ import annotations

import pytest

from engine.kit.errors import InvalidInput, Unavailable
from engine.sync.errors import (
    AuthExpired,
    CircuitOpen,
    Conflict,
    FieldFault,
    RateLimited,
    Rejected,
    SyncError,
    Transient,
    UnknownOutcome,
)
from engine.workflows.run import Broke, Next, backoff, meant, raised, told, verdict


def follows(error: SyncError, *, failures: int = 1, conflicts: int = 0, looks: bool = True) -> tuple[Next, float]:
    found = verdict(error, failures=failures, conflicts=conflicts, looks=looks, salt="run|1")
    return found.next, found.seconds


@pytest.mark.parametrize("error", [RateLimited("", retry_after=7.5), CircuitOpen("", retry_after=7.5)])
def test_what_was_not_begun_comes_later_and_counts_for_nothing(error: SyncError) -> None:
    assert follows(error, failures=8) == (Next.LATER, 7.5)


def test_a_connection_that_rests_is_waited_for_however_often() -> None:
    assert follows(AuthExpired(""), failures=100)[0] == Next.LATER


def test_a_conflict_is_decided_once_more_at_once_and_then_never() -> None:
    assert follows(Conflict(""), conflicts=1) == (Next.AGAIN, 0.0)
    assert follows(Conflict(""), conflicts=2)[0] == Next.STOP


def test_what_may_have_been_done_is_looked_for_and_without_a_way_to_look_is_for_a_person() -> None:
    assert follows(UnknownOutcome(""))[0] == Next.AGAIN
    assert follows(UnknownOutcome(""), looks=False)[0] == Next.STOP


def test_a_passing_failure_is_tried_eight_times() -> None:
    assert [follows(Transient(""), failures=n)[0] for n in range(1, 9)] == [Next.AGAIN] * 7 + [Next.STOP]


@pytest.mark.parametrize("error", [Rejected(""), Broke(""), SyncError("")])
def test_what_is_refused_is_not_tried_again(error: SyncError) -> None:
    assert follows(error)[0] == Next.STOP


def test_waits_double_up_to_ten_minutes_less_up_to_a_quarter_the_same_for_the_same() -> None:
    for failures, most in ((1, 2), (2, 4), (3, 8), (9, 512), (10, 600), (20, 600)):
        waits = {backoff(failures, f"run {n}") for n in range(50)}
        assert max(waits) <= most
        assert min(waits) >= most * 0.75
        assert len(waits) == 50
    assert backoff(3, "one") == backoff(3, "one")


def test_any_exception_is_one_of_the_classes() -> None:
    assert type(meant(InvalidInput("No.", param="sku"))) is Rejected
    assert meant(InvalidInput("No.", param="sku")).fields == (FieldFault("sku", "No."),)  # type: ignore[attr-defined]
    assert type(meant(Unavailable("Not now."))) is Transient
    assert type(meant(KeyError("secret"))) is Broke
    assert "secret" not in meant(KeyError("secret")).message
    own = Transient("own")
    assert meant(own) is own


@pytest.mark.parametrize(
    "error",
    [
        Rejected("No.", fields=(FieldFault("a.b", "bad"),), answer=400),
        Transient("t", answer=503),
        UnknownOutcome("u"),
        AuthExpired("a"),
        Conflict("c", answer=409),
        Broke("b"),
    ],
)
def test_an_error_is_kept_and_made_again(error: SyncError) -> None:
    again = raised(told(error))
    assert (type(again), again.message, again.answer) == (type(error), error.message, error.answer)
    assert getattr(again, "fields", ()) == getattr(error, "fields", ())
