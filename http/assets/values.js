// How values are shown: as text, whatever they hold.

import { element } from "./dom.js";

const isRaw = (value) => Boolean(JSON.isRawJSON?.(value));

/** A value as the server wrote it; null for NULL. */
export function valueText(value) {
  if (value === null || value === undefined) return null;
  if (isRaw(value)) return value.rawJSON;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A node for a value; longer than `longest` characters it can be unfolded. */
export function valueNode(value, longest = 300) {
  const text = valueText(value);
  if (text === null) return element("span", { class: "null" }, "NULL");
  if (text === "") return element("span", { class: "null" }, "empty");
  if (text.length <= longest) return element("span", { class: "value" }, text);
  const shown = element("span", { class: "value" }, `${text.slice(0, longest)}…`);
  const more = element("button", {
    type: "button",
    class: "more",
    onclick: () => {
      shown.textContent = text;
      shown.tabIndex = -1;
      shown.focus();
      more.remove();
    },
  }, `all ${text.length} characters`);
  return element("span", {}, shown, " ", more);
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytesText(bytes) {
  if (bytes === null || bytes === undefined) return "";
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${units[unit]}`;
}

export function countText(count) {
  return count === null || count === undefined ? "" : Number(count).toLocaleString("en");
}

export function secondsText(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 2 : 0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Milliseconds since 1970 of a time as PostgreSQL or ISO 8601 writes it; NaN for none. */
export function timeOf(text) {
  if (typeof text === "number") return text * (text < 1e11 ? 1000 : 1);
  if (!text) return NaN;
  return Date.parse(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"));
}

/** A key as one line: "7", or "region EU, number 7" where it has several columns. */
export function keyText(key) {
  const parts = Object.entries(key);
  if (parts.length === 1) return valueText(parts[0][1]) ?? "NULL";
  return parts.map(([name, value]) => `${name} ${valueText(value) ?? "NULL"}`).join(", ");
}

/** The address of a view, as the page's links and bookmarks have it. */
export function link(view, parameters = []) {
  const query = new URLSearchParams(parameters).toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

export function rowLink(table, key) {
  return link("row", [["table", table],
    ...Object.values(key).map((value) => ["key", valueText(value) ?? ""])]);
}
