// The first view: what state the pipeline is in, lag and throughput, tables, slot, gaps.

import * as api from "./api.js";
import { byId, element, facts, replace, showError, table } from "./dom.js";
import { Plot } from "./plot.js";
import { bytesText, countText, link, secondsText } from "./values.js";

const statusEvery = 2000;
// Counting rows costs the target more than reading the status.
const tablesEvery = 10000;
const plottedSeconds = 1200;

function lagText(status) {
  return [bytesText(status.lag_bytes), secondsText(status.lag_seconds)].filter(Boolean).join(", ");
}

function showHealth(status) {
  const chip = byId("health");
  const fine = status.health === "green" || status.health === "unknown";
  const said = fine ? status.state : `${status.state}, needs attention`;
  // It is a live region: the same text again would be read aloud again.
  if (chip.textContent !== said) chip.textContent = said;
  chip.dataset.health = status.health === "green" && status.state === "streaming" ? "good"
    : fine ? "unsure" : "bad";
}

function showStatus(status) {
  showHealth(status);
  document.title = `${status.pipeline}: ${status.state} – pgchronicle`;
  replace(byId("facts"), facts([
    ["Pipeline", status.pipeline],
    ["State", status.state],
    ["Health", status.health],
    ["Lag", lagText(status)],
    ["Rows per second",
      status.rows_per_second === null ? "" : countText(Math.round(status.rows_per_second))],
    ["Position", status.position],
    ["Source at", status.source_position],
    ["Last commit", status.last_commit_time],
    ["Source", status.source_error ? `cannot be asked: ${status.source_error}` : ""],
    ["Target", status.target_error ? `cannot be asked: ${status.target_error}` : ""],
    ["Holds back", status.hold_back],
    ["Replay from", status.replay_from],
  ]));
  const slot = status.slot ?? {};
  replace(byId("slot"), facts([
    ["Name", slot.name],
    ["State", slot.exists === false ? "does not exist" : slot.active ? "active" : "inactive"],
    ["WAL", slot.wal_status],
    ["Retains", bytesText(slot.retained_bytes)],
    ["Until it is lost", bytesText(slot.safe_wal_bytes)],
    ["Lost because", slot.invalidation_reason],
    ["Confirmed", slot.confirmed_flush_lsn],
  ]));
  showGaps(status.gaps ?? []);
  showLists(status);
}

function showGaps(gaps) {
  replace(byId("gaps"), gaps.length === 0
    ? element("p", { class: "quiet" }, "None: history is complete.")
    : table("Gaps", [{ title: "Table" }, { title: "From" }, { title: "To" }, { title: "Reason" },
      { title: "Detail" }, { title: "Since" }],
    gaps.map((gap) => [gap.table || "every table", gap.from_lsn ?? "", gap.to_lsn ?? "",
      gap.reason ?? "", gap.detail ?? "", gap.created_at ?? ""])));
}

function showLists(status) {
  const scrolling = (title, made) => [element("h3", {}, title),
    element("div", {
      class: "scroll", tabindex: "0", role: "region", "aria-label": title, "data-focus": title,
    }, made)];
  const behind = status.quarantines ?? [];
  replace(byId("left-behind"), behind.length === 0 ? [] : scrolling("Quarantine", table(
    "Quarantine", [{ title: "Table" }, { title: "From" }, { title: "Message" }, { title: "Hint" }],
    behind.map((one) => [one.table, one.from_lsn ?? "", one.message ?? "", one.hint ?? ""]))));
  const kept = status.kept ?? [];
  replace(byId("kept"), kept.length === 0 ? [] : scrolling("Kept for replay", table(
    "Kept for replay",
    [{ title: "Name" }, { title: "Position" }, { title: "Retains", number: true }],
    kept.map((one) =>
      [one.name || one.purpose, one.position ?? "", bytesText(one.retained_bytes)]))));
}

function travelLinks(one) {
  const to = (view, said) => element("a", {
    href: link(view, [["table", one.name]]), "data-focus": `${view} ${one.name}`,
    "aria-label": `${said} of ${one.name}`,
  }, said);
  return element("span", { class: "links" },
    one.row_key.length === 0 ? null : to("row", "rows"), " ", to("table", "moments"));
}

function showTables(tables) {
  if (tables.length === 0) {
    replace(byId("tables"), element("p", { class: "quiet" }, "There is no history table yet."));
    return;
  }
  replace(byId("tables"), table("Tables", [{ title: "Table" }, { title: "Rows", number: true },
    { title: "Versions", number: true }, { title: "State" }, { title: "Consistent from" },
    { title: "History" }, { title: "See" }],
  tables.map((one) => [
    one.name,
    countText(one.rows), countText(one.versions), one.state, one.consistent_from ?? "",
    one.history, travelLinks(one)])));
}

/** Keeps the view up to date while it is seen; `onTables` gets the list of tables each time. */
export class Overview {
  constructor(onTables) {
    this.onTables = onTables;
    this.shown = false;
    this.paused = false;
    this.tablesAt = -Infinity;
    this.tablesText = "";
    this.samples = [];
    this.plots = [
      new Plot(byId("plot-lag-bytes"), "lag_bytes", bytesText),
      new Plot(byId("plot-lag-seconds"), "lag_seconds", secondsText),
      new Plot(byId("plot-rows"), "rows_per_second", (rows) => `${countText(Math.round(rows))}/s`),
    ];
    byId("pause").addEventListener("click", () => {
      this.paused = !this.paused;
      byId("pause").setAttribute("aria-pressed", String(this.paused));
      byId("pause").textContent = this.paused ? "Go on updating" : "Pause updates";
    });
    document.addEventListener("visibilitychange", () => this.tick());
  }

  show(seen) {
    this.shown = seen;
    if (seen) this.tick();
  }

  async tick() {
    clearTimeout(this.timer);
    if (this.busy || document.hidden) return;
    this.busy = true;
    try {
      if (!this.paused || this.tablesAt === -Infinity) await this.update();
    } finally {
      this.busy = false;
      this.timer = setTimeout(() => this.tick(), statusEvery);
    }
  }

  async update() {
    const [status] = await Promise.allSettled([api.status(), this.updateSamples(),
      this.updateTables()]);
    if (status.status === "fulfilled") showStatus(status.value);
    else showHealth({ state: "no answer", health: "red" });
    showError(byId("overview-error"), status.reason);
  }

  // Only what is new is asked for: a sample a second adds up.
  async updateSamples() {
    if (!this.shown) return;
    const last = this.samples[this.samples.length - 1];
    const added = await api.samples(last?.t);
    this.samples = [...this.samples, ...added];
    const newest = this.samples[this.samples.length - 1]?.t;
    this.samples = this.samples.filter((sample) => sample.t >= newest - plottedSeconds);
    this.plots.forEach((plot) => plot.show(this.samples));
  }

  async updateTables() {
    if (performance.now() - this.tablesAt < tablesEvery) return;
    const tables = await api.tables();
    this.tablesAt = performance.now();
    const text = JSON.stringify(tables);
    if (text === this.tablesText) return;
    this.tablesText = text;
    showTables(tables);
    this.onTables(tables);
  }
}
