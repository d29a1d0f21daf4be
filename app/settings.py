"""Every setting, its default and why. Environment variables `LUODI_…`; the README table is compared with this class."""

from __future__ import annotations

import ipaddress
import re
import secrets
import ssl
from datetime import datetime, time
from pathlib import Path
from typing import Literal, NamedTuple, Self
from urllib.parse import parse_qsl, unquote
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.mail import HERE, Relay, is_address


class AllowedHost(NamedTuple):
    """A host that robots may live at: any port but 443 has to be named, and a private network too (`host=10.1.0.0/16`)."""

    name: str
    port: int | None
    network: str | None

    @classmethod
    def read(cls, entry: str) -> Self:
        """One entry of the list; ValueError when it is none."""
        address, _, network = entry.strip().lower().partition("=")
        found = re.fullmatch(r"([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", address)
        if found is None or (network and not _is_network(network)) or int(found[2] or 1) not in range(1, 65536):
            raise ValueError(f"“{entry.strip()}”应写作 主机、主机:端口 或 主机=网段 / neither host, host:port nor host=network")
        return cls(found[1], int(found[2]) if found[2] else None, network or None)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def database_address(text: str) -> URL:
    """Read an address; ArgumentError or ValueError when it is none. Several hosts may be written as PostgreSQL's own tools do,
    `postgresql://user@host1:5432,host2:5432/name`, which SQLAlchemy only takes as parameters."""
    several = re.fullmatch(r"(postgres(?:ql)?(?:\+psycopg)?://)((?:[^/?]*@)?)([^/?@]*,[^/?@]*)(/.*)?", text, re.S)
    if several is None:
        url = make_url(text)
    else:
        scheme, user, hosts, rest = several.groups("")
        pairs = [re.fullmatch(r"(\[[^]]+\]|[^:]*)(?::([0-9]*))?", one) for one in hosts.split(",")]
        if not all(one and one[1] for one in pairs):
            raise ValueError(hosts)
        names, ports = ([(one[group] or "").strip("[]") for one in pairs if one] for group in (1, 2))
        url = make_url(scheme + user + (rest or "/"))
        url = url.update_query_dict({"host": ",".join(names), "port": ",".join(one or "5432" for one in ports)})
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _kind(address: str) -> str:
    try:
        return database_address(address).get_backend_name()
    except (ArgumentError, ValueError):
        return ""


class Settings(BaseSettings):
    """Frozen: read once at start and passed on. Every default runs on a laptop."""

    model_config = SettingsConfigDict(env_prefix="LUODI_", frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: str = Field(
        "sqlite:///var/luodi.db",
        repr=False,
        description="SQLite file, or postgresql://user:password@host/name (several: host1:5432,host2:5432); "
        "behind pgbouncer in transaction mode with ?pooling=transaction",
    )
    read_database_url: str = Field(
        "",
        repr=False,
        description="a hot standby that answers lists and files once it knows all that was recorded before the question; empty: none",
    )
    smtp_url: str = Field(
        "file:var/mail", repr=False, description="smtp://user:password@host:port, smtps://…, or file:FOLDER for .eml files"
    )
    smtp_tls: Literal["auto", "require", "off"] = Field(
        "auto", description="auto: STARTTLS when offered, a must with a password; require: a must; off: never. Always verified"
    )
    smtp_ca: Path | None = Field(None, description="PEM file of an own authority that the mail server's certificate may come from")
    mail_from: str = Field("luodi@localhost", description="sender address of every mail")
    public_url: str = Field("http://127.0.0.1:8000", description="address that links in mails begin with")
    timezone: str = Field("Asia/Shanghai", description="time zone of business dates")
    daily_at: time = Field(time(8, 0), description="when the daily run is due")
    daily_deadline: time = Field(time(20, 0), description="after this nothing more is sent on that day")
    secret_key: str = Field("", repr=False, description="signs cursors, and seals robots' addresses; empty: a key file in var/ is made")
    audit_key: str = Field(
        "", repr=False, description="keys the chain of facts; empty: a key file in var/ is made. Keep it outside the database"
    )
    robot_key: str = Field(
        "",
        repr=False,
        description="encrypts robots' addresses, several with commas: the first encrypts, all decrypt; empty: derived from SECRET_KEY",
    )
    allowed_webhook_hosts: str = Field(
        "qyapi.weixin.qq.com,oapi.dingtalk.com,open.feishu.cn",
        description="hosts robots may live at, with commas: `host`, `host:port`, or `host=10.1.0.0/16` for one in a private network",
    )
    orders_automatic: Literal["off", "yellow", "red"] = Field(
        "yellow", description="from which level a new stall gets a supervision order by itself; off: officers issue them"
    )
    var_dir: Path = Field(Path("var"), description="folder for key files and other local state")
    worker: bool = Field(True, description="run the daily worker inside `serve`")
    dev: bool = Field(False, description="allows CLOCK and future dates; never in real use")
    demo: bool = Field(True, description="`make run` fills an empty register with a demo county")
    clock: datetime | None = Field(None, description="DEV only: an instant to start from, so that days can be tried from outside")
    threads: int = Field(8, ge=1, le=64, description="threads that answer requests; each may hold one database connection")
    rate_per_minute: int = Field(6000, ge=0, description="requests a minute per token (per address without one) and process; 0: no limit")
    refusals_per_minute: int = Field(60, ge=0, description="bad tokens a minute per address and process; 0: no limit")
    trusted_proxies: str = Field("", description="addresses of proxies whose X-Forwarded-For counts, with commas; empty: none")
    keep_messages_days: int = Field(
        400, ge=180, description="days after which an old message's text goes (`luodi prune`); its history stays"
    )
    metrics: Literal["off", "loopback", "token"] = Field(
        "loopback", description="who may read /metrics: nobody, this machine, or auditors and administrators of the county"
    )
    log: Literal["console", "json"] = Field("console", description="form of the log lines: for people, or one JSON object each")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING")

    @field_validator("read_database_url")
    @classmethod
    def _known_standby(cls, address: str) -> str:
        if address and _kind(address) not in ("postgresql", "postgres"):
            raise ValueError("应为 PostgreSQL 备库的地址 postgresql://用户:密码@主机/库名 / not the PostgreSQL address of a standby")
        return address

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, address: str) -> str:
        if _kind(address) not in ("sqlite", "postgresql", "postgres"):
            raise ValueError("应为 sqlite:///文件 或 postgresql://用户:密码@主机/库名 / neither an SQLite file nor a PostgreSQL address")
        return address

    @field_validator("smtp_url")
    @classmethod
    def _known_way(cls, url: str) -> str:
        if not url.startswith("file:"):
            Relay.read(url)
        elif not url.removeprefix("file:").strip():
            raise ValueError("file: 之后须有目录 / file: needs a folder")
        return url

    @field_validator("smtp_ca")
    @classmethod
    def _readable_authority(cls, file: Path | None) -> Path | None:
        if file is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
            except OSError as error:
                raise ValueError(f"不是可读取的 PEM 证书文件 / no readable PEM file: {error.strerror or type(error).__name__}") from None
        return file

    @field_validator("mail_from")
    @classmethod
    def _an_address(cls, address: str) -> str:
        if not is_address(address):
            raise ValueError("应为一个邮箱地址，例如 luodi@county.example / not a mail address")
        return address

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        ZoneInfo(name)
        return name

    @field_validator("allowed_webhook_hosts")
    @classmethod
    def _hosts(cls, text: str) -> str:
        for entry in filter(str.strip, text.split(",")):
            AllowedHost.read(entry)
        return text

    @field_validator("clock")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("LUODI_CLOCK needs a time zone, for example 2026-03-01T08:00:00+08:00")
        return value

    @model_validator(mode="after")
    def _clock_only_in_dev(self) -> Self:
        if self.clock is not None and not self.dev:
            raise ValueError("LUODI_CLOCK 只能与 LUODI_DEV=true 一起使用 / CLOCK needs DEV")
        return self

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.smtp_tls == "off" and not self.smtp_url.startswith("file:"):
            relay = Relay.read(self.smtp_url)
            if relay.user and not relay.implicit and relay.host not in HERE:
                raise ValueError("LUODI_SMTP_TLS=off 时不登录其他主机 / a password never leaves this machine in the clear")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of business dates."""
        return ZoneInfo(self.timezone)

    @property
    def webhook_hosts(self) -> tuple[AllowedHost, ...]:
        """The hosts that robots may live at."""
        return tuple(AllowedHost.read(entry) for entry in self.allowed_webhook_hosts.split(",") if entry.strip())

    def secrets(self) -> set[str]:
        """Everything in the settings that no log line may hold: keys, and the passwords of addresses."""
        found = {self.secret_key, self.audit_key, *(one.strip() for one in self.robot_key.split(","))}
        for address in (self.database_url, self.read_database_url, self.smtp_url):
            hidden = re.search(r"//[^/]*?:(.*)@", address)
            if hidden:
                found |= {hidden[1], unquote(hidden[1])}
            found |= {value for name, value in parse_qsl(address.partition("?")[2]) if name == "password"}
        return found - {""}

    def key_file(self, name: str) -> Path:
        """Where the key lies when it is not given from outside."""
        return self.var_dir / f"{name.replace('_', '.')}"

    def key(self, name: str) -> bytes:
        """The secret `audit_key` or `secret_key`: from the environment, else from a key file that only its owner can read."""
        given: str = getattr(self, name)
        if given:
            return given.encode()
        path = self.key_file(name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_hex(32))
            try:
                path.hardlink_to(draft)  # whoever comes first wins; two starts at once agree on one key
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip().encode()
