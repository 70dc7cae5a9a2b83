// The view of one row: find its key, see its versions as a timeline, and what each one changed.

import * as api from "./api.js";
import { byId, element, replace, showError, svg, table } from "./dom.js";
import { keyText, link, rowLink, timeOf, valueNode, valueText } from "./values.js";

const keysShown = 20;
const stripHeight = 18;
// So many are loaded at once for a version that an address asks for.
const versionsShown = 10000;

export class RowView {
  constructor() {
    this.tables = [];
    this.versions = [];
    byId("row-table").addEventListener("change", () => {
      location.hash = link("row", [["table", byId("row-table").value]]);
    });
    byId("row-form").addEventListener("submit", (event) => this.onSubmit(event));
    byId("row-search").addEventListener("input", () => this.search());
    byId("row-search-box").addEventListener("keydown", (event) => this.onSearchKey(event));
  }

  chosen() {
    return this.tables.find((one) => one.name === byId("row-table").value);
  }

  onTables(tables) {
    this.tables = tables;
    if (this.parameters) this.open(this.parameters);
  }

  /** Shows what the address asks for. */
  async open(parameters) {
    this.parameters = parameters;
    if (this.tables.length === 0) return;
    fillTables(byId("row-table"), this.tables, parameters.get("table"));
    const chosen = this.chosen();
    const key = parameters.getAll("key");
    this.showKeyFields(chosen, key);
    if (chosen.row_key.length === 0) {
      this.say("This table has no key, so its rows cannot be followed; see it at a moment.");
      return;
    }
    if (this.searched !== chosen.name) this.search();
    if (key.length !== chosen.row_key.length) {
      this.say("");
      return;
    }
    await this.load(chosen, key, Number(parameters.get("version") ?? NaN));
  }

  showKeyFields(chosen, key) {
    const none = chosen.row_key.length === 0;
    byId("row-search-box").hidden = none;
    byId("row-show").hidden = none;
    const shape = `${chosen.name}\n${chosen.row_key.join("\n")}`;
    if (this.shape !== shape) {
      this.shape = shape;
      replace(byId("row-keys"), chosen.row_key.map((column, index) => element("div", {},
        element("label", { for: `row-key-${index}` }, column),
        element("input", { id: `row-key-${index}`, type: "text", spellcheck: "false" }))));
    }
    chosen.row_key.forEach((column, index) => {
      if (key[index] !== undefined) byId(`row-key-${index}`).value = key[index];
    });
  }

  onSubmit(event) {
    event.preventDefault();
    const chosen = this.chosen();
    if (!chosen) return;
    const key = chosen.row_key.map((column, index) => byId(`row-key-${index}`).value);
    const wanted = link("row", [["table", chosen.name], ...key.map((value) => ["key", value])]);
    if (location.hash === wanted) this.load(chosen, key, NaN);
    else location.hash = wanted;
  }

  // -- searching ---------------------------------------------------------------------------------

  async search() {
    const chosen = this.chosen();
    if (!chosen || chosen.row_key.length === 0) return;
    this.searched = chosen.name;
    this.searching?.abort();
    const mine = new AbortController();
    this.searching = mine;
    try {
      const prefix = byId("row-search").value;
      const { keys } = await api.keys(chosen.name, prefix, keysShown, mine.signal);
      if (mine.signal.aborted) return;
      showError(byId("row-search-error"));
      replace(byId("row-found"), keys.length === 0
        ? element("li", { class: "quiet" }, "No such key.")
        : keys.map((key) => element("li", {},
          element("a", { href: rowLink(chosen.name, key), "data-focus": keyText(key) },
            keyText(key)))));
    } catch (error) {
      if (error.name !== "AbortError") showError(byId("row-search-error"), error);
    }
  }

  onSearchKey(event) {
    const links = [...byId("row-found").querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    const box = byId("row-search");
    if (event.key === "ArrowDown" && links.length > 0) {
      links[Math.min(at + 1, links.length - 1)].focus();
    } else if (event.key === "ArrowUp" && at >= 0) {
      (at === 0 ? box : links[at - 1]).focus();
    } else if (event.key === "Escape") {
      if (at < 0) box.value = "";
      box.focus();
      if (at < 0) this.search();
    } else {
      return;
    }
    event.preventDefault();
  }

  // -- versions ----------------------------------------------------------------------------------

  say(text) {
    this.versions = [];
    byId("row-said").textContent = text;
    showError(byId("row-error"));
    replace(byId("row-result"));
  }

  async load(chosen, key, picked) {
    let answer;
    const mine = (this.loading = {});
    try {
      answer = await api.versions(chosen.name, key);
      // An address may ask for a version of a later page.
      while (answer.next && answer.versions.length < Math.min(picked || 0, versionsShown)) {
        const more = await api.versions(chosen.name, key, answer.next);
        answer = { ...more, versions: [...answer.versions, ...more.versions] };
      }
    } catch (error) {
      if (this.loading !== mine) return;
      this.say("");
      showError(byId("row-error"), error);
      return;
    }
    if (this.loading !== mine) return;
    if (answer.versions.length === 0) {
      this.say("No version of this key is known.");
      return;
    }
    this.table = chosen.name;
    this.key = key;
    this.columns = chosen.columns.map((column) => column.name);
    this.show(answer, picked);
  }

  show(answer, picked) {
    const count = answer.versions.length;
    this.say(`${answer.next ? `The oldest ${count} versions` :
      `${count} version${count === 1 ? "" : "s"}`} of ${this.table}, ${keyText(answer.key)}`);
    this.versions = answer.versions;
    this.answer = answer;
    this.showTimeline();
    this.pick(picked >= 1 && picked <= count ? picked - 1 : count - 1);
  }

  async showMore(button) {
    const mine = (this.loading = {});
    const before = this.answer;
    button.disabled = true;
    try {
      const more = await api.versions(this.table, this.key, before.next);
      if (this.loading !== mine) return;
      this.show({ ...more, versions: [...before.versions, ...more.versions] }, NaN);
    } catch (error) {
      button.disabled = false;
      if (this.loading === mine) showError(byId("row-error"), error);
    }
  }

  showTimeline() {
    this.strip = element("div", { class: "strip", "aria-hidden": "true" });
    this.detail = element("div", { class: "detail", role: "region", "aria-label": "Version" });
    this.list = element("ol", {
      class: "timeline", role: "listbox", "aria-label": "Versions, oldest first",
      onkeydown: (event) => this.onTimelineKey(event),
    }, this.versions.map((version, index) => element("li", {
      role: "option", tabindex: "-1", "aria-selected": "false",
      "data-operation": version.operation_type, onclick: () => this.pick(index, true),
    },
    element("span", { class: "operation" }, version.operation_type),
    element("time", {}, version.valid_from),
    version.is_current ? element("span", { class: "badge" }, "current") : null,
    changesText(version) ? element("span", { class: "changed" }, changesText(version)) : null)));
    const more = this.answer.next && element("button", {
      type: "button", id: "row-more", onclick: (event) => this.showMore(event.currentTarget),
    }, "Show newer versions");
    replace(byId("row-result"), ...(more ? [element("p", {}, more)] : []), this.strip,
      element("div", { class: "sides" }, this.list, this.detail));
    this.drawStrip();
  }

  // How long each version lasted, as parts of a line; however short, each has a part to point at.
  drawStrip() {
    const starts = this.versions.map((version) => timeOf(version.valid_from));
    const now = Math.max(Date.now(), ...starts);
    const ends = this.versions.map((version, index) =>
      version.is_current ? now : version.valid_to ? timeOf(version.valid_to) : starts[index]);
    const least = Math.min(12, 500 / this.versions.length);
    const span = Math.max(1, Math.max(...ends) - starts[0]);
    const scale = (1000 - least * this.versions.length) / span;
    const drawing = svg("svg", {
      width: "100%", height: stripHeight, viewBox: `0 0 1000 ${stripHeight}`,
      preserveAspectRatio: "none",
    });
    let x = 0;
    this.versions.forEach((version, index) => {
      // Between a row's end and its return there is a hole.
      if (index > 0) x += Math.max(0, starts[index] - ends[index - 1]) * scale;
      const width = least + Math.max(0, ends[index] - starts[index]) * scale;
      const bar = svg("rect", {
        x: x.toFixed(2), y: 2, width: Math.max(1, width - 1).toFixed(2),
        height: stripHeight - 4, "data-operation": version.operation_type,
      });
      bar.addEventListener("click", () => this.pick(index, true));
      drawing.append(bar);
      x += width;
    });
    replace(this.strip, drawing);
  }

  onTimelineKey(event) {
    const last = this.versions.length - 1;
    const next = {
      ArrowDown: this.picked + 1, ArrowRight: this.picked + 1,
      ArrowUp: this.picked - 1, ArrowLeft: this.picked - 1, Home: 0, End: last,
    }[event.key];
    if (event.key === "Escape") byId("row-search").focus();
    if (next === undefined) return;
    event.preventDefault();
    this.pick(Math.max(0, Math.min(last, next)), true);
  }

  pick(index, focus = false) {
    this.picked = index;
    [...this.list.children].forEach((item, number) => {
      item.tabIndex = number === index ? 0 : -1;
      item.setAttribute("aria-selected", String(number === index));
    });
    this.strip.querySelectorAll("rect").forEach((bar, number) =>
      bar.classList.toggle("picked", number === index));
    if (focus) {
      this.list.children[index].focus();
      const parameters = new URLSearchParams(this.parameters);
      parameters.set("version", String(index + 1));
      this.parameters = parameters;
      history.replaceState(null, "", link("row", parameters));
    }
    this.showVersion(this.versions[index], this.versions[index - 1]);
  }

  showVersion(version, before) {
    const changed = new Set(version.changed);
    const rows = this.columns.map((column) => {
      const row = element("tr", { class: changed.has(column) ? "changed" : null },
        element("th", { scope: "row" }, column,
          changed.has(column) ? element("span", { class: "badge" }, "changed") : null),
        element("td", {}, valueNode(version.values[column]),
          changed.has(column) && before && sayBefore(version) ? element("span", { class: "before" },
            "before: ", valueNode(before.values[column], 100)) : null));
      return row;
    });
    const grid = table("Values of this version", [{ title: "Column" }, { title: "Value" }], []);
    grid.querySelector("tbody").append(...rows);
    replace(this.detail,
      element("h3", {}, `Version ${this.picked + 1} of ${this.versions.length}: ${
        version.operation_type}`),
      element("p", {}, "Valid from ", element("time", {}, version.valid_from), " ",
        version.valid_to ? element("span", {}, "to ", element("time", {}, version.valid_to))
          : version.is_current ? "until now" : "", "."),
      element("p", { class: "quiet" }, `LSN ${version.lsn_from}${
        version.lsn_to ? ` to ${version.lsn_to}` : ""}, change ${valueText(version.change_seq)}`),
      element("div", {
        class: "scroll", tabindex: "0", role: "region", "aria-label": "Values",
      }, grid),
      element("p", {}, element("a", {
        href: link("table", [["table", this.table], ["lsn", version.lsn_from]]),
      }, "The whole table at this moment")));
  }
}

// An INSERT after a DELETE starts a new life: what was before it is another row.
function sayBefore(version) {
  return version.operation_type !== "INSERT";
}

function changesText(version) {
  if (["INSERT", "SNAPSHOT"].includes(version.operation_type)) return "";
  const changed = version.changed ?? [];
  if (changed.length > 4) return `${changed.slice(0, 4).join(", ")} and ${changed.length - 4} more`;
  return changed.join(", ");
}

/** Options of a <select> of tables; without a wish the first table is chosen. */
export function fillTables(select, tables, wanted) {
  const names = tables.map((one) => one.name);
  if ([...select.options].map((option) => option.value).join("\n") !== names.join("\n")) {
    const before = select.value;
    replace(select, names.map((name) => element("option", { value: name }, name)));
    if (names.includes(before)) select.value = before;
  }
  if (names.includes(wanted)) select.value = wanted;
}
