"""The endpoint: ``POST /{version}/{pixel}/events``, answered as Meta answers.

A request passes its gates in Meta's order: the path and the version, the body, the token, the pixel, the events. It is
refused at the first that it does not pass, and nothing of it is taken. Addresses are never logged: they hold tokens.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..destinations.destination import Destination
from . import bodies, faults, refusals, replies
from .bodies import BodyError, Parameters
from .faults import Fault, FaultError, Plan
from .judging import Judge
from .masking import plain
from .records import Arrival
from .replies import Reply
from .store import Store

CUT: Final = "mapper.sandbox.cut"
"""Where the server leaves a function that breaks the connection of a request."""

OLDEST_VERSION: Final = (21, 0)
"""Older ones were retired by September 2026 (Meta's changelog of versions)."""

_VERSION: Final = re.compile(r"v([0-9]{1,3})\.([0-9]{1,2})\Z")
_GRAPH: Final = "GraphMethodException"


@dataclass(frozen=True, slots=True)
class Options:
    """How an endpoint behaves.

    pixel_id    the only pixel there is
    token       the only token that may send to it
    app_secret  if set, requests need the proof of it
    strict      refuse for what is reported only later, too
    production  refuse a test event code
    terse       answer as sparingly as Meta: neither place nor rule
    max_body    bytes of a body, unpacked
    seconds     for a body to arrive
    """

    pixel_id: str
    token: str
    app_secret: str = ""
    strict: bool = False
    production: bool = False
    terse: bool = False
    max_body: int = bodies.MAX_BODY
    seconds: float = bodies.SECONDS

    def __repr__(self) -> str:
        return f"Options(pixel_id={self.pixel_id!r}, strict={self.strict})"


class Endpoint:
    """Answers requests for one pixel."""

    def __init__(
        self, destination: Destination, store: Store, options: Options, plan: Plan, clock: Callable[[], float]
    ) -> None:
        self.destination, self.store, self.options, self.plan, self.clock = destination, store, options, plan, clock
        self.judge = Judge(destination, strict=options.strict)
        # One request after the other: judging is all computing, and threads would only take turns at it.
        self._turn = anyio.CapacityLimiter(1)

    async def events(self, request: Request) -> Response:
        """One request, from its path to its answer."""
        started, trace = time.perf_counter(), replies.trace_id()
        arrival = self._arrival(request, trace)
        try:
            body = await bodies.read(request, self.options.max_body, self.options.seconds)
            said = await bodies.parameters(request, body)
        except ClientDisconnect:
            return Response(status_code=400)
        except BodyError as error:
            code = 100 if error.status == 400 else 1
            headers = {"Connection": "close"} if error.status in (408, 413) else {}
            reply = replies.error(error.status, code, error.message, trace, headers=headers)
            return await self._finish(arrival, reply, started)
        test_code = plain(said.test_event_code, 64)
        arrival = replace(arrival, form=said.form, bytes=len(body), test_code=test_code)
        stopped = self._gate(request, said, trace)
        if stopped is not None:
            return await self._finish(arrival, stopped, started)
        raws = bodies.events_of(said.data)
        arrival = replace(arrival, events=len(raws or ()))
        try:
            struck = self.plan.draw(request.headers.get(faults.HEADER, ""))
        except FaultError as error:
            return await self._finish(arrival, replies.error(400, 100, str(error), trace), started)
        return await self._answered(request, arrival, said, raws, struck, started)

    async def _answered(
        self,
        request: Request,
        arrival: Arrival,
        said: Parameters,
        raws: list[bytes] | None,
        struck: list[Fault],
        started: float,
    ) -> Response:
        """The answer, with the faults that strike it."""
        arrival = replace(arrival, fault="; ".join(map(str, struck)))
        for fault in struck:
            if fault.kind == "latency":
                await asyncio.sleep(fault.seconds)
                continue
            if fault.kind == "cut-before":
                await self._finish(arrival, Reply(0, {}), started)
                return await _cut(request)
            reply = faults.instead(fault, arrival.trace)
            if reply is not None:
                return await self._finish(arrival, reply, started)
        taking = partial(self._take, arrival, said, raws, struck, started)
        reply = await anyio.to_thread.run_sync(taking, limiter=self._turn)
        if any(fault.kind == "cut-after" for fault in struck):
            return await _cut(request)
        return reply.response()

    def _arrival(self, request: Request, trace: str) -> Arrival:
        version = request.path_params.get("version", "")
        agent = plain(request.headers.get("user-agent", ""), 80)
        return Arrival(at=self.clock(), version=plain(version, 12), trace=trace, agent=agent)

    def _gate(self, request: Request, said: Parameters, trace: str) -> Reply | None:
        """What stops a request before its events are looked at, or None."""
        if request.method != "POST":
            return replies.error(400, 100, f"Unsupported {request.method.lower()} request.", trace, kind=_GRAPH)
        version = request.path_params.get("version")
        found = _VERSION.match(version) if version else None
        if version and found is None:
            return replies.error(400, 2500, "Unknown path components", trace)
        header = request.headers.get("authorization", "")
        token = said.access_token or (header[7:].strip() if header[:7].lower() == "bearer " else "")
        if not token:
            return replies.error(400, 104, "An access token is required to request this resource.", trace)
        if not hmac.compare_digest(token.encode(), self.options.token.encode()):
            return replies.error(401, 190, "Invalid OAuth access token - Cannot parse access token", trace)
        if self.plan.expired:
            return faults.expired(trace)
        if found is not None and (int(found[1]), int(found[2])) < OLDEST_VERSION:
            message = "(#2635) You are calling a deprecated version of the Ads API. Please update to the latest version"
            return replies.error(400, 2635, message, trace)
        if request.path_params["pixel"] != self.options.pixel_id:
            message = (
                "Unsupported post request. The object does not exist, cannot be loaded due to missing permissions, "
                "or does not support this operation."
            )
            return replies.error(400, 100, message, trace, kind=_GRAPH, error_subcode=33)
        return self._proof(token, said.appsecret_proof, trace)

    def _proof(self, token: str, proof: str, trace: str) -> Reply | None:
        secret = self.options.app_secret
        if not secret:
            return None
        if not proof:
            message = "API calls from the server require an appsecret_proof argument"
            return replies.error(400, 100, message, trace, kind=_GRAPH)
        if not hmac.compare_digest(hmac.new(secret.encode(), token.encode(), sha256).hexdigest(), proof):
            message = "Invalid appsecret_proof provided in the API argument"
            return replies.error(400, 100, message, trace, kind=_GRAPH)
        return None

    def _take(
        self, arrival: Arrival, said: Parameters, raws: list[bytes] | None, struck: list[Fault], started: float
    ) -> Reply:
        """Judge the events, keep them, answer."""
        reply = self._unusable(said, raws, arrival)
        if reply is not None or raws is None:
            reply = reply or self._empty(said, arrival.trace)
            self._keep(arrival, reply, started)
            return reply
        judged, fault = self.judge.judge(raws, arrival.at)
        if fault is None:
            reply = replies.received(len(raws), arrival.trace, replies.usage(0))
        else:
            reply = refusals.refused(
                self.destination,
                fault.index,
                fault.finding,
                fault.event,
                arrival.at,
                arrival.trace,
                terse=self.options.terse,
            )
        for one in struck:
            reply = faults.spoilt(one, reply)
        number = self.store.add(_noted(arrival, reply), judged)
        self.store.answered(number, time.perf_counter() - started)
        return reply

    def _unusable(self, said: Parameters, raws: list[bytes] | None, arrival: Arrival) -> Reply | None:
        """What is wrong with a request as a whole."""
        if not raws:
            return self._empty(said, arrival.trace)
        most = self.destination.batch.max_events
        if len(raws) > most:
            message = f"(#100) Param data must have at most {most} elements"
            rule = self.destination.checks.get("batch", "")
            more = "" if self.options.terse else f"data: {len(raws)} events in one request; the most is {most} [{rule}]"
            return replies.error(
                400, 100, message, arrival.trace, error_user_title="Too Many Events", error_user_msg=more
            )
        if self.options.production and said.test_event_code:
            rule = self.destination.checks.get("test-code", "")
            message = "(#100) test_event_code must not be set"
            more = f"test_event_code: a test code is set, and this sandbox stands for production [{rule}]"
            return replies.error(400, 100, message, arrival.trace, error_user_msg=more)
        return None

    def _empty(self, said: Parameters, trace: str) -> Reply:
        """There are no events; the hint tells the usual reasons apart."""
        if said.form == "":
            hint = "The body was not looked at: send it with Content-Type: application/json, or as a form."
        elif not said.data:
            hint = "Send the events as a list under 'data'."
        else:
            hint = "'data' must be a list of at least one event."
        return replies.error(
            400, 100, "(#100) The parameter data is required", trace, error_user_title="No Events", error_user_msg=hint
        )

    def _keep(self, arrival: Arrival, reply: Reply, started: float) -> None:
        self.store.add(replace(_noted(arrival, reply), took=time.perf_counter() - started))

    async def _finish(self, arrival: Arrival, reply: Reply, started: float) -> Response:
        await anyio.to_thread.run_sync(self._keep, arrival, reply, started, limiter=self._turn)
        return reply.response()


def _noted(arrival: Arrival, reply: Reply) -> Arrival:
    """A request with its answer."""
    return replace(
        arrival, status=reply.status, code=reply.code, subcode=reply.subcode, message=plain(reply.message, 200)
    )


async def _cut(request: Request) -> Response:
    """Break the connection; where the server cannot, an empty answer is the nearest thing."""
    cut = request.scope.get(CUT)
    if cut is not None:
        cut()
        await asyncio.sleep(0.01)  # the loss is noticed in the loop's next turns; until then nothing may be written
    return Response(status_code=502)
