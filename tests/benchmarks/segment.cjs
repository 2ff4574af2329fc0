// Segment's mapping-kit on the same records, hashing included: node segment.cjs FOLDER FILE ROUNDS
// FOLDER holds node_modules with @segment/actions-core. Prints the count of events and microseconds a record, a round a line.
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const [folder, file, rounds] = process.argv.slice(2);
const { transform } = require(`${folder}/node_modules/@segment/actions-core/dist/cjs/mapping-kit`);

const path = (name) => ({ "@path": `$.${name}` });
const mapping = {
  event_name: "Purchase",
  event_time: path("created_at"),
  event_id: path("order.id"),
  action_source: "website",
  event_source_url: path("page.url"),
  user_data: {
    em: path("customer.email"), ph: path("customer.phone"), fn: path("customer.first_name"),
    ln: path("customer.last_name"), ct: path("customer.address.city"), st: path("customer.address.state"),
    zp: path("customer.address.zip"), country: path("customer.address.country"), external_id: path("customer.id"),
    client_ip_address: path("request.ip"), client_user_agent: path("request.user_agent"), fbp: path("request.fbp"),
  },
  custom_data: {
    currency: path("currency"), value: path("total_cents"), order_id: path("order.id"),
    contents: {
      "@arrayPath": ["$.order.lines", { id: path("sku"), quantity: path("quantity"), item_price: path("price_cents") }],
    },
  },
};
const hashed = ["em", "ph", "fn", "ln", "ct", "st", "zp", "country", "external_id"];
const digits = /[^0-9]+/g;
const marks = /[\s!-\/:-@[-`{-~]+/g;

function event(line) {
  const record = JSON.parse(line);
  if (record.type !== "order.paid" || !record.customer.email) return null;
  const made = transform(mapping, record);
  const user = made.user_data;
  for (const key of hashed) {
    const value = user[key];
    if (!value) { delete user[key]; continue; }
    let clean = value.trim().toLowerCase();
    if (key === "ph") clean = clean.replace(digits, "");
    else if (key !== "em") clean = clean.replace(marks, "");
    user[key] = [createHash("sha256").update(clean).digest("hex")];
  }
  const custom = made.custom_data;
  custom.currency = custom.currency.toUpperCase();
  custom.value /= 100;
  custom.contents = custom.contents.filter((one) => one.quantity > 0);
  for (const one of custom.contents) one.item_price /= 100;
  return JSON.stringify(made);
}

const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
for (let round = 0; round < Number(rounds) + 3; round += 1) {
  const started = process.hrtime.bigint();
  let made = 0;
  for (const line of lines) if (event(line) !== null) made += 1;
  const took = Number(process.hrtime.bigint() - started) / 1000 / lines.length;
  if (round >= 3) console.log(`${made} ${took}`);
}
