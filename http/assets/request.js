// What docs.js sends and shows, as text.

/** The address and headers for values that were typed; "" is not sent, lines are repeated. */
export function requestUrl(path, values) {
  const query = new URLSearchParams();
  const headers = {};
  let filled = path;
  for (const { parameter, text } of values) {
    if (parameter.in === "path") {
      filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(text));
    } else if (text !== "") {
      const several = parameter.schema?.type === "array";
      for (const one of several ? text.split("\n") : [text]) {
        if (parameter.in === "query") query.append(parameter.name, one);
        else if (parameter.in === "header") headers[parameter.name] = one;
      }
    }
  }
  const said = query.toString();
  // Relative, so that it works below a prefix of a proxy.
  return { url: filled.replace(/^\//, "") + (said ? `?${said}` : "") || "./", headers };
}

/**
 * Breaks JSON into lines without reading its values: numbers stay as they were written, which
 * JSON.parse would round.
 */
export function indentJson(text) {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g) ?? [];
  return tokens.map((token, index) => {
    if (token === "{" || token === "[") {
      if (["}", "]"].includes(tokens[index + 1])) return token;
      depth += 1;
      return token + line();
    }
    if (token === "}" || token === "]") {
      if (["{", "["].includes(tokens[index - 1])) return token;
      depth -= 1;
      return line() + token;
    }
    if (token === ",") return token + line();
    return token === ":" ? ": " : token;
  }).join("");
}

export function bodyText(text, contentType, shownMax) {
  const cut = text.length > shownMax
    ? `${text.slice(0, shownMax)}\n… ${text.length - shownMax} more characters` : text;
  if (text.length > shownMax || !/\bjson\b/.test(contentType)) return cut;
  try {
    JSON.parse(text);
  } catch {
    return cut;
  }
  return indentJson(text);
}

/** A schema in outline: {"key": string, …}. */
export function schemaText(schema, resolve, depth = 0) {
  const found = resolve(schema);
  if (found.nullable) return `${schemaText({ ...found, nullable: false }, resolve, depth)} or null`;
  const indent = "  ".repeat(depth + 1);
  if (depth > 5) return "…";
  if (found.properties) {
    const lines = Object.entries(found.properties).map(([name, property]) =>
      `${indent}${JSON.stringify(name)}: ${schemaText(property, resolve, depth + 1)}`);
    return `{\n${lines.join(",\n")}\n${"  ".repeat(depth)}}`;
  }
  if (found.items) return `[${schemaText(found.items, resolve, depth)}]`;
  const type = Array.isArray(found.type) ? found.type.join(" or ") : found.type ?? "any";
  return found.enum ? found.enum.map((one) => JSON.stringify(one)).join(" | ") : type;
}
