"""The proxy: in the environment of what a build calls, while it calls it, and in nothing that is kept."""

import os
from pathlib import Path

import pytest

from build import proxy
from build.command import run
from build.errors import CallerError
from build.mmdebstrap import PROXIES
from build.request import BuildRequest

SECRET = "http://me:geheim@proxy.example:3128"


def test_reaches_the_programs_that_are_called_meanwhile() -> None:
    with proxy.through(SECRET):
        told = run("sh", "-c", 'echo "$http_proxy $https_proxy $HTTP_PROXY $HTTPS_PROXY"').stdout.split()
    assert told == [SECRET] * 4
    assert set(proxy.NAMES) <= set(PROXIES)


def test_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://own.example:1")
    monkeypatch.delenv("https_proxy", raising=False)
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), proxy.through(SECRET):
        raise ZeroDivisionError
    assert dict(os.environ) == before
    with proxy.through(None):
        assert dict(os.environ) == before


@pytest.mark.parametrize("address", ["http://proxy:3128", "https://a:b@10.0.0.1:1/", "http://[::1]:3128", SECRET])
def test_takes_an_address_of_a_proxy(address: str) -> None:
    proxy.require_proxy(address)


@pytest.mark.parametrize("address", ["proxy:3128", "socks5://proxy", "http://a b", "http://me:geheim@", "file:///x"])
def test_refuses_what_is_none_without_repeating_it(address: str) -> None:
    with pytest.raises(CallerError) as refusal:
        proxy.require_proxy(address)
    assert address not in refusal.value.what + refusal.value.hint


def test_is_not_shown_with_the_request() -> None:
    assert "geheim" not in repr(BuildRequest("debian", proxy=SECRET, output=Path("here")))
