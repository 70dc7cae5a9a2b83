// Making and replacing elements. Text always goes in as text: nothing here reads HTML.

/** An element with attributes, listeners ("onclick": f) and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const svgNames = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(svgNames, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

/**
 * Replaces what is in a container. What had the focus keeps it where the new content has an
 * element of the same data-focus: a page that updates itself must not throw anybody out.
 */
export function replace(container, ...children) {
  const held = container.contains(document.activeElement)
    ? document.activeElement.dataset.focus : undefined;
  container.replaceChildren(...children.flat().filter((child) => child));
  if (held === undefined) return;
  const again = [...container.querySelectorAll("[data-focus]")];
  again.find((one) => one.dataset.focus === held)?.focus({ preventScroll: true });
}

/** Terms and descriptions for a <dl>: pairs of text and text or node; empty ones are left out. */
export function facts(pairs) {
  return pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
}

/** A table: columns are {title, number}, rows are arrays of nodes or text. */
export function table(caption, columns, rows) {
  return element("table", {},
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, element("tr", {}, columns.map((column) =>
      element("th", { scope: "col", class: column.number ? "number" : null }, column.title)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell, index) =>
      element(index === 0 ? "th" : "td", {
        scope: index === 0 ? "row" : null,
        class: columns[index].number ? "number" : null,
      }, cell))))));
}

/** Shows an error of api.js, or nothing. */
export function showError(container, error) {
  if (!error) {
    container.replaceChildren();
    return;
  }
  container.replaceChildren(element("div", { class: "notice bad", role: "alert" },
    element("p", {}, element("strong", {}, error.message || "the request failed")),
    error.detail ? element("p", {}, error.detail) : null,
    error.hint ? element("p", {}, error.hint) : null));
}
