"""Which addresses may be fetched: the public web, and nothing of the network that we stand in."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, quote, urlsplit

from .failures import FetchError

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-zA-Z0-9._:-]{1,253}")
# Where the last 32 bits are an IPv4 address: NAT64, mapped, compatible and translated ones.
_HOLD_IPV4 = [ipaddress.ip_network(n) for n in ("64:ff9b::/96", "::ffff:0:0/96", "::/96", "::ffff:0:0:0/96")]
# What some Python takes for public and is not: a cloud's own services, protocols, relays, documentation.
_NOT_PUBLIC = [
    ipaddress.ip_network(n)
    for n in (
        "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
    )
]  # fmt: skip
# What stands in paths and queries as it is; "%" is of what is quoted already.
_KEPT = "%/:?[]@!$&'()*+,;=~"
_UNKNOWN = "names the host {host}, which is not known"
_NOT_FOUND = "names the host {host}, which could not be looked up"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class AddressRule:
    """What may be fetched: http and https on their own ports, from addresses that are global.

    Attributes
    ----------
    allow
        (address, port) pairs that may be fetched besides, a test's own server for example.
    names
        Addresses of host names that are not looked up.
    """

    allow: frozenset[tuple[str, int]] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    def split(self, url: str) -> SplitResult:
        """Return the parts of a URL that may be fetched, in ASCII and without its fragment.

        Raises
        ------
        FetchError
            If it is no http(s) address, holds a password, or names another port.
        """
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
            host = host if host.isascii() else host.encode("idna").decode()
        except ValueError:
            raise FetchError("is no address that can be fetched", lasting=True) from None
        if parts.scheme not in _PORTS:
            raise FetchError("does not begin with http:// or https://", lasting=True)
        if not _HOST.fullmatch(host):
            raise FetchError("names no host that could be looked up", lasting=True)
        if parts.username is not None or parts.password is not None:
            raise FetchError("holds a user name or a password; such addresses are not fetched", lasting=True)
        port = _PORTS[parts.scheme] if port is None else port
        if port not in _PORTS.values() and port not in {p for _, p in self.allow}:
            raise FetchError("names port {port:d}; only 80 and 443 are fetched from", port=port, lasting=True)
        host = f"[{host}]" if ":" in host else host
        netloc = host if port == _PORTS[parts.scheme] else f"{host}:{port}"
        path, query = quote(parts.path or "/", safe=_KEPT), quote(parts.query, safe=_KEPT)
        return SplitResult(parts.scheme, netloc, path, query, "")

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, all of which may be fetched from.

        Raises
        ------
        FetchError
            If any of them may not, or it has none.
        """
        addresses = [self.names[host]] if host in self.names else _look_up(host, port)
        for address in addresses:
            if (address, port) not in self.allow and not (port in _PORTS.values() and is_public(address)):
                raise FetchError(
                    "leads to {address}, which is no public address", address=address, lasting=True
                )
        return addresses


@dataclass(frozen=True, kw_only=True)
class OriginRule(AddressRule):
    """One origin alone, wherever it leads: the host names a server that may stand in the same network.

    Attributes
    ----------
    origin
        Scheme, host and port, as in ``http://localhost:8080``.
    """

    origin: str

    def split(self, url: str) -> SplitResult:
        """Return the parts of a URL of the origin; FetchError for any other, as a redirect may name."""
        try:
            given, own = _read_origin(url.strip()), _read_origin(self.origin)
        except ValueError:
            raise FetchError("is no address that can be fetched", lasting=True) from None
        if given != own:
            raise FetchError("does not begin with {origin}", origin=self.origin, lasting=True)
        opened = replace(self, allow=self.allow | {("", own[2])})
        return AddressRule.split(opened, url)

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of the origin's host, private ones too."""
        return [self.names[host]] if host in self.names else _look_up(host, port)


def _read_origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port; ValueError where a URL has none."""
    parts = urlsplit(url)
    port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    return parts.scheme, (parts.hostname or "").lower(), port


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet.

    Stricter than ``ipaddress.is_global``: no multicast, nothing reserved, and an IPv4 address inside an IPv6
    one (mapped, 6to4, Teredo, NAT64) has to be public itself.

    Examples
    --------
    >>> is_public("93.184.216.34"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = _find_embedded(ip)
        if inside:
            return all(_is_plain_public(i) for i in inside)
    return _is_plain_public(ip)


def _is_plain_public(ip: IPAddress) -> bool:
    if any(ip in network for network in _NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _find_embedded(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    found = [ip.sixtofour, *(ip.teredo or ())]
    if any(ip in network for network in _HOLD_IPV4):
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return [i for i in found if i is not None]


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        unknown = isinstance(e, socket.gaierror) and e.errno == socket.EAI_NONAME
        raise FetchError(_UNKNOWN if unknown else _NOT_FOUND, host=host, lasting=False) from None
    # a list without doubles, in the order of preference
    return list(dict.fromkeys(str(info[4][0]) for info in found))
