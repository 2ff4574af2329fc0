// The page: listens to the stream, draws what has changed, and asks for what is in sight.

import first from "/api/first.js";
import { detail } from "./detail.js";
import { faults, help, sure } from "./dialogs.js";
import { $, ask, copyButton, counted, h, number } from "./dom.js";
import { List } from "./list.js";
import { plot } from "./plot.js";
import { requestDetail } from "./request.js";
import { HEADS, eventRow, requestRow } from "./rows.js";
import { side } from "./side.js";

const CHIPS = [["", "All"], ["accepted", "Accepted"], ["refused", "Refused"], ["held", "Held"], ["merged", "Merged"], ["pixel", "Pixel"]];
const NARROW = matchMedia("(max-width: 720px)");
const ADA = "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72";
const EMPTY = { verdict: "", name: "", rule: "", code: "", q: "", request: "" };

let state = null;
let view = "events";
let filter = { ...EMPTY };
let upto = 0;
let opened = null; // {kind: "events" or "requests", id}
let drawn = -1;

const list = new List({
  box: $("list"),
  spacer: $("spacer"),
  height: () => (NARROW.matches ? 58 : 30),
  fetch: async (offset, limit) => {
    const asked = new URLSearchParams({ offset, limit });
    if (view === "events") for (const [name, value] of Object.entries({ ...filter, upto })) if (value) asked.set(name, value);
    return (view === "events" && given(asked)) || ask(`/api/${view}?${asked}`);
  },
  row: (item, index) => (view === "events" ? eventRow(state.keys)(item, index) : requestRow(item, index)),
  key: (item) => item.id,
  chosen: (item) => open(item.id, view),
  changed: empty,
});

// The newest events came with the page; what is asked for later has to be asked of the sandbox.
function given(asked) {
  const { events, limit } = first;
  first.events = null;
  return asked.toString() === `offset=0&limit=${limit}` ? events : null;
}

// -- the stream -------------------------------------------------------------------------------------------------

function listen() {
  const stream = new EventSource("/api/stream");
  stream.addEventListener("open", () => living(true));
  stream.addEventListener("error", () => living(false));
  stream.addEventListener("message", (message) => received(JSON.parse(message.data)));
}

function living(is) {
  $("live").classList.toggle("lost", !is);
  $("live-text").textContent = is ? "Live" : "Not connected";
}

async function received(next) {
  const isNew = state?.run !== next.run; // when the page is opened, or the sandbox was started again
  state = next;
  if (isNew) upto = 0;
  chrome();
  if ($("faults").open) faults(state, tell);
  if (isNew || state.changes !== drawn) {
    drawn = state.changes;
    if (isNew || list.atTop) upto = 0;
    else if (!upto) upto = state.last;
    await list.refresh();
    if (opened !== null) reopen();
  }
  newer();
}

// -- drawing ------------------------------------------------------------------------------------------------------

function chrome() {
  const { counts } = state;
  $("destination").textContent = state.destination;
  $("pixel").textContent = `pixel ${state.pixel}`;
  $("mode").hidden = !state.strict;
  $("mode").textContent = "strict";
  const set = state.faults.length + (state.expired ? 1 : 0);
  $("fault-count").hidden = !set;
  $("fault-count").textContent = set;
  document.title = counts.refused ? `${number(counts.refused)} refused – Sandbox` : "Sandbox";
  figures(counts);
  plot($("plot"), state.plot);
  side($("side"), state, filter, choose);
  chips(counts);
}

function figures(counts) {
  const whole = (counts.accepted ?? 0) + (counts.refused ?? 0) + (counts.held ?? 0);
  const gone = Object.values(state.pruned).reduce((sum, one) => sum + one, 0);
  const shown = [
    ["accepted", counts.accepted, "accepted"],
    ["refused", counts.refused, "refused"],
    ["held", counts.held, "held", "Not taken because another event of their request was refused"],
    ["merged", counts.dropped, "duplicates", "Copies that do not count"],
    ["", state.requests, state.requests === 1 ? "request" : "requests"],
  ];
  $("figures").replaceChildren(...shown.map(([kind, count, word, about]) => h("div", { class: `figure ${kind} ${count ? "" : "none"}`, title: about },
    h("b", {}, number(count ?? 0)), h("span", {}, word))));
  $("figures").title = gone ? `${counted(gone, "older event")} forgotten; the newest ${number(whole)} are kept` : "";
}

function chips(counts) {
  const count = { "": undefined, accepted: counts.accepted, refused: counts.refused, held: counts.held, merged: (counts.kept ?? 0) + (counts.dropped ?? 0), pixel: counts.pixel };
  $("chips").hidden = view !== "events";
  $("chips").replaceChildren(...CHIPS.map(([verdict, word], place) => h("button", {
    type: "button", class: `chip ${verdict}`, "aria-pressed": String(filter.verdict === verdict), title: `Key ${place + 1}`,
    onclick: () => choose({ verdict }),
  }, word, count[verdict] ? h("span", { class: "value" }, number(count[verdict])) : null)));
  const others = Object.entries(filter).filter(([name, value]) => value && !["verdict", "q"].includes(name));
  $("set").hidden = !others.length || view !== "events";
  $("set").replaceChildren(...others.map(([name, value]) => h("button", { type: "button", class: "set-one", title: "Take this filter away", onclick: () => choose({ [name]: "" }) },
    h("span", { class: "quiet" }, { code: "test code", request: "request" }[name] ?? name), ` ${value} `, h("span", { "aria-hidden": "true" }, "✕"))));
}

function newer() {
  const count = view === "events" && upto ? state.last - upto : 0;
  $("newer").hidden = count <= 0;
  $("newer").textContent = `↑ ${counted(count, "newer event")}`;
}

function empty(total) {
  $("empty").hidden = total > 0;
  if (total > 0) return;
  const isFiltered = view === "events" && Object.values(filter).some(Boolean);
  if (isFiltered) {
    $("empty").replaceChildren(h("h2", {}, "No event fits"), h("p", {}, h("button", { type: "button", onclick: () => choose(EMPTY) }, "Take the filters away")));
    return;
  }
  $("empty").replaceChildren(
    h("h2", {}, "Waiting for the first event"),
    h("p", {}, "Send to this address as you would to Meta, with the token that the sandbox printed when it started. What arrives appears here at once."),
    h("dl", { class: "ways" }, ways().map(([how, text]) => [h("dt", {}, how), h("dd", {}, h("pre", {}, h("code", {}, text)), copyButton(() => text))])));
}

// Ways to send a first event, each ready to be pasted. The hash is that of ada@example.com.
function ways() {
  const url = location.origin;
  const event = `{"event_name": "Lead", "event_time": '$(date +%s)', "action_source": "system_generated", "user_data": {"em": ["${ADA}"]}}`;
  return [
    ["With mapper", `mapper send MAPPING RECORDS --to ${url}`],
    ["With curl", `curl ${url}/v25.0/${state.pixel}/events \\\n  -F "access_token=$META_ACCESS_TOKEN" \\\n  -F 'data=[${event}]'`],
    ["With Meta's SDK for Python", `FacebookSession.GRAPH = "${url}"`],
  ];
}

// -- filters ------------------------------------------------------------------------------------------------------

async function choose(changes, next = view) {
  if (next !== view) show(next, false);
  filter = { ...filter, ...changes };
  $("search").value = filter.q;
  upto = 0;
  remember();
  chrome();
  await list.reset();
  newer();
  if (view === "events") tell(`${counted(list.total, "event")}`);
}

async function show(next, fetch = true) {
  view = next;
  list.clear();
  for (const name of ["events", "requests"]) {
    $(`tab-${name}`).setAttribute("aria-selected", String(name === view));
    $(`tab-${name}`).tabIndex = name === view ? 0 : -1;
  }
  $("panel").setAttribute("aria-labelledby", `tab-${view}`);
  $("list").setAttribute("aria-label", view === "events" ? "Events, newest first" : "Requests, newest first");
  $("work").dataset.view = view;
  $("head").className = `head ${view}`;
  $("head").replaceChildren(...HEADS[view].map((word) => h("span", {}, word)));
  if (opened !== null && opened.kind !== view) close(false);
  if (!fetch) return;
  upto = 0;
  remember();
  chrome();
  await list.reset();
  newer();
}

function remember() {
  const kept = Object.entries({ ...filter, view: view === "events" ? "" : view, open: opened?.id ?? "" }).filter(([, value]) => value);
  history.replaceState(null, "", kept.length ? `#${new URLSearchParams(kept)}` : location.pathname);
}

function recall() {
  const kept = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(EMPTY)) filter[name] = kept.get(name) ?? "";
  $("search").value = filter.q;
  show(kept.get("view") === "requests" ? "requests" : "events", false);
  if (/^\d{1,15}$/.test(kept.get("open") ?? "")) open(Number(kept.get("open")), view);
}

// -- one event or request ---------------------------------------------------------------------------------------------

async function open(id, kind = "events") {
  if (view !== kind) await show(kind);
  opened = { kind, id };
  list.openKey = id;
  remember();
  await reopen();
}

async function reopen() {
  const now = opened;
  let found;
  try {
    found = await ask(`/api/${now.kind}/${now.id}`);
  } catch {
    if (opened === now) close();
    return;
  }
  if (opened !== now) return;
  const box = $("detail");
  const version = now.kind === "events" ? `${found.verdict} ${found.attempts} ${found.merged}` : `${found.took}`;
  const place = `${now.kind} ${now.id}`;
  const same = box.dataset.place === place;
  if (same && box.dataset.version === version) return;
  const top = same ? box.querySelector(".scroll").scrollTop : 0;
  Object.assign(box.dataset, { place, version });
  box.setAttribute("aria-label", now.kind === "events" ? "Event" : "Request");
  (now.kind === "events" ? detail : requestDetail)(box, found, {
    close, open, openRequest: (id) => open(id, "requests"),
    show: (changes) => choose({ ...EMPTY, ...Object.fromEntries(Object.entries(changes).map(([k, v]) => [k, String(v)])) }, "events"),
  });
  const wasHidden = box.hidden;
  box.hidden = false;
  document.body.classList.add("open");
  box.querySelector(".scroll").scrollTop = top;
  if (wasHidden) list.draw();
  if (!same) tell(now.kind === "events" ? `${found.name}, ${found.verdict}${found.message ? `: ${found.message}` : ""}` : `Request ${found.id}, answered with ${found.status}`);
}

function close(focus = true) {
  if (opened === null) return;
  opened = null;
  list.openKey = null;
  $("detail").hidden = true;
  $("detail").dataset.place = "";
  document.body.classList.remove("open");
  remember();
  list.draw();
  if (focus) $("list").focus();
}

// -- the rest -------------------------------------------------------------------------------------------------------

function tell(text) {
  $("said").textContent = text;
}

function colours(next) {
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
}

function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme;
  const next = now === undefined ? (dark ? "light" : "dark") : undefined;
  colours(next);
  if (next) localStorage.setItem("theme", next);
  else localStorage.removeItem("theme");
}

function pressed(event) {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (event.key === "Escape" && !event.target.closest("dialog")) {
    if (opened !== null) close();
    else if (Object.values(filter).some(Boolean)) choose(EMPTY);
    $("list").focus();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = { "/": () => $("search").focus(), e: () => show("events"), r: () => show("requests"), f: () => faults(state, tell), "?": help };
  if (event.key in acts) acts[event.key]();
  else if (/^[1-6]$/.test(event.key) && view === "events") choose({ verdict: CHIPS[event.key - 1][0] });
  else if (["j", "k", "ArrowDown", "ArrowUp"].includes(event.key) && !event.target.closest(".scroll, .side")) {
    $("list").focus();
    list.pressed(event);
    return;
  } else return;
  event.preventDefault();
}

function start() {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") colours(kept);
  $("theme-button").addEventListener("click", theme);
  $("help-button").addEventListener("click", help);
  $("faults-button").addEventListener("click", () => faults(state, tell));
  $("clear-button").addEventListener("click", () => sure("Forget everything?", "All events and requests of this sandbox are deleted. Faults stay set.", "Forget", async () => {
    close();
    await ask("/api/clear", { method: "POST" });
  }));
  $("newer").addEventListener("click", async () => {
    upto = 0;
    await list.reset();
    newer();
    $("list").focus();
  });
  $("side-button").addEventListener("click", () => {
    const is = document.body.classList.toggle("groups");
    $("side-button").setAttribute("aria-expanded", String(is));
  });
  for (const name of ["events", "requests"]) {
    $(`tab-${name}`).addEventListener("click", () => show(name));
    $(`tab-${name}`).addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = name === "events" ? "requests" : "events";
      show(other);
      $(`tab-${other}`).focus();
    });
  }
  let typing;
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => choose({ q: $("search").value.trim() }, "events"), 150);
  });
  $("list").addEventListener("scroll", () => {
    if (view === "events" && list.atTop && upto) {
      upto = 0;
      list.refresh();
      newer();
    } else if (view === "events" && !list.atTop && !upto && state) upto = state.last;
  }, { passive: true });
  NARROW.addEventListener("change", () => list.draw());
  document.addEventListener("keydown", pressed);
  recall();
  received(first.state);
  listen();
}

start();
