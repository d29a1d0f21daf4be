"""The token: says what it says, for ever the same, and nobody else can make or bend one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.replies.links import DAYS, LENGTH, PAGE_LIFE, Link, Signer, hash_of, url_for
from app.replies.service import network_of
from app.settings import Settings

SIGNER = Signer(b"s" * 32, "https://luodi.example/")
LINK = Link(7, 3, 2**40, date(2026, 6, 10))
NOW = datetime(2026, 6, 10, 2, 0, tzinfo=UTC)
LINKS = st.builds(
    Link, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1),
    st.dates(date(2000, 1, 1), date(2179, 1, 1)), st.integers(0, 255),
)  # fmt: skip


@given(LINKS)
def test_a_token_says_what_was_put_into_it_and_is_short(link: Link) -> None:
    token = SIGNER.pack(link)
    assert SIGNER.unpack(token) == link and len(token) == LENGTH == 48
    assert token == SIGNER.pack(link), "a message's bytes are fixed once"
    assert token not in hash_of(token)


@given(LINKS, st.integers(0, LENGTH - 1), st.characters())
def test_an_edited_token_is_none(link: Link, place: int, mark: str) -> None:
    token = SIGNER.pack(link)
    edited = token[:place] + mark + token[place + 1 :]
    assert edited == token or SIGNER.unpack(edited) is None


@given(st.text() | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=", min_size=LENGTH, max_size=LENGTH))
def test_a_made_up_token_is_none(token: str) -> None:
    assert SIGNER.unpack(token) is None


def test_keys_serve_one_purpose() -> None:
    assert Signer(b"t" * 32, "").unpack(SIGNER.pack(LINK)) is None
    form = SIGNER.form(SIGNER.pack(LINK), NOW)
    assert SIGNER.unpack(form) is None and not SIGNER.is_form(SIGNER.pack(LINK), SIGNER.pack(LINK), NOW)


def test_a_form_belongs_to_its_link_and_to_its_hours() -> None:
    token, other = SIGNER.pack(LINK), SIGNER.pack(LINK._replace(person_id=8))
    form = SIGNER.form(token, NOW)
    assert SIGNER.is_form(token, form, NOW) and SIGNER.is_form(token, form, NOW + PAGE_LIFE)
    assert not SIGNER.is_form(other, form, NOW)
    assert not SIGNER.is_form(token, form, NOW + PAGE_LIFE + timedelta(seconds=1))
    assert not SIGNER.is_form(token, SIGNER.form(token, NOW + timedelta(hours=1)), NOW), "from the future"
    shown, _, mac = form.partition(".")
    assert not SIGNER.is_form(token, f"{int(shown, 16) + 1:x}.{mac}", NOW)


@given(st.text())
def test_a_made_up_form_is_none(given_form: str) -> None:
    assert not SIGNER.is_form(SIGNER.pack(LINK), given_form, NOW)


def test_only_who_may_report_gets_a_link() -> None:
    settings = Settings(secret_key="s" * 32, public_url="https://luodi.example/")
    made = url_for(settings, LINK.run_date, 7, 3, "clerk")
    assert made is not None
    parts = urlsplit(made(2**40))
    assert parts.path == f"/r/{SIGNER.pack(LINK)}" and parts.netloc == "luodi.example" and LINK.last_day == date(2026, 6, 20)
    assert url_for(settings, LINK.run_date, 7, 3, "leader") is None and url_for(settings, LINK.run_date, 7, 3, "auditor") is None
    assert DAYS == 10


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", ""),
    ],
)
def test_only_the_network_of_a_caller_is_kept(address: str, network: str) -> None:
    """An IPv4 caller of a socket for both is the same office as before."""
    assert network_of((address, 1)) == network and network_of(None) == ""


@given(LINKS, st.sampled_from(("=", "==", "\n", " ", "A")))
def test_a_link_is_spelt_in_one_way(link: Link, more: str) -> None:
    token = SIGNER.pack(link)
    assert SIGNER.unpack(token + more) is None and SIGNER.unpack(more + token) is None
    assert SIGNER.unpack(token.replace("-", "+").replace("_", "/")) in (None, link if not set(token) & set("-_") else None)
