"""Why a value cannot be used, as a stable word with its meaning."""

from __future__ import annotations

from typing import Any, Final

CODES: Final = {
    "wrong-type": "it is of the wrong type",
    "word-for-nothing": "it is what programs write where they have nothing, such as null or undefined",
    "bad-email": "it is not an e-mail address",
    "bad-phone": "it is not a phone number",
    "phone-length": "a phone number has 7 to 15 digits, with its country code",
    "phone-trunk-zero": "the '(0)' in a phone number with a country code makes another number",
    "bad-name": "it has no letters",
    "bad-date": "it is not a date of birth: a real day from 1900 to today",
    "bad-gender": "it is no word for a gender that is known",
    "bad-city": "it is not the name of a city",
    "bad-state": "it is not the name of a state",
    "bad-postal-code": "it is not a postal code",
    "bad-country": "it is no country: use its two-letter code",
    "number-not-text": "it is a number, so leading zeros are lost: send text",
    "md5": "it is an MD5 hash, which matches nobody: send the plain value",
    "not-hashed": "it is said to be hashed, and is not a SHA-256 hash",
    "looks-hashed": "it looks like a hash, and must be sent as it is",
    "empty-hash": "it is the hash of nothing: an empty value was hashed before it came here",
    "bad-ip": "it is not an IP address",
    "private-ip": "it is an address inside a network, not the visitor's own",
    "bad-click-id": "it is not of the form fb.1.<milliseconds>.<id>",
    "click-id-seconds": "its time is in seconds, where milliseconds belong",
    "bad-url": "it is not a web address that begins with https:// or http://",
    "bad-currency": "it is no currency: use its three-letter code, such as EUR",
    "bad-number": "it is not a number",
    "negative": "it is less than nothing",
    "too-small": "it is less than the least that is allowed",
    "too-large": "it is more than the most that is allowed",
    "bad-integer": "it is not a whole number",
    "bad-boolean": "it is not true or false",
    "bad-flag": "it is not 0 or 1",
    "bad-time": "it is not a time: Unix seconds, or ISO 8601 with an offset",
    "milliseconds": "it is a time in milliseconds: write '| from_ms'",
    "time-without-zone": "it is a time without a zone: write \"| to_time(zone='Europe/Berlin')\"",
    "not-one-of": "it is none of the values that are possible",
    "too-long": "it is too long",
    "incomplete": "a part that it cannot do without is empty",
    "several": "it is a list of several, where one value belongs",
}
"""What each code means, to follow 'could not be used:'. None of them needs the value to be understood."""


class UnusableError(Exception):
    """A value was there and cannot be used. Never leaves this package."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DoubtfulError(Exception):
    """A value is sent, with a warning. Never leaves this package."""

    def __init__(self, code: str, value: Any) -> None:
        super().__init__(code)
        self.code = code
        self.value = value
