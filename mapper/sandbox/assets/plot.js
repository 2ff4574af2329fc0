// Arrivals over time, stacked by verdict. A bar of few among thousands is still to be seen.

import { counted, h, number, span, svg } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 64;
const LEAST = 2;
const KINDS = ["accepted", "held", "refused"];

export function plot(box, { bars, width }) {
  const highest = Math.max(1, ...bars.map(([accepted, refused, held]) => accepted + refused + held));
  const step = WIDTH / bars.length;
  const drawn = bars.flatMap(([accepted, refused, held], place) => {
    const counts = { accepted, held, refused };
    const ago = (bars.length - place) * width;
    let y = HEIGHT;
    return KINDS.filter((kind) => counts[kind]).map((kind) => {
      const height = Math.max(LEAST, (counts[kind] / highest) * (HEIGHT - 6));
      y -= height;
      const bar = svg("rect", { class: kind, x: place * step + 0.75, y, width: step - 1.5, height, rx: 1 });
      bar.append(svg("title", {}, `${counted(counts[kind], "event")} ${kind}, ${span(ago)} to ${span(ago - width)} ago`));
      return bar;
    });
  });
  const sums = [0, 1, 2].map((kind) => bars.reduce((sum, bar) => sum + bar[kind], 0));
  const said = `Arrivals in the last ${span(bars.length * width)}: ${number(sums[0])} accepted, ${number(sums[1])} refused, ${number(sums[2])} held`;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": said });
  picture.append(svg("line", { class: "floor", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }), ...drawn);
  box.replaceChildren(picture, h("span", { class: "highest" }, sums.some(Boolean) ? `peak ${number(highest)} in ${span(width)}` : ""));
}
