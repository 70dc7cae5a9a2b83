// The page at /docs: every operation of openapi.json, with a form that sends the request.

import { byId, element, replace, showError, table } from "./dom.js";
import { bodyText, requestUrl, schemaText } from "./request.js";

const methods = ["get", "put", "post", "delete", "patch"];
// As much of an answer as is shown; the rest would only make the page slow.
const shownMax = 200000;

let document_ = {};

/** What a {"$ref": "#/components/…"} stands for. */
function resolve(thing) {
  let found = thing;
  for (let depth = 0; found && found.$ref && depth < 10; depth += 1) {
    found = found.$ref.split("/").slice(1).reduce((at, part) =>
      at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], document_);
  }
  return found ?? {};
}

function operationsByTag() {
  const tags = new Map((document_.tags ?? []).map((tag) => [tag.name, []]));
  for (const [path, item] of Object.entries(document_.paths ?? {})) {
    for (const method of methods.filter((one) => item[one])) {
      const operation = item[method];
      const tag = operation.tags?.[0] ?? "other";
      if (!tags.has(tag)) tags.set(tag, []);
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve);
      tags.get(tag).push({ path, method, ...operation, parameters });
    }
  }
  return [...tags].filter(([, operations]) => operations.length > 0);
}

function limitsText(schema) {
  const said = [];
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  if (schema.enum) said.push(`one of ${schema.enum.map(String).join(", ")}`);
  if (schema.minimum !== undefined) said.push(`from ${schema.minimum}`);
  if (schema.maximum !== undefined) said.push(`to ${schema.maximum}`);
  if (schema.pattern) said.push(`like ${schema.pattern}`);
  if (schema.maxLength !== undefined) said.push(`at most ${schema.maxLength} characters`);
  if (schema.items) said.push(limitsText(resolve(schema.items)));
  return said.filter(Boolean).join("; ");
}

/** The control for a parameter; its value "" means that the parameter is not sent. */
function control(parameter, id) {
  const schema = resolve(parameter.schema);
  const choices = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
  const given = { id, name: parameter.name, required: parameter.required };
  if (choices) {
    return element("select", given,
      parameter.required ? null : element("option", { value: "" }, "(not sent)"),
      choices.map((choice) => element("option", { value: String(choice) }, String(choice))));
  }
  if (schema.type === "array") {
    return element("textarea", { ...given, rows: 2, placeholder: "one value a line" });
  }
  return element("input", {
    ...given,
    type: "text",
    inputmode: schema.type === "integer" ? "numeric" : null,
    placeholder: schema.default === undefined ? null : String(schema.default),
    spellcheck: "false",
    value: parameter.required && schema.example !== undefined ? String(schema.example) : null,
  });
}

function typeText(schema) {
  if (schema.type === "array") return `${typeText(resolve(schema.items ?? {}))}, repeated`;
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type ?? "any";
  return schema.format ? `${type}, ${schema.format}` : type;
}

function parameterFields(operation, name) {
  return operation.parameters.map((parameter, index) => {
    const id = `${name}-${index}`;
    const schema = resolve(parameter.schema);
    return element("div", {},
      element("label", { for: id }, parameter.name,
        parameter.required ? element("span", { class: "badge" }, "required") : null),
      control(parameter, id),
      element("p", { class: "quiet" },
        [`in ${parameter.in}`, typeText(schema), limitsText(schema)].filter(Boolean).join("; "),
        parameter.description ? element("br") : null, parameter.description ?? null));
  });
}

function responses(operation) {
  return Object.entries(operation.responses ?? {}).map(([status, response]) => {
    const found = resolve(response);
    const content = Object.entries(found.content ?? {});
    return [status, found.description ?? "", content.length === 0 ? "" : element("div", {},
      content.map(([type, media]) => element("div", {}, type,
        media.schema ? element("pre", {}, schemaText(media.schema, resolve)) : null)))];
  });
}

/** Sends what a form says, and shows what comes back while it comes. */
class Attempt {
  constructor(operation, form) {
    this.operation = operation;
    this.form = form;
    this.stop = element("button", { type: "button", onclick: () => this.abort.abort() }, "Stop");
    this.stop.hidden = true;
    this.result = element("div", { class: "result" });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  async send() {
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    const values = this.operation.parameters.map((parameter) =>
      ({ parameter, text: this.form.elements.namedItem(parameter.name).value }));
    const { url, headers } = requestUrl(this.operation.path, values);
    const asked = `${this.operation.method.toUpperCase()} ${new URL(url, document.baseURI)}`;
    const status = element("p", { class: "status", role: "status" }, "waiting");
    const head = element("pre", { class: "headers" });
    const body = element("pre", { class: "body", tabindex: "0" });
    replace(this.result, element("p", {}, element("code", { class: "asked" }, asked)), status,
      element("h4", {}, "Headers"), head, element("h4", {}, "Body"), body);
    this.stop.hidden = false;
    const begun = performance.now();
    try {
      const response = await fetch(url, {
        method: this.operation.method.toUpperCase(), headers, signal: abort.signal,
        cache: "no-store",
      });
      status.textContent = `${response.status} ${response.statusText}`.trim();
      head.textContent = [...response.headers]
        .map(([name, value]) => `${name}: ${value}`).join("\n");
      await readInto(body, response);
      status.textContent += ` in ${Math.round(performance.now() - begun)} ms`;
    } catch (problem) {
      status.textContent += problem.name === "AbortError" ? " (stopped)" : `: ${problem.message}`;
    }
    if (this.abort === abort) this.stop.hidden = true;
  }
}

async function readInto(body, response) {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  let text = "";
  for (;;) {
    const { done, value } = reader ? await reader.read() : { done: true };
    if (done) break;
    text += decoder.decode(value, { stream: true });
    body.textContent = text.slice(-shownMax);
  }
  body.textContent = bodyText(text, response.headers.get("content-type") ?? "", shownMax);
}

function operationNode(operation, name) {
  const form = element("form", { class: "choose", autocomplete: "off" },
    parameterFields(operation, name));
  const attempt = new Attempt(operation, form);
  form.append(element("div", { class: "line" },
    element("button", { type: "submit" }, "Try it"), attempt.stop));
  return element("details", { id: operation.operationId ?? name },
    element("summary", {},
      element("span", { class: "method" }, operation.method.toUpperCase()),
      element("code", {}, operation.path), ` ${operation.summary ?? ""}`),
    operation.description ? element("p", {}, operation.description) : null,
    form, attempt.result,
    element("h4", {}, "Responses"),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Responses" },
      table("Responses", [{ title: "Status" }, { title: "Means" }, { title: "Content" }],
        responses(operation))));
}

function openFromAddress() {
  const wanted = byId(decodeURIComponent(location.hash.slice(1)));
  if (!(wanted instanceof HTMLDetailsElement)) return;
  wanted.open = true;
  wanted.scrollIntoView();
  wanted.querySelector("summary").focus();
}

async function show() {
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
    document_ = await response.json();
  } catch (problem) {
    showError(byId("problem"), { message: "openapi.json cannot be read", detail: problem.message });
    replace(byId("operations"));
    return;
  }
  byId("title").textContent = `${document_.info?.title ?? "API"} ${document_.info?.version ?? ""}`;
  byId("about").textContent = document_.info?.description ?? "";
  let number = 0;
  replace(byId("operations"), operationsByTag().map(([tag, operations]) => element("section",
    { "aria-label": tag }, element("h3", {}, tag), operations.map((operation) => {
      number += 1;
      return operationNode(operation, `operation-${number}`);
    }))));
  byId("operations").addEventListener("toggle", (event) => {
    if (event.target.open) history.replaceState(null, "", `#${event.target.id}`);
  }, true);
  openFromAddress();
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
window.addEventListener("hashchange", openFromAddress);
show();
