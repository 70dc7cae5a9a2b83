#include "http/request.hpp"

#include "http/refusal.hpp"

#include <catch2/catch.hpp>

using namespace pgchronicle::http;

namespace {

unsigned status_of(const std::string& target) {
    try {
        (void)parse_target(target);
        return 200;
    } catch (const Refusal& refusal) {
        return refusal.fields.status;
    }
}

using Items = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("a target is segments and a query, decoded", "[http]") {
    const auto target = parse_target("/tables/a%2Fb.c%20d/as-of?at=1+2%2B3&limit=&x&x=%C3%A4");
    CHECK(target.path == std::vector<std::string>{"tables", "a/b.c d", "as-of"});
    CHECK(target.query.items() == Items{{"at", "1 2+3"}, {"limit", ""}, {"x", ""}, {"x", "ä"}});
    CHECK(parse_target("/").path.empty());
    CHECK(parse_target("/?").query.items().empty());
    CHECK(parse_target("/a/").path == std::vector<std::string>{"a", ""});
    CHECK(parse_target("//a").path == std::vector<std::string>{"", "a"});
    // A plus in a path is a plus.
    CHECK(parse_target("/a+b").path == std::vector<std::string>{"a+b"});
}

TEST_CASE("a target in absolute form is its path and query", "[http]") {
    using Path = std::vector<std::string>;
    CHECK(parse_target("http://host:8000/a/b?c=d").path == Path{"a", "b"});
    CHECK(parse_target("HTTP://host/a?c=d").query.one("c") == "d");
    CHECK(parse_target("http://host").path.empty());
    CHECK(parse_target("http:///a").path == Path{"a"});
    // In it, a name has no more to say than in a path.
    CHECK(parse_target("/http://host/a").path == Path{"http:", "", "host", "a"});
}

TEST_CASE("what is no target of ours is refused", "[http]") {
    for (const auto* target :
         {"",       "*",    "https://host/", "tables",    "/..",   "/a/../b", "/%2e%2e/etc/passwd",
          "/.%2E/", "/a/.", "/%00",          "/a%0d%0ab", "/%7f",  "/%ff",    "/%c0%ae",
          "/%",     "/%2",  "/%zz",          "/?a=%00",   "/?%=1", "/\x01"}) {
        CAPTURE(target);
        CHECK(status_of(target) == 400);
    }
    CHECK(status_of("/" + std::string(target_bytes_max, 'a')) == 414);
    CHECK(status_of("/" + std::string(target_bytes_max - 1, 'a')) == 200);
}

TEST_CASE("a parameter that is given twice, unknown, or no number is an error", "[http]") {
    const Query query{{{"limit", "3"}, {"key", "1"}, {"key", "2"}}};
    CHECK(query.one("limit") == "3");
    CHECK_FALSE(query.one("other").has_value());
    CHECK_THROWS_AS(query.one("key"), Refusal);
    CHECK(query.all("key") == std::vector<std::string>{"1", "2"});
    CHECK(query.number("limit", 7, 1, 3) == 3);
    CHECK(query.number("other", 7, 1, 3) == 7);
    CHECK_THROWS_AS(query.number("limit", 7, 4, 9), Refusal);
    for (const auto* text : {"", "-1", "1.0", "1e3", " 1", "0x1", "99999999999999999999"}) {
        const Query wrong{{{"limit", text}}};
        CHECK_THROWS_AS(wrong.number("limit", 1, 0, 1'000'000), Refusal);
    }
    CHECK_NOTHROW(query.only({"limit", "key"}));
    CHECK_THROWS_AS(query.only({"limit"}), Refusal);
    CHECK(query.without("key").items() == Items{{"limit", "3"}});
}

TEST_CASE("tokens and escapes read back as what they were", "[http]") {
    const std::string all_bytes = [] {
        std::string text;
        for (int byte = 0; byte < 256; ++byte) text += static_cast<char>(byte);
        return text;
    }();
    for (const auto& text : {std::string{}, std::string{"a"}, std::string{"ab\0c", 4}, all_bytes}) {
        CHECK(from_token(to_token(text)) == text);
        CHECK(percent_decode(percent_encode(text), false) == text);
    }
    CHECK(to_token("any carnal pleas") == "YW55IGNhcm5hbCBwbGVhcw");
    // No digit, too few digits for a byte, bits that no text has left.
    for (const auto* token : {"YW55=", "A", "YR", "ä"}) {
        CAPTURE(token);
        CHECK_FALSE(from_token(token).has_value());
    }
}

TEST_CASE("gzip is taken where it is named, or everything, and not refused", "[http]") {
    for (const auto* text : {"gzip", "deflate, gzip;q=0.5", "*", "br, *;q=0.1", "x-gzip"}) {
        CAPTURE(text);
        CHECK(accepts_gzip(text));
    }
    for (const auto* text : {"", "identity", "gzip;q=0", "gzip; q=0.000, *", "br"}) {
        CAPTURE(text);
        CHECK_FALSE(accepts_gzip(text));
    }
}

TEST_CASE("a tag is found in a list, weak or not", "[http]") {
    CHECK(names_tag("\"a\"", "\"a\""));
    CHECK(names_tag("\"b\", W/\"a\"", "\"a\""));
    CHECK(names_tag("*", "\"a\""));
    CHECK_FALSE(names_tag("\"ab\"", "\"a\""));
    CHECK_FALSE(names_tag("", "\"a\""));
}
