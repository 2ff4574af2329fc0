// A list of any length: only the rows in sight exist, and only the stretches around them are asked for.

import { h } from "./dom.js";

const STRETCH = 100;
const MOST_PIXELS = 12_000_000;

export class List {
  // fetch(offset, limit) -> {total, rows}; row(item, index) -> element; chosen(item) is called when one is opened.
  constructor({ box, spacer, height, fetch, row, key, chosen, changed }) {
    Object.assign(this, { box, spacer, height, fetch, row, key, chosen, changed });
    this.total = 0;
    this.stretches = new Map();
    this.generation = 0;
    this.active = -1;
    this.activeKey = null;
    this.openKey = null;
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    box.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(() => this.draw()).observe(box);
  }

  get atTop() {
    return this.box.scrollTop < this.height() / 2;
  }

  // Forget everything: another filter, or the top of the list again.
  async reset() {
    this.clear();
    this.box.scrollTop = 0;
    await this.refresh();
  }

  // Rows of another kind follow: nothing that was asked for before may be drawn any more.
  clear() {
    this.generation += 1;
    this.stretches.clear();
    this.active = -1;
    this.activeKey = null;
  }

  // What is in sight is asked for again; until it comes, what was there stays.
  async refresh() {
    this.generation += 1;
    this.asked = new Set();
    for (const place of this.stretches.keys()) if (!this.inSight().includes(place)) this.stretches.delete(place);
    await Promise.all(this.inSight().map((place) => this.load(place)));
  }

  inSight() {
    const { first, last } = this.window();
    const places = [];
    for (let place = Math.floor(first / STRETCH); place <= Math.floor(Math.max(first, last - 1) / STRETCH); place += 1) places.push(place);
    return places;
  }

  window() {
    const height = this.height();
    const rows = Math.ceil(this.box.clientHeight / height) + 2;
    const longest = Math.max(1, Math.min(this.total * height, MOST_PIXELS) - this.box.clientHeight);
    const scale = this.total * height > MOST_PIXELS ? (this.total * height - this.box.clientHeight) / longest : 1;
    const top = this.box.scrollTop * scale;
    const first = Math.max(0, Math.floor(top / height) - 6);
    return { first, last: Math.min(this.total, first + rows + 12), shift: this.box.scrollTop - top };
  }

  async load(place) {
    const generation = this.generation;
    if (this.asked?.has(place)) return;
    (this.asked ??= new Set()).add(place);
    const found = await this.fetch(place * STRETCH, STRETCH);
    if (generation !== this.generation) return;
    this.total = found.total;
    this.stretches.set(place, found.rows);
    if (this.activeKey !== null) this.follow(place, found.rows);
    this.draw();
    this.changed?.(this.total);
  }

  // The active row is an event, not a place: when others arrive above it, it moves down.
  follow(place, rows) {
    const found = rows.findIndex((item) => this.key(item) === this.activeKey);
    if (found >= 0) this.active = place * STRETCH + found;
  }

  at(index) {
    return this.stretches.get(Math.floor(index / STRETCH))?.[index % STRETCH];
  }

  draw() {
    const { first, last, shift } = this.window();
    const height = this.height();
    this.spacer.style.height = `${Math.min(this.total * height, MOST_PIXELS)}px`;
    this.box.setAttribute("aria-rowcount", this.total);
    const rows = [];
    for (let index = first; index < last; index += 1) {
      const item = this.at(index);
      if (item === undefined) this.load(Math.floor(index / STRETCH));
      const element = item === undefined ? h("div", { class: "row waiting" }) : this.row(item, index);
      element.id = `row-${index}`;
      element.setAttribute("role", "row");
      element.setAttribute("aria-rowindex", index + 1);
      element.classList.toggle("active", index === this.active);
      element.setAttribute("aria-selected", item !== undefined && this.openKey !== null && this.key(item) === this.openKey);
      element.style.transform = `translateY(${index * height + shift}px)`;
      element.addEventListener("click", () => this.open(index));
      rows.push(element);
    }
    this.spacer.replaceChildren(...rows);
    if (this.active >= first && this.active < last) this.box.setAttribute("aria-activedescendant", `row-${this.active}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  move(index) {
    if (!this.total) return;
    this.active = Math.max(0, Math.min(this.total - 1, index));
    const height = this.height();
    const top = this.active * height;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + height > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + height - this.box.clientHeight;
    const item = this.at(this.active);
    this.activeKey = item === undefined ? null : this.key(item);
    this.draw();
  }

  open(index) {
    const item = this.at(index);
    if (item === undefined) return;
    this.active = index;
    this.activeKey = this.key(item);
    this.chosen(item);
    this.draw();
  }

  pressed(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height()) - 1);
    const moves = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // Where no row is active yet, the first one in sight becomes so, whichever way one goes.
    if (event.key in moves) this.move(this.active < 0 ? Math.round(this.box.scrollTop / this.height()) : this.active + moves[event.key]);
    else if (event.key === "Home") this.move(0);
    else if (event.key === "End") this.move(this.total - 1);
    else if (event.key === "Enter") this.open(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (this.openKey !== null && event.key !== "Enter" && this.at(this.active) !== undefined) this.open(this.active);
  }
}
