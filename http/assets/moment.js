// The view of a table as it was at a moment, or at an LSN.

import * as api from "./api.js";
import { byId, element, replace, showError, table } from "./dom.js";
import { fillTables } from "./row.js";
import { link, rowLink, timeOf, valueNode } from "./values.js";

const pageRows = 100;
const longest = 80;

/** A time as <input type="datetime-local"> writes it, in the local zone. */
function localText(time) {
  const local = new Date(time - new Date(time).getTimezoneOffset() * 60000);
  return local.toISOString().slice(0, 23);
}

/** What is to be known of an answer that may still change; of "now" that goes without saying. */
function finalNode(answer, asked) {
  if (answer.final !== false) return null;
  if (!asked.at && !asked.lsn) {
    return element("p", { class: "quiet" }, "What has been read from the source so far.");
  }
  return element("p", { class: "notice" },
    "Not final yet: the source has not been read up to this moment.");
}

export class MomentView {
  constructor() {
    this.tables = [];
    byId("table-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.go();
    });
    byId("table-table").addEventListener("change", () => this.go());
    byId("table-steps").addEventListener("click", (event) => this.onStep(event));
    byId("table-at").addEventListener("input", () => {
      byId("table-lsn").value = "";
    });
  }

  onTables(tables) {
    this.tables = tables;
    if (this.parameters) this.open(this.parameters);
  }

  onStep(event) {
    const by = event.target.dataset.seconds;
    if (by === undefined) return;
    byId("table-lsn").value = "";
    const field = byId("table-at");
    if (by === "now") field.value = "";
    else field.value = localText((field.value ? Date.parse(field.value) : Date.now()) + by * 1000);
    this.go();
  }

  /** Puts what the form says into the address, which then shows it. */
  go() {
    if (!byId("table-form").reportValidity()) return;
    const wanted = [["table", byId("table-table").value]];
    const lsn = byId("table-lsn").value.trim();
    const local = byId("table-at").value;
    if (lsn) wanted.push(["lsn", lsn]);
    // An address may name microseconds, which the field cannot hold: they count until it changes.
    else if (local && local === this.filled) wanted.push(["at", this.parameters.get("at")]);
    else if (local) wanted.push(["at", new Date(local).toISOString()]);
    const address = link("table", wanted);
    if (location.hash === address) this.open(new URLSearchParams(wanted));
    else location.hash = address;
  }

  async open(parameters) {
    this.parameters = parameters;
    if (this.tables.length === 0) return;
    fillTables(byId("table-table"), this.tables, parameters.get("table"));
    const time = timeOf(parameters.get("at"));
    byId("table-at").value = Number.isFinite(time) ? localText(time) : "";
    this.filled = byId("table-at").value;
    byId("table-lsn").value = parameters.get("lsn") ?? "";
    const moment = {};
    if (parameters.get("lsn")) moment.lsn = parameters.get("lsn");
    else if (parameters.get("at")) moment.at = parameters.get("at");
    const mine = (this.loading = {});
    try {
      const chosen = this.tables.find((one) => one.name === byId("table-table").value);
      const answer = await api.rowsAsOf(chosen.name, moment, pageRows);
      if (this.loading !== mine) return;
      showError(byId("table-error"));
      this.show(chosen, answer, moment);
    } catch (error) {
      if (this.loading !== mine) return;
      byId("table-said").textContent = "";
      replace(byId("table-result"));
      showError(byId("table-error"), error);
    }
  }

  show(chosen, answer, asked) {
    const columns = chosen.columns.map((column) => column.name);
    const body = table(`${chosen.name} at ${answer.at ?? answer.lsn}`,
      columns.map((title) => ({ title })), []);
    this.append(body.querySelector("tbody"), chosen, answer.rows);
    replace(byId("table-result"),
      finalNode(answer, asked),
      element("div", {
        class: "scroll rows", tabindex: "0", role: "region", "aria-label": `Rows of ${chosen.name}`,
      }, body),
      answer.next ? this.moreButton(chosen, answer, body) : null);
    this.sayCount(answer, body);
  }

  append(body, chosen, rows) {
    body.append(...rows.map((row) => element("tr", {}, chosen.columns.map(({ name }, index) => {
      const value = valueNode(row[name], longest);
      const isKey = chosen.row_key.includes(name);
      if (!isKey) return element("td", {}, value);
      const key = Object.fromEntries(chosen.row_key.map((column) => [column, row[column]]));
      return element(index === 0 ? "th" : "td", index === 0 ? { scope: "row" } : {},
        element("a", { href: rowLink(chosen.name, key) }, value));
    }))));
  }

  sayCount(answer, body) {
    const count = body.querySelectorAll("tbody tr").length;
    byId("table-said").textContent = `${answer.next ? "The first " : ""}${count} row${
      count === 1 ? "" : "s"}${answer.at ? ` at ${answer.at}` : ""}${
      answer.lsn ? `, LSN ${answer.lsn}` : ""}`;
  }

  moreButton(chosen, first, body) {
    let { next } = first;
    const more = element("button", {
      type: "button",
      onclick: async () => {
        more.disabled = true;
        try {
          // It holds the moment, too: every page is of the same, whatever has been written since.
          const answer = await api.rowsAsOf(chosen.name, {}, pageRows, next);
          this.append(body.querySelector("tbody"), chosen, answer.rows);
          next = answer.next;
          this.sayCount({ ...first, next }, body);
          if (!next) more.remove();
        } catch (error) {
          showError(byId("table-error"), error);
        }
        more.disabled = false;
      },
    }, "More rows");
    return more;
  }
}
