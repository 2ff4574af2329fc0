// Dialogs: faults to inject, the keyboard, and whether one is sure.

import { $, ask, h } from "./dom.js";

const KEYS = [
  ["↓ ↑ or j k", "next and previous event"],
  ["Enter", "open it"],
  ["Esc", "close it, or take the filters away"],
  ["/", "search"],
  ["1 – 6", "all, accepted, refused, held, merged, pixel"],
  ["e, r", "events, requests"],
  ["f", "faults"],
  ["Home, End", "newest, oldest"],
];

function frame(dialog, id, title, ...content) {
  dialog.replaceChildren(h("form", { method: "dialog" },
    h("header", {}, h("h2", { id }, title), h("button", { class: "plain close", value: "cancel", title: "Close (Esc)" }, h("span", { "aria-hidden": "true" }, "✕"), h("span", { class: "unseen" }, "Close"))),
    ...content));
}

export function help() {
  frame($("help"), "help-title", "Keyboard", h("dl", { class: "keys" }, KEYS.map(([keys, what]) => [h("dt", {}, keys.split(" ").map((key) => (/^(or|–)$/.test(key) ? ` ${key} ` : h("kbd", {}, key.replace(",", ""))))), h("dd", {}, what)])));
  $("help").showModal();
}

export function sure(title, text, word, act) {
  const dialog = $("sure");
  frame(dialog, "sure-title", title, h("p", {}, text), h("footer", {},
    h("button", { value: "cancel" }, "Cancel"), h("button", { class: "danger", value: "ok" }, word)));
  dialog.onclose = () => dialog.returnValue === "ok" && act();
  dialog.returnValue = "";
  dialog.showModal();
}

// The dialog stays open and is drawn anew when the state changes.
export function faults(state, tell) {
  const dialog = $("faults");
  const chosen = dialog.querySelector("select")?.value ?? "throttle-80004";
  if (!dialog.open) dialog.showModal();
  else if (dialog.dataset.drawn === JSON.stringify([state.faults, state.expired])) return;
  dialog.dataset.drawn = JSON.stringify([state.faults, state.expired]);
  const note = h("p", { class: "quiet", id: "fault-about" });
  const select = h("select", { id: "fault-kind" }, Object.keys(state.kinds).map((kind) => h("option", { value: kind, selected: kind === chosen }, kind)));
  const field = (id, label, value, extra = {}) => h("label", {}, h("span", {}, label), h("input", { id, type: "number", value, min: 0, step: "any", ...extra }));
  const seconds = field("fault-seconds", "Seconds", 2, { max: 3600 });
  const rate = field("fault-rate", "Share of requests, %", 100, { max: 100 });
  const times = field("fault-times", "Times", 1, { min: 1, step: 1, placeholder: "until removed" });
  const adapt = () => {
    note.textContent = `${state.kinds[select.value][0].toUpperCase()}${state.kinds[select.value].slice(1)}.`;
    seconds.hidden = !/^(latency|throttle)/.test(select.value);
    times.hidden = select.value === "expired";
  };
  select.addEventListener("change", adapt);
  adapt();
  const failed = h("p", { class: "error", role: "alert" });
  const inject = async () => {
    const parts = [];
    if (!seconds.hidden) parts.push(`seconds=${seconds.lastChild.value}`);
    if (rate.lastChild.value !== "100") parts.push(`rate=${rate.lastChild.value / 100}`);
    if (!times.hidden && times.lastChild.value) parts.push(`times=${times.lastChild.value}`);
    failed.textContent = "";
    try {
      await ask("/api/faults", { method: "POST", body: parts.length ? `${select.value}:${parts.join(",")}` : select.value });
      tell(`${select.value} is set`);
    } catch (error) {
      failed.textContent = error.message;
    }
  };
  frame(dialog, "faults-title", "Faults",
    active(state),
    h("fieldset", {}, h("legend", {}, "Inject"),
      h("label", { class: "wide" }, h("span", {}, "Kind"), select), note,
      h("div", { class: "fields" }, seconds, rate, times), failed,
      h("footer", {}, h("button", { type: "button", class: "primary", id: "inject", onclick: inject }, "Inject"))));
}

function active(state) {
  if (!state.faults.length && !state.expired) return h("p", { class: "quiet" }, "None is set: every request is answered as Meta would.");
  const remove = (place) => () => ask(`/api/faults/${place}`, { method: "DELETE" });
  return h("ul", { class: "active-faults" },
    state.expired ? h("li", {}, h("code", {}, "the token has expired"), h("button", { type: "button", onclick: () => ask("/api/faults", { method: "DELETE" }) }, "Renew it")) : null,
    state.faults.map((fault, place) => h("li", {}, h("code", {}, fault), h("button", { type: "button", onclick: remove(place) }, "Remove"))));
}
