"""Log lines as JSON: one object a line on standard error, for people with `jq` and for collectors."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final, TextIO

__all__ = ["JsonFormatter", "event_logger", "log_event"]

_FIELDS: Final = "sealdraw_fields"


class JsonFormatter(logging.Formatter):
    """Formats a record as {"time", "level", "event", …}; only fields that were named are written."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``, without a line end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The kind of error, never its values: they may have come from a request.
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=True)


def event_logger(stream: TextIO) -> logging.Logger:
    """Return the supervisor's logger, writing JSON lines to ``stream``."""
    logger = logging.getLogger("sealdraw.serve")
    logger.handlers.clear()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def log_event(logger: logging.Logger, level: int, event: str, **fields: str | float) -> None:
    """Log ``event`` with named fields."""
    logger.log(level, event, extra={_FIELDS: fields})
