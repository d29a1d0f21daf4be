"""Where log lines go: stderr, so that what a script reads on stdout is the answer and nothing else.

A line written while a request is answered carries its id (X-Request-Id). No token, password or key is ever written: what
looks like one, and the secrets of this process's settings, are struck out of whatever was going to be said, tracebacks too.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

REQUEST: ContextVar[str] = ContextVar("luodi_request", default="-")
"""The id of the request that is being answered; "-" outside of one."""
_LOOKS_SECRET = re.compile(r"(?i)(bearer\s+)[^\s'\"]+|(//[^\s:/@]*:)[^\s/@]+(?=@)|\b([0-9a-f]{12}\.)[\w-]{20,}|(/r/)[^\s'\"?]+")
_secrets: set[str] = set()


def configure(level: str, secrets: Iterable[str] = ()) -> None:
    """One line per event with its fields. `secrets` are the settings' own, which no line may hold."""
    _secrets.update(one for one in secrets if len(one) > 3)
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    root = logging.getLogger()
    if not any(isinstance(one.formatter, _Discreet) for one in root.handlers):
        handler = _Stderr()
        handler.setFormatter(_Discreet("%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"))
        root.addHandler(handler)
    root.setLevel(number)
    for chatty in ("alembic", "apscheduler", "httpcore", "httpx", "transitions"):
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_request,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
            lambda _logger, _name, line: discreet(str(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever stderr is when the line is written
        cache_logger_on_first_use=False,
    )


def hide(secrets: Iterable[str]) -> None:
    """From now on no line holds any of these: for secrets that are not settings."""
    _secrets.update(one for one in secrets if len(one) > 3)


def discreet(text: str) -> str:
    """The text without anything that opens a door."""
    text = _LOOKS_SECRET.sub(lambda found: "".join(one or "" for one in found.groups()) + "***", text)
    for secret in tuple(_secrets):  # other threads may add to it
        text = text.replace(secret, "***")
    return text


class _Discreet(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.request = REQUEST.get()
        return discreet(super().format(record))


class _Stderr(logging.StreamHandler[Any]):
    """Whatever stderr is when the line is written."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        raise AttributeError("the stream is stderr")


def _with_request(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (number := REQUEST.get()) != "-":
        event["request"] = number
    return event
