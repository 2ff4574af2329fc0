"""Addresses of visitors (IP) as logs, proxies and cookies write them, and whether they are somebody's own.

What counts as private is what Meta's Parameter Builder leaves out: other special networks, such as those of
documentation, are sent.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

APPENDIX: Final = "AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8}"
"""What the Parameter Builder puts behind a value, after a dot, to say which of its versions made it."""

_APPENDED: Final = re.compile(rf"(?P<address>.+?)(?P<token>\.(?:{APPENDIX}))(?P=token)*")
_PORT: Final = re.compile(r"(?P<four>[0-9.]+):[0-9]{1,5}|\[(?P<six>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?", re.ASCII)
_PRIVATE_4: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16")
)
_PRIVATE_6: Final = tuple(ipaddress.ip_network(network) for network in ("::1/128", "fe80::/10", "fc00::/7"))


def is_private(written: str) -> bool:
    """Whether an address lies inside a network, so that it is not the visitor's own. ``ValueError`` if it is none."""
    address = ipaddress.ip_address(written)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return True
        if address.ipv4_mapped is None:
            return any(address in network for network in _PRIVATE_6)
        address = address.ipv4_mapped
    return any(address in network for network in _PRIVATE_4)


def bare(written: str) -> str:
    """An address without an appendix of the Parameter Builder, which may stand there several times."""
    appended = _APPENDED.fullmatch(written)
    return appended["address"] if appended is not None else written


def without_port(written: str) -> str:
    """An address without the port that some proxies write behind it, and without the brackets around it."""
    found = _PORT.fullmatch(written)
    return (found["four"] or found["six"]) if found is not None else written


def is_own(written: str) -> bool:
    """Whether this is an address, and not a private one."""
    try:
        return not is_private(written)
    except ValueError:
        return False
