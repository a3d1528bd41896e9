"""Edits of the services' answers, by name: what a host that is wrong in one respect would say. Pure functions."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Edit = Callable[[bytes], bytes]
PEM = "-----BEGIN CERTIFICATE-----\nMIIBkTCB+wIJAKHHIG\n-----END CERTIFICATE-----\n"
"""Where a key in OpenSSH's form ought to be: what cloud-init must not write down as one."""
OTHER_ID = "00000000-0000-4000-8000-000000000000"
BOM = b"\xef\xbb\xbf"


def _of_document(change: Callable[[dict[str, Any]], None]) -> Edit:
    """An edit of the whole metadata document; an answer that is another node, or none, stays as it is."""

    def edit(body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            return body
        if not isinstance(document, dict):
            return body
        compute = "compute" in document
        whole = document if compute else {"compute": document, "network": {"interface": []}}
        change(whole)
        return json.dumps(whole if compute else whole["compute"]).encode()

    return edit


def _address(**more: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for interface in document["network"]["interface"]:
            for family, address in more.items():
                interface[family]["ipAddress"].append({"privateIpAddress": address, "publicIpAddress": ""})

    return change


def _other_mac(document: dict[str, Any]) -> None:
    for interface in document["network"]["interface"]:
        interface["macAddress"] = interface["macAddress"][:-2] + "FE"


def _keys(form: Callable[[str], str]) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for key in document["compute"].get("publicKeys", []):
            key["keyData"] = form(key["keyData"])

    return change


def _broken_key(key: str) -> str:
    """As keys come that Azure has made: with line ends within."""
    kind, data, *rest = key.split()
    return f"{kind} {data[:20]}\r\n{data[20:]} {' '.join(rest)}\r\n"


EDITS: Mapping[str, Edit] = {
    "garbage": lambda body: b'{"compute": {"name": ',
    "nothing": lambda body: b"",
    "no network": _of_document(lambda document: document.pop("network", None)),
    "no osProfile": _of_document(lambda document: document["compute"].pop("osProfile", None)),
    "no publicKeys": _of_document(lambda document: document["compute"].pop("publicKeys", None)),
    "another MAC": _of_document(_other_mac),
    "a second address": _of_document(_address(ipv4="10.0.0.20")),
    "an IPv6 address": _of_document(_address(ipv6="fd00::4")),
    "keys with line ends": _of_document(_keys(_broken_key)),
    "keys in PEM": _of_document(_keys(lambda key: PEM)),
    "another vmId": _of_document(lambda document: document["compute"].update(vmId=OTHER_ID)),
    "a byte order mark": lambda body: BOM + body,
    "no role": lambda body: _between(body, b"<RoleInstanceList>", b"</RoleInstanceList>"),
    "a broken certificate": lambda body: _between(body, b"<Data>", b"</Data>", b"bm90aGluZw=="),
}
"""What an answer becomes. "Nothing" leaves its status, and takes its body."""


def _between(body: bytes, begin: bytes, end: bytes, instead: bytes = b"") -> bytes:
    """The body with other words between these two; one without them stays as it is."""
    head, found, rest = body.partition(begin)
    _, closed, tail = rest.partition(end)
    return head + begin + instead + end + tail if found and closed else body
