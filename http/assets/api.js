// Asking the server. Addresses are relative, so that the page works below any prefix of a proxy.

export class ApiError extends Error {
  constructor(status, { message, detail, hint }) {
    super(message);
    this.status = status;
    this.detail = detail;
    this.hint = hint;
  }
}

/**
 * Parses JSON and keeps numbers that a double cannot hold as they were written: 1.00 stays 1.00,
 * and a bigint keeps its last digit. Browsers without JSON.rawJSON round them.
 */
export function parseExact(text) {
  if (!JSON.rawJSON) return JSON.parse(text);
  return JSON.parse(text, (key, value, context) =>
    typeof value === "number" && context && context.source !== String(value)
      ? JSON.rawJSON(context.source) : value);
}

async function ask(path, parameters, parse, signal) {
  const query = new URLSearchParams(parameters).toString();
  let response;
  let text;
  try {
    response = await fetch(query ? `${path}?${query}` : path, {
      headers: { Accept: "application/json" }, signal, credentials: "same-origin",
    });
    text = await response.text();
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new ApiError(0, {
      message: "the server does not answer", hint: "Is \"pgchronicle run\" or \"serve\" running?",
    });
  }
  let body;
  try {
    body = parse(text);
  } catch {
    throw new ApiError(response.status, { message: `the answer is no JSON (${response.status})` });
  }
  if (!response.ok) throw new ApiError(response.status, body.error ?? { message: text });
  return body;
}

const inPath = encodeURIComponent;

export const status = () => ask("status", {}, JSON.parse);

/** Samples of lag and throughput; with `since`, the t of one, only those after it. */
export const samples = (since) =>
  ask("metrics/history", since === undefined ? {} : { since }, JSON.parse);

export const tables = () => ask("tables", {}, JSON.parse);

export const keys = (table, prefix, limit, signal) =>
  ask(`tables/${inPath(table)}/keys`, { prefix, limit }, parseExact, signal);

/** Versions, oldest first: the first page, or the one after a page, given its `next`. */
export const versions = (table, key, after) =>
  ask(`tables/${inPath(table)}/history`,
    [...key.map((value) => ["key", value]), ...(after ? [["after", after]] : [])], parseExact);

/** `moment` is {at} or {lsn} or {}. */
export const rowsAsOf = (table, moment, limit, after) =>
  ask(`tables/${inPath(table)}/as-of`, after ? { ...moment, limit, after } : { ...moment, limit },
    parseExact);
