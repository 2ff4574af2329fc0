"""What Meta answers when an event breaks a rule: the code, the subcode and the title that belong to it.

Source: recorded answers of the API and the constants of Meta's and others' clients; a rule without a known subcode
is answered with a plain 100. Which rule an event breaks is the destination file's business, not this module's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..destinations.destination import Destination
from ..destinations.validation import Finding
from . import replies
from .replies import Reply


@dataclass(frozen=True, slots=True)
class _Known:
    subcode: int
    title: str


_TOO_OLD: Final = _Known(2804003, "Event Timestamp Too Old")
_AHEAD: Final = _Known(2804004, "Event Timestamp In The Future")
_KNOWN: Final[Mapping[tuple[str, str], _Known]] = {
    ("M05", "app_data.extinfo[4]"): _Known(2804043, "Missing OS Version"),
    ("M06", "event_name"): _Known(2804066, "Event Type Not Allowed For Messaging"),
    ("M06", "user_data.whatsapp_business_account_id"): _Known(2804116, "Missing Page Or WhatsApp Business Account"),
    ("M06", "user_data.page_id"): _Known(2804116, "Missing Page Or WhatsApp Business Account"),
    ("M07", "custom_data.currency"): _Known(2804010, "Missing Currency for Purchase Event"),
    ("M07", "custom_data.value"): _Known(2804009, "Missing Value for Purchase Event"),
    ("M09", ""): _Known(2804050, "Insufficient Customer Information"),
    ("M10", ""): _Known(2804030, "Incomplete Data Processing Options"),
}
_TITLE: Final = "Invalid Parameter"


def refused(
    destination: Destination, index: int, finding: Finding, event: Any, now: float, trace: str, *, terse: bool = False
) -> Reply:
    """The whole request is refused because of one event.

    index   the place of the event in the request
    event   as it arrived; only its time is looked at, to tell too old from too new
    terse   as sparing as Meta: without the place and the rule
    """
    known = _known(finding, event, now)
    place = f"data[{index}]" + (f".{finding.path}" if finding.path else "")
    more: dict[str, Any] = {"is_transient": False}
    if known is not None:
        more["error_subcode"] = known.subcode
    more["error_user_title"] = known.title if known is not None else _TITLE
    said = " ".join(filter(None, (finding.message + ".", finding.remedy)))
    more["error_user_msg"] = said if terse else f"{place}: {said} [{finding.rule}]"
    if not terse:
        more["error_data"] = {"blame_field_specs": [[place]]}
    message = "Invalid parameter"
    if finding.rule == destination.checks.get("unknown-keys"):
        parent, _, key = finding.path.rpartition(".")
        message = f'(#100) Unexpected key "{key}" on param "{_bracketed(index, parent)}"'
    return replies.error(400, 100, message, trace, **more)


def _known(finding: Finding, event: Any, now: float) -> _Known | None:
    if finding.rule == "M02":
        at = event.get("event_time") if isinstance(event, dict) else None
        if isinstance(at, int | float) and not isinstance(at, bool):
            return _AHEAD if at > now else _TOO_OLD
        return None
    return _KNOWN.get((finding.rule, finding.path)) or _KNOWN.get((finding.rule, ""))


def _bracketed(index: int, parent: str) -> str:
    """A place as Meta writes it: ``$['data'][0]['user_data']``."""
    names = "".join(f"['{name}']" for name in parent.split(".") if name)
    return f"$['data'][{index}]{names}"
