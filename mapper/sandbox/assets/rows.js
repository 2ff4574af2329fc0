// A row of the list: an event, or a request.

import { VERDICTS, amount, bytes, counted, h, kindOf, mark, number, time } from "./dom.js";

const KEY_GROUPS = [
  ["em", ["em"]],
  ["ph", ["ph"]],
  ["name", ["fn", "ln"]],
  ["ip", ["client_ip_address"]],
  ["agent", ["client_user_agent"]],
  ["id", ["external_id"]],
  ["click", ["fbc"]],
  ["browser", ["fbp"]],
];

export const HEADS = {
  events: ["Time", "", "Event", "Event ID", "What became of it", "Value", "Match keys"],
  requests: ["Time", "Status", "Events", "Answer", "Client", "Size", "Took"],
};

export function eventRow(keys) {
  return (event) => h("div", { class: `row event ${event.verdict}` },
    cell("time", time(event.at)),
    cell("verdict", mark(event)),
    cell("name", event.name || h("i", {}, "no name")),
    cell("id mono", event.event_id),
    cell("why", why(event)),
    h("span", { class: "cell worth", role: "gridcell", title: amount(event.value, event.currency) }, amount(event.value, event.currency)),
    cell("keys", dots(event, keys)),
  );
}

const cell = (kind, ...content) => h("span", { class: `cell ${kind}`, role: "gridcell" }, ...content);

function why(event) {
  const tags = [];
  if (event.merged === "dropped") tags.push(h("span", { class: "tag merged", title: "Its copy counts instead" }, "duplicate"));
  if (event.merged === "kept") tags.push(h("span", { class: "tag merged", title: "Its copy was dropped" }, "merged"));
  if (event.merged === "repeat") tags.push(h("span", { class: "tag", title: "Same name and id came from the same side before" }, "sent before"));
  if (event.test_code) tags.push(h("span", { class: "tag" }, event.test_code));
  if (event.attempts > 1) tags.push(h("span", { class: "tag again", title: `Sent ${event.attempts} times` }, `×${event.attempts}`));
  const warned = event.warned ? h("span", { class: "warned" }, counted(event.warned, "remark")) : null;
  return [...reason(event), ...tags, warned].filter(Boolean);
}

function reason(event) {
  if (event.verdict === "refused") return [h("code", {}, event.path || "event"), h("span", { class: "rule" }, event.rule)];
  const word = { held: "held with its request", pixel: "from the pixel" }[kindOf(event)];
  return [h("span", { class: "quiet" }, word ?? (event.action_source || "accepted").replaceAll("_", " "))];
}

function dots(event, keys) {
  const has = (key) => event.keys & (1 << keys.indexOf(key));
  const names = KEY_GROUPS.filter(([, group]) => group.some(has)).map(([name]) => name);
  return h("span", { class: "dots", title: names.length ? `Match keys: ${names.join(", ")}` : "No match keys" },
    KEY_GROUPS.map(([, group]) => h("i", { class: group.some(has) ? "on" : "", "aria-hidden": "true" })),
    h("span", { class: "unseen" }, names.length ? names.join(", ") : "none"));
}

export function requestRow(request) {
  const ok = request.status === 200;
  const answer = request.fault
    ? [h("span", { class: "tag fault" }, request.fault), request.message]
    : request.code
      ? [h("code", {}, request.subcode ? `${request.code}/${request.subcode}` : request.code), request.message]
      : [h("span", { class: "quiet" }, request.source === "pixel" ? "an image of one dot" : `events_received ${number(request.accepted)}`)];
  return h("div", { class: `row request ${ok ? "accepted" : "refused"}` },
    cell("time", time(request.at)),
    cell("status", h("span", { class: `status ${ok ? "accepted" : "refused"}` }, request.status || "cut")),
    cell("events", events(request)),
    cell("answer", ...answer.filter(Boolean)),
    cell("agent", request.source === "pixel" ? "pixel" : request.agent),
    cell("size", request.bytes ? bytes(request.bytes) : ""),
    cell("took", request.took ? `${(1000 * request.took).toFixed(request.took < 0.01 ? 1 : 0)} ms` : ""),
  );
}

function events(request) {
  const parts = [["accepted", request.accepted], ["refused", request.refused], ["held", request.held]].filter(([, count]) => count);
  if (!parts.length) return request.events ? h("span", { class: "quiet", title: "Not looked at" }, number(request.events)) : h("span", { class: "quiet" }, "–");
  return h("span", { class: "split" }, parts.map(([kind, count]) => h("span", { class: kind, title: `${number(count)} ${kind}` }, h("i", { "aria-hidden": "true" }, VERDICTS[kind].mark), number(count))));
}
