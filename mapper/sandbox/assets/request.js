// One request, opened: how it came, what was answered, and which of its events were at fault.

import { bytes, close as closing, counted, h, moment, number } from "./dom.js";

const FORMS = { json: "JSON", form: "a form", multipart: "a form of several parts", pixel: "the pixel" };

export function requestDetail(box, request, { close, open, show }) {
  const ok = request.status === 200;
  box.replaceChildren(
    h("header", {},
      h("span", { class: `status ${ok ? "accepted" : "refused"}` }, request.status || "cut"),
      h("div", { class: "title" }, h("h2", {}, `Request ${number(request.id)}`), h("p", { class: "quiet" }, moment(request.at))),
      closing(close)),
    h("div", { class: "scroll", tabindex: "0" }, answer(request, ok), wrong(request, open), facts(request), h("section", {}, events(request, show))),
  );
}

function answer(request, ok) {
  const title = request.fault ? `Struck by a fault: ${request.fault}` : ok ? "Accepted" : "Refused";
  const texts = {
    true: `${counted(request.accepted, "event")} taken.`,
    false: request.status === 0 ? "The connection was broken before an answer." : request.message,
  };
  return h("section", { class: `callout ${request.fault ? "held" : ok ? "accepted" : "refused"}` },
    h("h3", {}, title),
    h("p", {}, texts[ok]),
    request.code ? h("p", { class: "quiet" }, "Meta's code ", h("code", {}, request.code), request.subcode ? [", subcode ", h("code", {}, request.subcode)] : null) : null);
}

// Which events were at fault: one is enough for Meta to take none of the others.
function wrong(request, open) {
  if (!request.wrong.length) return null;
  const more = request.refused - request.wrong.length;
  return h("section", {}, h("h3", {}, "At fault"),
    h("ul", { class: "remarks" }, request.wrong.map((one) => h("li", {},
      h("p", {}, h("button", { type: "button", class: "link", onclick: () => open(one.id) }, one.name || "(no name)"), " ", h("span", { class: "mono quiet" }, one.event_id)),
      h("p", { class: "where" }, h("code", {}, one.path || "event"), h("span", { class: "tag" }, one.rule))))),
    more > 0 ? h("p", { class: "quiet" }, `and ${counted(more, "more", "more")}`) : null);
}

function facts(request) {
  const rows = [
    ["Came as", FORMS[request.form] ?? "a body that was not looked at"],
    ["Version", request.version || "none named"],
    ["Client", request.agent || "did not say"],
    ["Test code", request.test_code],
    ["Size", request.bytes ? bytes(request.bytes) : ""],
    ["Answered in", request.took ? `${(1000 * request.took).toFixed(request.took < 0.01 ? 1 : 0)} ms` : ""],
    ["fbtrace_id", request.trace],
  ].filter(([, value]) => value);
  return h("section", {}, h("h3", {}, "Request"), h("table", { class: "parameters" }, h("tbody", {},
    rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, h("span", {}, name)), h("td", { class: "mono" }, value))))));
}

function events(request, show) {
  const kept = request.accepted + request.refused + request.held;
  if (!kept) return h("p", { class: "quiet" }, request.events ? `Its ${counted(request.events, "event")} were not looked at.` : "It brought no events.");
  return h("button", { type: "button", onclick: () => show({ request: request.id }) }, `Show its ${counted(kept, "event")}`);
}
