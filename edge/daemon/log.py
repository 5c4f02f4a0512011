"""The log: JSON lines for journald, readable lines on a terminal."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure_log() -> None:
    """Send the log to standard error, in the form that fits who reads it."""
    if sys.stderr.isatty():
        render: Any = structlog.dev.ConsoleRenderer()
    else:
        # journald stamps the time; a file of lines needs it.
        render = structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _printable,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _printable(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Make names that are no Unicode fit to be written."""
    return {
        key: value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
        for key, value in event.items()
    }
