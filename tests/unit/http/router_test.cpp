#include "http/router.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace pgchronicle::http;

namespace {

Route route(const std::string& path) {
    return {.path = path, .name = path, .summary = {}, .answer = [](const Request&) {
                return Answer{};
            }};
}

std::string found(const Router& router, const std::string& path) {
    const auto match = router.find(parse_target(path).path);
    if (!match) return "nothing";
    std::string text = match->route->path;
    for (const auto& captured : match->captured) text += " " + captured;
    return text;
}

}  // namespace

TEST_CASE("a path means the endpoint that names most of it", "[http]") {
    Router router;
    for (const auto* path : {"/", "/orders", "/orders/top", "/tables/{table}/keys", "/orders/{id}"})
        router.add(route(path));
    CHECK(found(router, "/") == "/");
    CHECK(found(router, "/orders") == "/orders");
    CHECK(found(router, "/orders/top") == "/orders/top");
    CHECK(found(router, "/orders/7") == "/orders/{id} 7");
    CHECK(found(router, "/tables/a.b/keys") == "/tables/{table}/keys a.b");
    CHECK(found(router, "/tables/a%2Fb/keys") == "/tables/{table}/keys a/b");
    for (const auto* path : {"/Orders", "/orders/", "/orders/top/x", "/tables", "/tables//keys"}) {
        CHECK(found(router, path) == "nothing");
    }
    // An escaped slash does not divide a path.
    CHECK(found(router, "/orders%2Ftop") == "nothing");
}

TEST_CASE("a path is taken once", "[http]") {
    Router router;
    router.add(route("/tables/{table}/keys"));
    CHECK_THROWS_AS(router.add(route("/tables/{name}/keys")), std::invalid_argument);
    CHECK_NOTHROW(router.add(route("/tables/x/keys")));
}
