#include "http/openapi.hpp"

#include "http/endpoints.hpp"
#include "http/json_writer.hpp"

#include <utility>

namespace pgchronicle::http {

namespace {

constexpr const char* error_schema =
    R"({"type":"object","required":["error"],"properties":{"error":{"type":"object",)"
    R"("required":["message","detail","hint","code"],"properties":{)"
    R"("message":{"type":"string"},"detail":{"type":"string","nullable":true},)"
    R"("hint":{"type":"string","nullable":true},"code":{"type":"string"}}}}})";

/// A default is of its parameter's type.
void write_default(JsonWriter& json, const ParameterDoc& doc) {
    if (!doc.default_value) return;
    json.key("default");
    const bool bare = doc.type == "integer" || doc.type == "number" || doc.type == "boolean";
    if (bare && !doc.default_value->empty()) {
        json.raw(*doc.default_value);
    } else {
        json.string(*doc.default_value);
    }
}

void write_item_schema(JsonWriter& json, const ParameterDoc& doc) {
    json.open('{').key("type").string(doc.type);
    if (!doc.format.empty()) json.key("format").string(doc.format);
    if (!doc.allowed.empty()) {
        json.key("enum").open('[');
        for (const auto& value : doc.allowed) json.string(value);
        json.close(']');
    }
    if (doc.min) json.key("minimum").number(*doc.min);
    if (doc.max) json.key("maximum").number(*doc.max);
    write_default(json, doc);
    json.close('}');
}

void write_parameter(JsonWriter& json, const ParameterDoc& doc, const char* in) {
    json.open('{').key("name").string(doc.name).key("in").string(in);
    if (!doc.description.empty()) json.key("description").string(doc.description);
    json.key("required").boolean(doc.required).key("schema");
    if (doc.repeated) {
        json.open('{').key("type").string("array").key("items");
        write_item_schema(json, doc);
        json.close('}');
    } else {
        write_item_schema(json, doc);
    }
    json.close('}');
}

void write_path_parameters(JsonWriter& json, const std::string& path) {
    std::size_t from = 0;
    while ((from = path.find('{', from)) != std::string::npos) {
        const auto end = path.find('}', from);
        ParameterDoc doc;
        doc.name = path.substr(from + 1, end - from - 1);
        doc.description = "schema.table, or table where there is only one of that name";
        doc.required = true;
        write_parameter(json, doc, "path");
        from = end;
    }
}

void write_response(JsonWriter& json, const char* status, const char* description) {
    json.key(status).open('{').key("description").string(description);
    json.key("content").open('{').key("application/json").open('{');
    json.key("schema").raw(R"({"$ref":"#/components/schemas/Error"})");
    json.close('}').close('}').close('}');
}

void write_route(JsonWriter& json, const Route& route) {
    json.key(route.path).open('{').key("get").open('{');
    json.key("operationId").string(route.name).key("summary").string(route.summary);
    json.key("tags").open('[').string(route.group).close(']');
    json.key("parameters").open('[');
    write_path_parameters(json, route.path);
    for (const auto& doc : route.parameters) write_parameter(json, doc, "query");
    json.close(']').key("responses").open('{');
    json.key("200").open('{').key("description").string("What was asked for");
    json.key("content").open('{').key(route.type).open('{').key("schema");
    json.raw(route.schema.empty() ? "{}" : route.schema);
    json.close('}').close('}').close('}');
    write_response(json, "400", "A parameter is wrong, unknown or missing");
    const bool named = route.path.find('{') != std::string::npos;
    if (named) write_response(json, "404", "There is no such table");
    write_response(json, "503", "It cannot be answered now");
    write_response(json, "default", "Any other error");
    json.close('}').close('}').close('}');
}

}  // namespace

std::string openapi_json(const std::vector<Route>& routes) {
    JsonWriter json;
    json.open('{').key("openapi").string("3.0.3");
    json.key("info").open('{').key("title").string("pgchronicle");
    json.key("description").string("The history of every row of a PostgreSQL database.");
    json.key("version").string("1").close('}');
    // Relative to the document, so that it works below any prefix of a proxy.
    json.key("servers").open('[').open('{').key("url").string(".").close('}').close(']');
    json.key("tags").open('[');
    for (const auto* group : {"reports", "history", "service"}) {
        json.open('{').key("name").string(group).close('}');
    }
    json.close(']').key("paths").open('{');
    for (const auto& route : routes) {
        if (route.documented) write_route(json, route);
    }
    json.close('}').key("components").open('{').key("schemas").open('{');
    json.key("Error").raw(error_schema);
    return json.close('}').close('}').close('}').take();
}

void add_openapi_endpoint(Router& router) {
    Answer answer;
    Route route;
    route.path = "/openapi.json";
    route.name = "openapi";
    route.summary = "This document";
    route.check = [](const Request& request) { request.query.only({}); };
    route.schema = R"({"type":"object"})";
    auto routes = router.routes();
    routes.push_back(route);
    answer.body = openapi_json(routes);
    route.answer = [answer = std::move(answer)](const Request&) { return answer; };
    router.add(std::move(route));
}

}  // namespace pgchronicle::http
