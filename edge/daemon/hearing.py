"""What the models say of a stream, on its way into the account."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from edge.contracts import FRAME_SECONDS, Outcome
from edge.daemon.ledger import Ledger
from edge.handover import Relay

BROKE = "the model broke; the log says how"


def hear(
    say: Callable[[], Sequence[Outcome]],
    relay: Relay,
    ledger: Ledger,
    labels: Mapping[str, Sequence[str]],
    *,
    sample_rate_hz: int,
    received_to: int,
    ends: bool = False,
) -> str:
    """Account for what the models say; where one breaks, that stretch alone has failed.

    What breaks it is a mistake in the model or in what runs it: tried again, it would be made
    again, for ever.

    Args:
        say: Makes the relay say it, by `push` or `finish`.
        relay: The stream through the models.
        ledger: The account.
        labels: Of each model, by its `name@version`.
        sample_rate_hz: The stream's own.
        received_to: The sample that follows the last one received.
        ends: Whether the segment ends there.

    Returns:
        What broke the model; empty where nothing did.

    Raises:
        MemoryError: There is not enough for the model now; later there may be.
    """
    try:
        outcomes = say()
    except MemoryError:
        raise
    except Exception as reason:
        structlog.get_logger().exception("the model broke")
        relay.restart(received_to)
        lost = received_to - ledger.accounted
        if lost > 0:
            ledger.fail(received_to, windows=windows_in(lost, sample_rate_hz), reason=BROKE)
        return repr(reason)
    ledger.add(outcomes, labels, sample_rate_hz=sample_rate_hz, received_to=received_to, ends=ends)
    return ""


def windows_in(samples: int, sample_rate_hz: int) -> int:
    """Count the windows that so many samples fill or begin; at least one."""
    return -(-samples // round(FRAME_SECONDS * sample_rate_hz)) or 1
