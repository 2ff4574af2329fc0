// Elements and numbers. Texts become text nodes and nothing else, whatever an event holds.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export const $ = (id) => document.getElementById(id);

const numbers = new Intl.NumberFormat("en");
export const number = (value) => numbers.format(value);
export const counted = (value, one, many = one + "s") => `${number(value)} ${value === 1 ? one : many}`;

export function amount(value, currency) {
  if (typeof value !== "number") return "";
  const digits = Number.isInteger(value) ? 0 : 2;
  return `${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: 2 })}${currency ? ` ${currency}` : ""}`;
}

export function percent(part, whole) {
  if (!whole) return "–";
  const share = (100 * part) / whole;
  if (share > 99 && share < 100) return ">99%";
  if (share > 0 && share < 1) return "<1%";
  return `${Math.round(share)}%`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
export const moment = (seconds) => full.format(seconds * 1000);

export function time(seconds) {
  const date = new Date(seconds * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock.format(date) : `${day.format(date)} ${clock.format(date).slice(0, 5)}`;
}

export function bytes(value) {
  if (value < 1000) return `${value} B`;
  return value < 1e6 ? `${(value / 1000).toFixed(value < 1e4 ? 1 : 0)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

export function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export const VERDICTS = {
  accepted: { mark: "✓", word: "accepted" },
  refused: { mark: "✕", word: "refused" },
  held: { mark: "‖", word: "held" },
  pixel: { mark: "◆", word: "pixel" },
};

export const kindOf = (event) => (event.source === "pixel" ? "pixel" : event.verdict);

export function mark(event) {
  const kind = kindOf(event);
  return h("span", { class: `mark ${kind}` }, h("span", { "aria-hidden": "true" }, VERDICTS[kind].mark), h("span", { class: "unseen" }, VERDICTS[kind].word));
}

export function close(act) {
  return h("button", { type: "button", class: "plain close", title: "Close (Esc)", onclick: act }, h("span", { "aria-hidden": "true" }, "✕"), h("span", { class: "unseen" }, "Close"));
}

export function copyButton(text, label = "Copy") {
  const button = h("button", { type: "button", class: "copy plain", title: label }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1200);
  });
  return button;
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Sandbox": "page" } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.message ?? body.error ?? `answered with ${answer.status}`);
  return body;
}
