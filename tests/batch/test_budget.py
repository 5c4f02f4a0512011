import pytest

from edge.batch.budget import Budget, Choice, parse_duration
from edge.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("1h30m", 5400), ("5400s", 5400), ("5400", 5400), ("1.5h", 5400), ("2m5", 125)],
)
def test_durations_are_read(text, seconds):
    """Hours, minutes and seconds, alone or together."""
    assert seconds == parse_duration(text)


@pytest.mark.parametrize("text", ["", "0", "90x", "-5", "m", "1m2h", "soon"])
def test_other_words_are_no_duration(text):
    """What is no time above zero is refused with examples."""
    with pytest.raises(InputError, match="is not a time") as caught:
        parse_duration(text)
    assert "90m" in caught.value.remedy


def simulate(
    *,
    limit_s: float,
    primary_s: float,
    fallback_s: float | None,
    files: int = 100,
    workers: int = 1,
) -> tuple[dict[Choice, int], float]:
    """Score files of 1000 bytes; return how many each model got and when the last was done."""
    budget = Budget(
        limit_s=limit_s, workers=workers, has_fallback=fallback_s is not None, columns=5
    )
    costs = {Choice.PRIMARY: primary_s, Choice.FALLBACK: fallback_s or 0.0}
    free = [0.0] * workers
    running: list[tuple[float, Choice]] = []
    counts = dict.fromkeys(Choice, 0)
    for left in range(files, 0, -1):
        now_s = min(free)
        for end_s, choice in [job for job in running if job[0] <= now_s]:
            budget.observe(choice, size=1000, spent_s=costs[choice], rows=12)
            running.remove((end_s, choice))
        busy_s = sum(end_s - now_s for end_s, _ in running)
        choice = budget.choose(
            1000, others=1000 * (left - 1), total=1000 * files, elapsed_s=now_s, busy_s=busy_s
        )
        if choice is Choice.STOP:
            counts[choice] += left
            break
        worker = free.index(now_s)
        free[worker] += costs[choice]
        running.append((free[worker], choice))
        counts[choice] += 1
    return counts, max(free)


def test_primary_scores_all_where_time_suffices():
    """Nothing steps down without need."""
    counts, _ = simulate(limit_s=120.0, primary_s=1.0, fallback_s=0.1)
    assert counts == {Choice.PRIMARY: 100, Choice.FALLBACK: 0, Choice.STOP: 0}


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("limit_s", [25.0, 50.0, 90.0])
def test_fallback_gets_as_few_files_as_possible(limit_s, workers):
    """All is scored in time, and hardly more could have gone to the primary model."""
    primary_s, fallback_s = 1.0 * workers, 0.1 * workers
    counts, end_s = simulate(
        limit_s=limit_s, primary_s=primary_s, fallback_s=fallback_s, workers=workers
    )
    assert counts[Choice.STOP] == 0
    assert end_s <= limit_s
    best = int((limit_s - 100 * 0.1) / 0.9)
    assert best - 6 - workers <= counts[Choice.PRIMARY] <= best


def test_run_stops_in_time_where_even_the_fallback_is_too_slow():
    """The rest is left rather than late."""
    counts, end_s = simulate(limit_s=20.0, primary_s=5.0, fallback_s=1.0)
    assert end_s <= 20.0
    assert counts[Choice.FALLBACK] >= 9
    assert counts[Choice.STOP] > 70


def test_run_without_fallback_stops_in_time():
    """The primary model scores what it can."""
    counts, end_s = simulate(limit_s=20.0, primary_s=1.0, fallback_s=None)
    assert end_s <= 20.0
    assert 17 <= counts[Choice.PRIMARY] <= 19
    assert counts[Choice.FALLBACK] == 0


def test_nothing_begins_after_the_end():
    """With the time used up, not even the first."""
    budget = Budget(limit_s=10.0, workers=1, has_fallback=True, columns=1)
    choice = budget.choose(1, others=0, total=1, elapsed_s=10.0, busy_s=0.0)
    assert choice is Choice.STOP


def test_writing_is_kept_time_for():
    """Many rows of many columns take their time at the end."""
    budget = Budget(limit_s=5400.0, workers=1, has_fallback=False, columns=6522)
    budget.observe(Choice.PRIMARY, size=1000, spent_s=0.5, rows=12)
    assert 5.0 < budget.reserve_s(1_000_000) < 60.0
