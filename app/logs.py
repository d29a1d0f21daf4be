"""Where log lines go: stderr, so that what a script reads on stdout is the answer and nothing else.

A line written while a request is answered carries its id (X-Request-Id). No token, password or key is ever written: what
looks like one, and the secrets of this process's settings, are struck out of whatever was going to be said, tracebacks too,
before it is quoted: in JSON a quotation mark inside a secret would make it look like something else.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

REQUEST: ContextVar[str] = ContextVar("luodi_request", default="-")
"""The id of the request that is being answered; "-" outside of one."""
_LOOKS_SECRET = re.compile(r"(?i)(bearer\s+)[^\s'\"]+|(//[^\s:/@]*:)[^\s/@]+(?=@)|\b([0-9a-f]{12}\.)[\w-]{20,}|(/r/)[^\s'\"?]+")
_secrets: tuple[str, ...] = ()
"""The longest first: of two that begin alike nothing of either shall be left."""
_form = "console"
_told = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])


def configure(level: str, secrets: Iterable[str] = (), form: str = "console") -> None:
    """One line per event with its fields, for people, or ("json") as an object. `secrets` are the settings' own, which no line
    may hold."""
    global _form
    _form = form
    hide(secrets)
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
            lambda _logger, _name, event: plain(event),
            _rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever stderr is when the line is written
        cache_logger_on_first_use=False,
    )


def hide(secrets: Iterable[str]) -> None:
    """From now on no line holds any of these, nor as they look when somebody quoted them."""
    global _secrets
    given = {one for one in secrets if len(one) > 3}
    quoted = {spelt for one in given for spelt in (repr(one)[1:-1], orjson.dumps(one).decode()[1:-1])}
    _secrets = tuple(sorted({*_secrets, *given, *quoted}, key=len, reverse=True))


def discreet(text: str) -> str:
    """The text without anything that opens a door."""
    text = _LOOKS_SECRET.sub(lambda found: "".join(one or "" for one in found.groups()) + "***", text)
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text


def plain(value: Any) -> Any:
    """The value as JSON can hold it, without anything that opens a door, however deep it lies."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, Mapping):
        return {str(plain(str(name))): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return discreet(str(value)).encode("utf-8", "replace").decode()


def _rendered(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event).decode() if _form == "json" else discreet(str(_told(logger, name, event)))


class _Discreet(logging.Formatter):
    """Lines of libraries, in the form of our own."""

    def format(self, record: logging.LogRecord) -> str:
        number = record.request = REQUEST.get()
        if _form != "json":
            return discreet(super().format(record))
        event: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if number != "-":
            event["request"] = number
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return orjson.dumps({name: plain(value) for name, value in event.items()}).decode()


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
