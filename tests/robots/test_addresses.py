"""Where requests may go, and what is hidden at rest."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app import logs
from app.errors import Invalid
from app.robots.addresses import may_reach, target
from app.robots.kinds import KINDS
from app.robots.sealed import SealBroken, Secrets, Vault
from app.robots.service import checked
from app.settings import AllowedHost, Settings

WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
DING = "https://oapi.dingtalk.com/robot/send?access_token=" + "0123456789abcdef" * 4
FEISHU = "https://open.feishu.cn/open-apis/bot/v2/hook/4b1c0d5e-0000-1111-2222-333344445555"
SEC, WHSEC = "SEC" + "0123456789abcdef" * 4, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(var_dir=folder, **{"secret_key": "s" * 32, **more})


def hosts(text: str) -> tuple[AllowedHost, ...]:
    return Settings(allowed_webhook_hosts=text).webhook_hosts


def test_the_vendors_are_allowed_and_nobody_else() -> None:
    listed = Settings().webhook_hosts
    for url in (WECOM, DING, FEISHU, WECOM.upper().replace("/CGI-BIN/WEBHOOK/SEND?KEY", "/cgi-bin/webhook/send?key")):
        found = target(url, listed)
        assert found.scheme == "https" and found.port == 443 and not found.loopback
        assert found.path not in repr(found) and (not found.query or found.query not in repr(found))
    assert target(DING, listed).url == DING.replace(".com/", ".com:443/")


REFUSED = [
    "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1", "https://evil.example/robot/send", "https://qyapi.weixin.qq.com.evil.example/",
    "https://evil.example#qyapi.weixin.qq.com/", "https://qyapi.weixin.qq.com@evil.example/", "https://evil.example@qyapi.weixin.qq.com/",
    "https://qyapi.weixin.qq.com:8443/x", "https://qyapi.weixin.qq.com./x", "https://qyapi.weixin.qq.com\\@evil.example/",
    "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://2130706433/", "https://0x7f.1/", "file:///etc/passwd",
    "https://qyapi.weixin.qq.com", "https://qyapi.weixin.qq.com/a b", "https://qyapi.weixin.qq.com/\nx", "", "https://",
    "ftp://qyapi.weixin.qq.com/x", "https://ｑyapi.weixin.qq.com/x", "https://qyapi.weixin.qq.com/?a#b", "https://x%2eqq.com/",
    "https://qyapi.weixin.qq.com:99999/x", "https://qyapi.weixin.qq.com:0443/x", "https://qyapi.weixin.qq.com/" + "x" * 401,
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_refused_addresses_say_what_to_do_and_do_not_repeat_it(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        target(url, Settings().webhook_hosts)
    assert refusal.value.hint and refusal.value.extra["errors"][0]["field"] == "url"


def test_http_and_loopback_are_for_dev_only() -> None:
    listed = hosts("127.0.0.1,localhost")
    assert target("http://127.0.0.1:8123/x", listed, dev=True).loopback
    for url in ("http://127.0.0.1:8123/x", "https://127.0.0.1:8123/x", "http://localhost/x"):
        with pytest.raises(Invalid):
            target(url, listed)
    with pytest.raises(Invalid):
        target("http://127.0.0.1:8123/x", Settings().webhook_hosts, dev=True)  # listed it must be all the same
    with pytest.raises(Invalid):
        target("http://hook.example/x", hosts("hook.example"), dev=True)


def test_a_port_has_to_be_named() -> None:
    assert target("https://hook.example:8443/x", hosts("hook.example:8443")).port == 8443
    for url in ("https://hook.example/x", "https://hook.example:9443/x"):
        with pytest.raises(Invalid):
            target(url, hosts("hook.example:8443"))


@pytest.mark.parametrize("text", ["a b", "http://x", "x/24", "x=1.2.3", "x:0", "x:99999", "-x", "x=10.0.0.1/8", "*.example"])
def test_an_odd_list_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError):
        Settings(allowed_webhook_hosts=f"qyapi.weixin.qq.com,{text}")


PLACES = [
    ("1.1.1.1", True), ("2606:4700:4700::1111", True),
    ("127.0.0.1", False), ("10.1.2.3", False), ("192.168.1.1", False), ("172.16.0.1", False), ("169.254.169.254", False),
    ("0.0.0.0", False),
    ("100.64.0.1", False), ("224.0.0.1", False), ("255.255.255.255", False), ("198.18.0.1", False),
    ("::1", False), ("::", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False),
    ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("64:ff9b::a00:1", False),
    ("2002:7f00:1::", False), ("2002:a00:1::", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "public"), PLACES)
def test_a_name_leads_to_public_addresses_or_to_the_network_named_for_it(text: str, public: bool) -> None:
    ip = ipaddress.ip_address(text)
    assert may_reach(target(WECOM, Settings().webhook_hosts), ip) == public
    inside = target("https://hook.example/x", hosts("hook.example=10.0.0.0/8"))
    assert may_reach(inside, ip) == (text in ("10.1.2.3", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"))
    everything = target("https://hook.example/x", hosts("hook.example=0.0.0.0/0"))
    assert not may_reach(everything, ipaddress.ip_address("127.0.0.1")) and not may_reach(
        everything, ipaddress.ip_address("169.254.169.254")
    )
    own = target("http://127.0.0.1:1/x", hosts("127.0.0.1"), dev=True)
    assert may_reach(own, ip) == (text in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"))


@pytest.mark.parametrize(
    ("kind", "url", "secret"),
    [
        ("wecom", WECOM, None),
        ("dingtalk", DING, SEC),
        ("dingtalk", DING, None),
        ("feishu", FEISHU, "Abc0123456789xyz"),
        ("feishu", FEISHU, None),
    ],
)
def test_addresses_as_vendors_print_them(kind: str, url: str, secret: str | None, tmp_path: Path) -> None:
    assert checked(settings(tmp_path), KINDS[kind], url, secret).secret == (secret or "")


@pytest.mark.parametrize(
    ("kind", "url", "secret", "field"),
    [
        ("wecom", DING, None, "url"), ("dingtalk", WECOM, SEC, "url"), ("feishu", DING, None, "url"), ("wecom", WECOM, SEC, "secret"),
        ("dingtalk", DING, "geheim", "secret"), ("feishu", FEISHU, "a b", "secret"), ("dingtalk", DING + "&x=1", SEC, "url"),
        ("webhook", "https://hook.example/x", None, "secret"), ("webhook", "https://hook.example/x", "whsec_kurz", "secret"),
    ],
)  # fmt: skip
def test_the_wrong_address_or_secret_is_told_at_once(kind: str, url: str, secret: str | None, field: str, tmp_path: Path) -> None:
    given = settings(tmp_path, allowed_webhook_hosts="qyapi.weixin.qq.com,oapi.dingtalk.com,open.feishu.cn,hook.example")
    with pytest.raises(Invalid) as refusal:
        checked(given, KINDS[kind], url, secret)
    assert refusal.value.extra["errors"][0]["field"] == field
    assert url not in refusal.value.hint and (secret is None or secret not in refusal.value.hint)


def test_what_is_sealed_opens_with_its_key_for_its_row_only(tmp_path: Path) -> None:
    vault, secrets = Vault(settings(tmp_path)), Secrets(DING, SEC)
    sealed = vault.seal(secrets, 3, "dingtalk")
    assert "dingtalk" not in sealed and SEC not in sealed and sealed != vault.seal(secrets, 3, "dingtalk")
    assert vault.open(sealed, 3, "dingtalk") == secrets
    for office, kind in ((4, "dingtalk"), (3, "wecom")):
        with pytest.raises(SealBroken):
            vault.open(sealed, office, kind)
    for other in (sealed[:-2] + "AA", "", "x"):
        with pytest.raises(SealBroken):
            vault.open(other, 3, "dingtalk")
    with pytest.raises(SealBroken):
        Vault(settings(tmp_path, secret_key="t" * 32)).open(sealed, 3, "dingtalk")


def test_keys_are_changed_without_losing_a_robot(tmp_path: Path) -> None:
    secrets = Secrets(DING, SEC)
    old = Vault(settings(tmp_path)).seal(secrets, 3, "dingtalk")  # by SECRET_KEY
    both = Vault(settings(tmp_path, robot_key="new key"))
    new = both.again(old)
    assert both.open(old, 3, "dingtalk") == both.open(new, 3, "dingtalk") == secrets
    alone = Vault(settings(tmp_path, robot_key="new key", secret_key="t" * 32))  # SECRET_KEY may change now
    assert alone.open(new, 3, "dingtalk") == secrets
    with pytest.raises(SealBroken):
        alone.open(old, 3, "dingtalk")
    kept = Vault(settings(tmp_path, robot_key="newer, " + "s" * 32, secret_key="t" * 32))  # the old SECRET_KEY as one of the keys
    assert kept.open(old, 3, "dingtalk") == secrets
    with pytest.raises(SealBroken):
        kept.again(new)


def test_secrets_do_not_show_themselves(tmp_path: Path) -> None:
    secrets = Secrets(DING, SEC)
    token = DING.partition("=")[2]
    assert "***" in repr(secrets) and token not in f"{secrets!r} {secrets}"
    assert secrets.discreet(f"no {token} at {DING} with {SEC}") == "no *** at *** with ***"
    hook = Secrets(FEISHU)
    assert "4b1c0d5e" not in hook.discreet(f"POST {FEISHU} 4b1c0d5e-0000-1111-2222-333344445555")
    secrets.hide()
    assert token not in logs.discreet(f"https://oapi.dingtalk.com/robot/send?access_token={token}&timestamp=1")
    assert "a key" not in logs.discreet("x") and "one key" in settings(tmp_path, robot_key="one key,two").secrets()
