// The page: chooses the view that the address names, and keeps the overview up to date.
//
//   #/                                   overview
//   #/row?table=T&key=K[&version=N]      versions of one row; key once for each column of the key
//   #/table?table=T[&at=TIME|&lsn=LSN]   a table at a moment

import { byId } from "./dom.js";
import { MomentView } from "./moment.js";
import { Overview } from "./overview.js";
import { RowView } from "./row.js";

const views = ["overview", "row", "table"];
const row = new RowView();
const moment = new MomentView();
const overview = new Overview((tables) => {
  row.onTables(tables);
  moment.onTables(tables);
});
let current = null;

function route() {
  const [, name, query] = /^#\/(\w*)\??(.*)$/.exec(location.hash) ?? ["", "", ""];
  const view = views.includes(name) ? name : "overview";
  for (const other of views) byId(other).hidden = other !== view;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // Not at the first look, which begins at the top anyway.
  if (current !== null && current !== view) byId(`${view}-title`).focus();
  current = view;
  const parameters = new URLSearchParams(query);
  row.parameters = null;
  moment.parameters = null;
  if (view === "row") row.open(parameters);
  if (view === "table") moment.open(parameters);
  overview.show(view === "overview");
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
window.addEventListener("hashchange", route);
route();
overview.tick();
