// The groups beside the list: events by name, reasons of refusal, test codes, coverage of match keys.

import { h, number, percent } from "./dom.js";

const RULES_SHOWN = 8;
const CODES_SHOWN = 6;

export function side(box, state, filter, choose) {
  const chosen = state.names.find((one) => one.name === filter.name);
  box.replaceChildren(
    group("Events", names(state, filter, choose), state.names.length ? null : "None yet"),
    state.rules.length ? group("Rules broken", rules(state, filter, choose)) : "",
    state.codes.length ? group("Test codes", codes(state, filter, choose)) : "",
    coverage(state, chosen),
  );
}

function group(title, rows, empty = null) {
  return h("section", { class: title === "Rules broken" ? "group rules" : "group" }, h("h2", {}, title), rows.length ? h("ul", {}, rows) : h("p", { class: "quiet" }, empty ?? ""));
}

function entry({ label, value, pressed, title, about = null, bar = null, press }) {
  return h("li", {}, h("button", { type: "button", class: "entry", "aria-pressed": String(pressed), title, onclick: press },
    h("span", { class: "label" }, label), h("span", { class: "value" }, value), bar, about ? h("span", { class: "about" }, about) : null));
}

function names(state, filter, choose) {
  return state.names.map((one) => {
    const whole = one.accepted + one.refused + one.held;
    return entry({
      label: one.name || "(no name)",
      value: number(whole + one.pixel),
      about: [one.refused ? h("span", { class: "bad" }, `${percent(one.refused, whole)} refused`) : `${percent(one.accepted, whole)} accepted`,
        one.rate ? h("span", { class: "rate" }, `${number(one.rate)}/min`) : null],
      pressed: filter.name === one.name && one.name !== "",
      title: `${number(one.accepted)} accepted, ${number(one.refused)} refused, ${number(one.held)} held, ${number(one.pixel)} from the pixel, ${number(one.merged)} merged with a copy`,
      bar: stacked(one, whole),
      press: () => choose({ name: filter.name === one.name ? "" : one.name }),
    });
  });
}

function stacked(one, whole) {
  const bar = h("span", { class: "stack", "aria-hidden": "true" });
  for (const kind of ["accepted", "held", "refused"]) {
    if (!one[kind]) continue;
    const part = h("i", { class: kind });
    part.style.flexGrow = Math.max(one[kind] / whole, 0.02);
    bar.append(part);
  }
  return bar;
}

function rules(state, filter, choose) {
  return state.rules.slice(0, RULES_SHOWN).map(([rule, count]) => entry({
    label: rule in state.titles ? `${rule} ${state.titles[rule]}` : rule,
    value: number(count),
    pressed: filter.rule === rule,
    title: state.titles[rule] ?? rule,
    press: () => choose({ rule: filter.rule === rule ? "" : rule }),
  }));
}

function codes(state, filter, choose) {
  return state.codes.slice(0, CODES_SHOWN).map(([code, count]) => entry({
    label: code,
    value: number(count),
    pressed: filter.code === code,
    title: `Events that came with test_event_code ${code}`,
    press: () => choose({ code: filter.code === code ? "" : code }),
  }));
}

// Which share of the accepted events carries each key: of one event, or of all.
function coverage(state, chosen) {
  const all = chosen ? [chosen] : state.names;
  const whole = all.reduce((sum, one) => sum + one.accepted, 0);
  if (!whole) return "";
  const rows = state.keys.map((key) => {
    const count = all.reduce((sum, one) => sum + (one.keys[key] ?? 0), 0);
    const filled = h("i");
    filled.style.width = `${(100 * count) / whole}%`;
    return h("li", { class: "coverage", title: `${number(count)} of ${number(whole)} accepted events carry ${key}` },
      h("span", { class: "label" }, state.labels[key] ?? key), h("span", { class: "value" }, percent(count, whole)), h("span", { class: "filled", "aria-hidden": "true" }, filled));
  });
  return h("section", { class: "group" }, h("h2", {}, "Match keys", h("small", {}, chosen ? chosen.name : "all accepted")), h("ul", {}, rows));
}
