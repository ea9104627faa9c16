"""One photo from its web address, under the rules of fetching; importing this loads no other service."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ..errors import AddressError, Message
from ..inbox import clean_name
from ..photos import MAX_BYTES, count_pixels
from .web import PHOTOS, AddressRule, Fetcher, FetchError

# The longest address that is taken, far longer than a photo's; and how much of one a sentence shows.
_LONGEST, _SHOWN = 2048, 60
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# a host's name with a dot in it, which is no scheme
_HOST = re.compile(r"[^\s/:@]+\.[^\s/:@.]+\.?(:\d+)?([/?#]|$)")
_DATA = re.compile(r"data:image/([a-z0-9.+-]+)((?:;[^,;]*)*?)(;base64)?,", re.IGNORECASE)
# What may be the network's fault here as much as the address's: without one, systems call every host unknown.
_UNREACHED = (
    "names the host {host}, which is not known",
    "names the host {host}, which could not be looked up",
    "could not be connected to",
)
_INSTEAD = Message("Save the photo on your device and choose the file instead.")
_AGAIN = Message("Try again in a minute, or save the photo on your device and choose the file.")
_PICTURE = Message("Copy the address of the picture itself, or save it on your device and choose the file.")


def fetch_photo(
    url: str,
    *,
    rule: AddressRule | None = None,
    seconds: float = 20.0,
    headers: Mapping[str, str] | None = None,
) -> tuple[str, bytes]:
    """Fetch one photo.

    Parameters
    ----------
    url
        An http or https address, also without its ``https://``; or a picture as ``data:image/...;base64,``.
    rule
        What may be fetched; by default the public web.
    seconds
        The longest time that it may take in all.
    headers
        What the request says besides, to every hop that the rule lets through.

    Returns
    -------
    name, data
        A short name, and the bytes of what is a photo by its header.

    Raises
    ------
    AddressError
        If there is no photo to be had: what is wrong and what to do, in one or two sentences.
    """
    address = url.strip()
    if address[:5].lower() == "data:":
        return _read_data(address)
    address = _complete(address)
    try:
        with Fetcher(rule) as fetcher:
            data = fetcher.get(address, max_bytes=MAX_BYTES, seconds=seconds, accept=PHOTOS, headers=headers)
    except FetchError as e:
        if e.reason.template in _UNREACHED:
            raise AddressError(
                "This page could not reach {address}: it may have no network, or the address may be wrong. "
                "{advice}",
                address=_show(address),
                advice=_INSTEAD,
            ) from None
        raise AddressError(
            "{address} {reason}. {advice}",
            address=_show(address),
            reason=_hide_network(e.reason),
            advice=_AGAIN if e.soon else _INSTEAD,
        ) from None
    if not count_pixels(data):
        raise AddressError(
            "{address} {reason}. {advice}", address=_show(address), reason=_describe(data), advice=_PICTURE
        )
    return clean_name(unquote(urlsplit(address).path)), data


def _complete(address: str) -> str:
    """Return an address with its scheme."""
    if not address:
        raise AddressError("There is no address. Enter one that leads to a photo, https://... for example.")
    if len(address) > _LONGEST:
        raise AddressError(
            "This address is longer than {most:,} characters. {advice}", most=_LONGEST, advice=_INSTEAD
        )
    if _SCHEME.match(address):
        return address
    if address.startswith("//"):
        return f"https:{address}"
    if _HOST.match(address):
        return f"https://{address}"
    raise AddressError(
        "{address} is no web address. Enter one that begins with https://.", address=_show(address)
    )


def _read_data(address: str) -> tuple[str, bytes]:
    """Return the picture that an address holds itself."""
    found = _DATA.match(address, 0, 200)
    if not found or not found[3]:
        raise AddressError("This data: address holds no picture in base64. {advice}", advice=_INSTEAD)
    text = "The picture in this address has more than {most} MB. {advice}"
    too_large = AddressError(text, most=MAX_BYTES // 2**20, advice=_INSTEAD)
    if len(address) > 4 * MAX_BYTES:
        raise too_large
    try:
        data = base64.b64decode(unquote_to_bytes(address[found.end() :]), validate=True)
    except (binascii.Error, ValueError):
        raise AddressError("The picture in this address is damaged. {advice}", advice=_INSTEAD) from None
    if len(data) > MAX_BYTES:
        raise too_large
    if not count_pixels(data):
        raise AddressError("What is in this address is no photo that can be read. {advice}", advice=_INSTEAD)
    return clean_name(f"photo.{found[1].lower()}"), data


def _hide_network(reason: Message) -> Message:
    """Return a reason without what the visitor of a page should not learn: addresses in our network."""
    return Message("leads to no public address") if reason.startswith("leads to ") else reason


def _describe(body: bytes) -> Message:
    start = body[:2000].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) or b"<head" in start:
        return Message("is a web page, not a photo")
    return Message("is no photo that can be read")


def _show(address: str) -> str:
    """Return an address as it stands in a sentence: without password and query, and not too long."""
    short = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", address, maxsplit=1)[0])
    return short if len(short) <= _SHOWN else f"{short[: _SHOWN - 1]}…"
