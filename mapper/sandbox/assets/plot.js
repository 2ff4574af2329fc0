// Arrivals over time, stacked by verdict. A bar of few among thousands is still to be seen.

import { h, number, span, svg } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 64;
const LEAST = 2;
const ROOM = 4;
const KINDS = ["accepted", "held", "refused"];
const TICKS = 4;

export function plot(box, { bars, width }) {
  const counts = bars.map(([accepted, refused, held]) => ({ accepted, held, refused, whole: accepted + refused + held }));
  const highest = Math.max(1, ...counts.map((one) => one.whole));
  const step = WIDTH / bars.length;
  const sums = Object.fromEntries(KINDS.map((kind) => [kind, counts.reduce((sum, one) => sum + one[kind], 0)]));
  const said = `Arrivals in the last ${span(bars.length * width)}: ${KINDS.map((kind) => `${number(sums[kind])} ${kind}`).join(", ")}`;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": said });
  for (const y of [ROOM, ROOM + (HEIGHT - ROOM) / 2]) picture.append(svg("line", { class: "guide", x1: 0, x2: WIDTH, y1: y, y2: y }));
  picture.append(svg("line", { class: "floor", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }), ...counts.map((one, place) => bar(one, place * step, step, highest)));
  const told = h("p", { class: "told" });
  const quiet = () => told.replaceChildren(counts.some((one) => one.whole) ? `Peak ${number(highest)} in ${span(width)}` : "No arrivals yet");
  const pointed = (event) => {
    const place = Math.min(bars.length - 1, Math.max(0, Math.floor((event.offsetX / picture.clientWidth) * bars.length)));
    told.replaceChildren(h("b", {}, `${span((bars.length - place) * width)} ago`), ...reading(counts[place]));
  };
  quiet();
  picture.addEventListener("pointermove", pointed);
  picture.addEventListener("pointerleave", quiet);
  box.replaceChildren(told, picture, ticks(bars.length * width));
}

function bar(one, x, step, highest) {
  let y = HEIGHT;
  const parts = KINDS.filter((kind) => one[kind]).map((kind) => {
    const height = Math.max(LEAST, (one[kind] / highest) * (HEIGHT - ROOM - 2 * LEAST));
    y -= height;
    return svg("rect", { class: kind, x: x + step * 0.12, y, width: step * 0.76, height });
  });
  return svg("g", {}, svg("rect", { class: "slot", x, y: 0, width: step, height: HEIGHT }), ...parts);
}

function reading(one) {
  const parts = KINDS.filter((kind) => one[kind]).map((kind) => h("span", { class: kind }, `${number(one[kind])} ${kind}`));
  return parts.length ? parts : [h("span", {}, "nothing")];
}

function ticks(whole) {
  const places = Array.from({ length: TICKS }, (_, place) => h("span", {}, place ? span((whole * (TICKS - place)) / TICKS) : `${span(whole)} ago`));
  return h("p", { class: "ticks", "aria-hidden": "true" }, places, h("span", {}, "now"));
}
