"""What a page must send so that the destination keeps one of two copies of an event.

A page's own script (Meta's pixel, say) sends many of the events that a server sends as well. The destination drops one
of the two if name and id are the same. Only the mapping knows both; this says them the other way round: for the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..compiler.assembling import Transform
from ..compiler.parts import Parameter
from ..compiler.projection import label
from ..destinations.destination import Destination
from ..errors import Span
from ..events.program import Program

Kind = Literal["same", "derived", "missing", "unseen"]
_DERIVING = re.compile(r"\b(stable_id|sha256|md5|hmac_sha256|uuid5?)\b")


@dataclass(frozen=True, slots=True)
class PageCopy:
    """The copy of one event.

    kind        ``same``: the page sends the same id; ``derived``: the id is computed, so the page has to be given it;
                ``missing``: the mapping gives no id; ``unseen``: no page takes part in it
    name        the event's name, or "" if an expression gives it
    call        what the page calls, with words in capitals where a value belongs
    expression  what the mapping says the id is, and where that stands
    fields      the fields of the record that it reads
    """

    kind: Kind
    event: str
    name: str
    call: str = ""
    expression: str = ""
    span: Span | None = None
    fields: tuple[str, ...] = ()


def page_copies(program: Program) -> list[PageCopy]:
    """What the page must send for each event of a mapping; empty if the destination keeps all copies."""
    if program.destination.twin is None or program.destination.roles.id is None:
        return []
    return [_copy(transform, program.destination) for transform in program.compiled.transforms]


def _copy(transform: Transform, destination: Destination) -> PageCopy:
    twin, known = destination.twin, {one.path: one for one in transform.parameters}
    assert twin is not None
    for condition in twin.when:
        said = known.get(condition.path)
        if said is not None and said.literal and not condition.of(said.place.value):
            return PageCopy("unseen", transform.key, transform.name)
    identity = known.get(destination.roles.id or "")
    if identity is None:
        return PageCopy("missing", transform.key, transform.name, span=transform.place.key_span())
    form = twin.standard if transform.name in destination.standard_events else twin.custom
    fields = tuple(map(label, identity.paths))
    word = _as_constant(fields[0]) if len(fields) == 1 else ""
    kind: Kind = "derived" if _derives(identity) else "same"
    word = "THE_SAME_ID" if kind == "derived" or not word else word
    call = form.replace("{name}", transform.name or "THE EVENT'S NAME").replace("{id}", word)
    said_id = str(identity.place.value)
    return PageCopy(kind, transform.key, transform.name, call, said_id, identity.place.span(), fields)


def _as_constant(field: str) -> str:
    """``order.messageId`` as ``ORDER_MESSAGE_ID``."""
    return re.sub(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])", "_", field).strip("_").upper()


def _derives(identity: Parameter) -> bool:
    return bool(identity.digest) or bool(_DERIVING.search(str(identity.place.value)))


def explained(program: Program) -> Iterator[str]:
    """The same in words, a paragraph an event."""
    copies, twin = page_copies(program), program.destination.twin
    if twin is None or not copies:
        yield f"{program.destination.title} says nothing of copies that a page sends."
        return
    hours = twin.window // 3600
    yield (
        f"{program.destination.title} keeps one of two copies of an event if their names and ids are the same and they"
        f" arrive within {hours} hours. So the page has to call:"
    )
    for copy in copies:
        yield ""
        yield f"{copy.event}" + (f"  ({copy.span})" if copy.span else "")
        yield from (f"    {line}" for line in _told(copy))


def _told(copy: PageCopy) -> Iterator[str]:
    if copy.kind == "unseen":
        yield "No page takes part in it: there is no copy."
        return
    if copy.kind == "missing":
        yield "The mapping gives it no id: if the page sends it too, it counts twice."
        yield "Map an id that both can know, such as an order's number."
        return
    yield copy.call
    fields = " or ".join(copy.fields) or "a fixed text"
    if copy.kind == "derived":
        yield f"The id is computed ({copy.expression}), so a page cannot know it: write it into the page when your"
        yield f"server renders it, or map what the page knows ({fields}) as it is."
    elif len(copy.fields) == 1:
        yield f"The id must be the very text that records have as {fields}."
    else:
        yield f"The id must be what records have as {fields}: {copy.expression}"
