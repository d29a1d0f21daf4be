"""Expected refusals. Each carries its own answer: a stable code, a status and a sentence that says what to do next.

Whatever is not one of these and reaches the edge is a defect: it answers 500 and wakes somebody.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal the caller can act on."""

    code = "refused"
    status = 409
    title = "无法执行"
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, hint: str = "", **extra: Any) -> None:
        super().__init__(hint or self.title)
        self.hint = hint
        self.extra = extra


class Unauthorized(DomainError):
    code, status, title = "unauthorized", 401, "请先登录或提供有效令牌"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(DomainError):
    code, status, title = "forbidden", 403, "该角色无权执行此操作"


class NotFound(DomainError):
    """Also the answer for everything outside the caller's offices: nobody learns what exists elsewhere."""

    code, status, title = "not_found", 404, "未找到"


class Invalid(DomainError):
    """Wrong input. `errors` lists {field, message} for every fault."""

    code, status, title = "validation_error", 422, "输入有误"


class EffectiveInFuture(DomainError):
    code, status, title = "effective_in_future", 422, "日期不能晚于今天"


class KnownInFuture(DomainError):
    code, status, title = "known_at_in_future", 422, "known_at 不能晚于当前时刻"


class MoveNotAllowed(DomainError):
    code, status, title = "move_not_allowed", 409, "当前不能执行该操作"


class EvidenceMissing(DomainError):
    code, status, title = "evidence_missing", 409, "缺少佐证材料"


class BatchRefused(DomainError):
    """Of an all-or-nothing batch, every problem; nothing of it was recorded."""

    code, status, title = "batch_refused", 409, "整批未执行"


class AlreadyReported(DomainError):
    code, status, title = "already_reported", 409, "已经上报过"


class AlreadyReviewed(DomainError):
    code, status, title = "already_reviewed", 409, "已经认定或退回"


class NotReviewable(DomainError):
    code, status, title = "not_reviewable", 409, "该记录不能认定、退回或作废"


class OrderRefused(DomainError):
    """The table of supervision orders says no; each of its refusals has a code of its own."""

    code, status, title = "order_not_allowed", 409, "督办单当前不能执行该操作"

    def __init__(self, code: str, hint: str, **extra: Any) -> None:
        super().__init__(hint, **extra)
        self.code = code


class Duplicate(DomainError):
    code, status, title = "duplicate", 409, "编号或名称已被使用"


class TooMany(DomainError):
    """As many as there may be; something has to go first."""

    code, status, title = "too_many", 409, "数量已达上限"


class ImportNotPlanned(DomainError):
    code, status, title = "import_not_planned", 409, "这次导入不在试算完成的状态"


class ImportMoved(DomainError):
    """What a trial was made of has changed; `refs` names the projects."""

    code, status, title = "import_moved", 409, "试算之后台账有变化"


class StaleVersion(DomainError):
    code, status, title = "stale_version", 412, "内容已被他人更新，请刷新后重试"


class PreconditionRequired(DomainError):
    code, status, title = "precondition_required", 428, "请在 If-Match 中给出读取时的 ETag"


class IdempotencyMismatch(DomainError):
    code, status, title = "idempotency_mismatch", 422, "同一 Idempotency-Key 的内容不同"


class TooLarge(DomainError):
    code, status, title = "too_large", 413, "内容过大"


class Unavailable(DomainError):
    code, status, title = "database_unavailable", 503, "数据库暂时不可用，请稍后重试"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class Busy(DomainError):
    """Something that only one at a time may do is being done."""

    code, status, title = "busy", 503, "正在处理另一个同类请求，请稍后重试"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "30"}


class NotReady(DomainError):
    code, status, title = "not_ready", 503, "数据库尚未迁移"


class DayInTrouble(DomainError):
    """Today's run is late or failed, or messages do not leave; `findings` say what to do."""

    code, status, title = "day_in_trouble", 503, "每日任务未正常完成"


class CommitUnknown(Unavailable):
    """The connection broke while the commit was under way: it happened, or it did not."""

    code, title = "commit_unknown", "数据库连接在提交时中断"


class ClockSkewed(DomainError):
    """This process's clock and the database's are too far apart (app/skew.py)."""

    code, status, title = "clock_skewed", 503, "本机时钟与数据库相差过大 / clock differs from the database's"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "30"}


class RateLimited(DomainError):
    """Too often. `Retry-After` says how many seconds to wait."""

    code, status, title = "rate_limited", 429, "请求过于频繁"


class BadRequest(DomainError):
    """The request itself is malformed, whatever it asks for."""

    code, status, title = "bad_request", 400, "请求格式有误"


class RequestTimeout(DomainError):
    code, status, title = "request_timeout", 408, "请求未在规定时间内传完"
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class UnsupportedMedia(DomainError):
    code, status, title = "unsupported_media_type", 415, "不支持的内容类型"


class AddressTooLong(DomainError):
    code, status, title = "uri_too_long", 414, "请求地址过长"


class HeadersTooLarge(DomainError):
    code, status, title = "headers_too_large", 431, "请求头过大"
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class UnsafeDatabase(DomainError):
    """The database would lose, or misread, what it said it kept."""

    code, status, title = "database_unsafe", 503, "数据库设置不安全 / unsafe database"
