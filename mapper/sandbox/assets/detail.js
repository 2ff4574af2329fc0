// One event, opened: what became of it and why, its parameters under Meta's names, what would match it better.

import { VERDICTS, close as closing, copyButton, counted, h, kindOf, mark, moment, number, time } from "./dom.js";

const SECTIONS = { event: "Event", customer: "Customer information", custom: "Custom data", app: "App data" };
const WORTH = { high: "high", medium: "medium", low: "low" };

export function detail(box, event, { close, open, openRequest, show }) {
  const wrong = new Map(event.findings.filter((one) => one.path).map((one) => [one.path, one]));
  box.replaceChildren(
    heading(event, close),
    h("div", { class: "scroll", tabindex: "0" },
      verdict(event, openRequest, show),
      merged(event, open),
      remarks(event),
      parameters(event, wrong),
      better(event),
      history(event, show),
      raw(event, wrong),
    ),
  );
}

function heading(event, close) {
  return h("header", {},
    mark(event),
    h("div", { class: "title" },
      h("h2", {}, event.name || "(no name)"),
      h("p", { class: "quiet" }, event.label && event.label !== event.name ? `${event.label} · ` : "", event.event_id ? h("span", { class: "mono" }, event.event_id) : "without an event_id"),
    ),
    closing(close),
  );
}

function verdict(event, openRequest, show) {
  const kind = kindOf(event);
  const when = h("p", { class: "quiet" }, `${moment(event.at)} · `, h("button", { type: "button", class: "link", onclick: () => openRequest(event.request) }, `request ${number(event.request)}`), `, place ${event.position}`, event.test_code ? ` · ${event.test_code}` : "");
  if (kind === "refused") {
    const decisive = event.findings.find((one) => one.decisive);
    return h("section", { class: "callout refused" },
      h("h3", {}, "Refused"),
      h("p", {}, sentence(event.message, event.path)),
      event.path ? h("p", { class: "where" }, "at ", h("a", { href: "#raw", class: "mono", onclick: (click) => jump(click, event.path) }, event.path)) : null,
      h("p", {}, event.remedy),
      h("p", { class: "quiet" }, `Rule ${event.rule}${decisive?.title ? `: ${decisive.title}` : ""}`, decisive?.source ? h("a", { href: decisive.source, target: "_blank", rel: "noopener noreferrer" }, "Meta's page") : null),
      when);
  }
  if (kind === "held") {
    return h("section", { class: "callout held" },
      h("h3", {}, "Held: refused with its request"),
      h("p", {}, "Nothing is wrong with this event. Another one in its request was refused, and then Meta takes none of them."),
      h("p", {}, h("button", { type: "button", class: "link", onclick: () => show({ verdict: "refused", request: event.request }) }, `Show what was refused in request ${event.request}`)),
      when);
  }
  const word = kind === "pixel" ? "From the pixel" : "Accepted";
  const warned = event.findings.length ? `, with ${counted(event.findings.length, "remark")}` : "";
  return h("section", { class: `callout ${kind}` }, h("h3", {}, word + warned), when);
}

function merged(event, open) {
  if (!event.merged) return null;
  const here = event.source === "pixel" ? "pixel's" : "server's";
  const there = event.source === "pixel" ? "server's" : "pixel's";
  const texts = {
    kept: [`This copy counts`, `The ${there} copy is the same event and is dropped.`],
    dropped: [`This copy does not count`, `The ${there} copy is the same event and counts; the ${here} one is dropped.`],
    repeat: ["Sent before", "An event with the same name and id came from the same side already. Meta only promises to merge a pixel's copy with a server's, so this one may count twice."],
  };
  const [title, text] = texts[event.merged];
  const way = { id: "Same event_name and event_id.", person: "Same event_name and the same fbp or external_id, the pixel's copy first." }[event.way];
  return h("section", { class: "callout merged" }, h("h3", {}, title), h("p", {}, text), h("p", { class: "quiet" }, way),
    event.copy ? h("p", {}, h("button", { type: "button", class: "link", onclick: () => open(event.copy.id) }, `Open the other copy, of ${time(event.copy.at)}`)) : h("p", { class: "quiet" }, "The other copy is forgotten already."));
}

// Findings besides the one that decided.
function remarks(event) {
  const others = event.findings.filter((one) => !one.decisive);
  if (!others.length) return null;
  return h("section", {}, h("h3", {}, event.verdict === "refused" ? "Also wrong" : "Remarks"),
    h("ul", { class: "remarks" }, others.slice(0, 50).map((one) => h("li", { class: one.level },
      h("p", {}, sentence(one.message, one.path), " ", h("span", { class: "quiet" }, one.remedy)),
      h("p", { class: "where" }, one.path ? h("a", { href: "#raw", class: "mono", onclick: (click) => jump(click, one.path) }, one.path) : null, h("span", { class: "tag" }, one.rule))))));
}

function parameters(event, wrong) {
  const sections = new Map();
  for (const one of event.parameters) {
    const section = SECTIONS[one.section] ?? "Other";
    if (!sections.has(section)) sections.set(section, []);
    sections.get(section).push(one);
  }
  return [...sections].map(([title, rows]) => h("section", {}, h("h3", {}, title), h("table", { class: "parameters" },
    h("tbody", {}, rows.map((one) => parameter(one, wrong))))));
}

function parameter(one, wrong) {
  const found = [...wrong].find(([path]) => path === one.path || path.startsWith(`${one.path}.`) || path.startsWith(`${one.path}[`));
  const name = one.path.slice(one.path.lastIndexOf(".") + 1);
  return h("tr", { class: found ? found[1].level : null },
    h("th", { scope: "row", title: one.about }, h("span", {}, one.label || (one.known ? name : "Your own")), h("code", {}, name)),
    h("td", {}, value(one)));
}

function value(one) {
  const texts = Array.isArray(one.value) ? one.value : [one.value];
  if (one.hashed) return texts.map((text) => typeof text === "string" && text.length > 20
    ? h("span", { class: "mono hash", title: text }, `${text.slice(0, 10)}…${text.slice(-4)} `, h("span", { class: "tag" }, "SHA-256")) : h("span", { class: "mono" }, shown(text)));
  if (one.path === "event_time" && Number.isInteger(one.value)) return [h("span", { class: "mono" }, String(one.value)), h("span", { class: "quiet" }, ` ${moment(one.value)}`)];
  return h("span", { class: "mono" }, shown(one.value));
}

const shown = (any) => (typeof any === "string" ? any : JSON.stringify(any));

function better(event) {
  if (!event.better.length && !event.unused.length) return null;
  return h("section", {}, h("h3", {}, "Would match better with"),
    event.better.length ? h("ul", { class: "better" }, event.better.map((one) => h("li", {},
      h("span", { class: `tag ${one.worth}`, title: "How much Meta makes of it" }, WORTH[one.worth]),
      h("p", {}, h("b", {}, one.labels.join(", ")), " ", h("code", {}, one.keys.join(", ")), h("br"), h("span", { class: "quiet" }, one.why))))) : null,
    event.unused.length ? h("p", { class: "quiet" }, `Meta also lists for ${event.name}: `, h("code", {}, event.unused.map((one) => one.path.replace("custom_data.", "")).join(", "))) : null);
}

function history(event, show) {
  if (event.attempts < 2) return null;
  return h("section", {}, h("h3", {}, `Sent ${counted(event.attempts, "time")}`), h("ol", { class: "history" }, event.tries.map((one) => h("li", {},
    h("span", { class: `mark ${one.verdict}`, "aria-hidden": "true" }, VERDICTS[one.verdict].mark), ` ${VERDICTS[one.verdict].word} in `,
    h("button", { type: "button", class: "link", onclick: () => show({ request: one.request }) }, `request ${number(one.request)}`),
    h("span", { class: "quiet" }, one.at ? ` ${time(one.at)}` : "")))));
}

function raw(event, wrong) {
  const lines = [];
  write(event.body, "", 0, "", false, wrong, lines);
  return h("section", { id: "raw" }, h("h3", {}, "JSON ", copyButton(() => JSON.stringify(event.body, null, 2))),
    h("p", { class: "quiet" }, "What was not hashed and could be somebody's is masked: it is not stored."),
    h("pre", { tabindex: "0" }, lines));
}

// JSON as lines, each of which knows its path, so that a finding can point at it.
function write(any, path, depth, before, comma, wrong, lines) {
  const isList = Array.isArray(any);
  const after = comma ? "," : "";
  if (any === null || typeof any !== "object" || (isList ? any.length : Object.keys(any).length) === 0) {
    lines.push(line(path, depth, before, JSON.stringify(any), after, wrong));
    return;
  }
  lines.push(line(path, depth, before, isList ? "[" : "{", "", wrong));
  const inner = isList ? any.map((one, place) => ["", one, `${path}[${place}]`]) : Object.entries(any).map(([name, one]) => [name, one, path ? `${path}.${name}` : name]);
  inner.forEach(([name, one, where], place) => write(one, where, depth + 1, isList ? "" : name, place < inner.length - 1, wrong, lines));
  lines.push(line("", depth, "", isList ? "]" : "}", after, wrong));
}

function line(path, depth, name, text, after, wrong) {
  const found = path ? wrong.get(path) : undefined;
  const kind = text.startsWith('"') ? "text" : /^[-0-9tfn]/.test(text) ? "atom" : "";
  return h("span", { class: found ? `line ${found.level}` : "line", "data-path": path || null, title: found ? `${found.message} [${found.rule}]` : null },
    "  ".repeat(depth), name ? [h("span", { class: "key" }, JSON.stringify(name)), ": "] : null, h("span", { class: kind }, text), after, "\n");
}

function jump(click, path) {
  click.preventDefault();
  const found = [...document.querySelectorAll("#raw .line")].find((one) => one.dataset.path === path)
    ?? [...document.querySelectorAll("#raw .line")].filter((one) => one.dataset.path && path.startsWith(one.dataset.path)).at(-1) ?? document.getElementById("raw");
  found.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  found.classList.add("pointed");
  setTimeout(() => found.classList.remove("pointed"), 1600);
}

// A message as a sentence; a parameter's name at its start stays as it is written.
function sentence(text, path = "") {
  if (!text) return "";
  const begins = text.split(" ")[0];
  const isName = begins.includes("_") || begins === path.replace(/\[\d+\]$/, "").split(".").at(-1);
  return (isName ? text : text[0].toUpperCase() + text.slice(1)) + (text.endsWith(".") ? "" : ".");
}
