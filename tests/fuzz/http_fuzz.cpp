#include "http/as_of_token.hpp"
#include "http/host.hpp"
#include "http/request.hpp"
#include "http/request_head.hpp"
#include "tests/fuzz/fuzz_checks.hpp"
#include "tests/fuzz/sql_lexer.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What any client may send: the head of a request, and the small texts in it. The first byte says
// which.

namespace {

using namespace pgchronicle;
using test::require;

/// What may stand in a line of the log, and in a text of PostgreSQL's.
bool is_plain(std::string_view text) {
    const auto control = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20U || byte == 0x7FU;
    };
    return test::is_utf8(text) && std::ranges::none_of(text, control);
}

void check_refusal(const http::Refusal& refusal) {
    constexpr std::array statuses{400U, 413U, 414U, 431U, 505U};
    require(std::ranges::find(statuses, refusal.fields.status) != statuses.end(), "it is refused");
    require(!refusal.fields.code.empty(), "a refusal has a code");
    require(!refusal.fields.message.empty(), "a refusal says what is wrong");
    const auto json = http::error_json(refusal);
    require(is_plain(json), "what is answered is one line of UTF-8");
    require(json.starts_with(R"({"error":{"message":")"), "every error has the same form");
}

std::string written(const http::Target& target) {
    std::string text;
    for (const auto& segment : target.path) text += '/' + http::percent_encode(segment);
    if (text.empty()) text = "/";
    char separator = '?';
    for (const auto& [name, value] : target.query.items()) {
        text += separator + http::percent_encode(name) + '=' + http::percent_encode(value);
        separator = '&';
    }
    return text;
}

void check_parts(const http::Target& target) {
    for (const auto& segment : target.path) {
        require(is_plain(segment), "a segment is plain text");
        require(segment != "." && segment != "..", "a path leads nowhere else");
    }
    for (const auto& [name, value] : target.query.items()) {
        require(is_plain(name) && is_plain(value), "a parameter is plain text");
    }
    const auto text = written(target);
    if (text.size() > http::target_bytes_max) return;
    const auto again = http::parse_target(text);
    require(again.path == target.path, "a path is read as it is written");
    require(again.query.items() == target.query.items(), "and so are parameters");
}

void check_target(const std::string& text) {
    try {
        check_parts(http::parse_target(text));
    } catch (const http::Refusal& refusal) {
        check_refusal(refusal);
    }
}

void check_request(const http::Request& request) {
    require(!request.method.empty(), "a request has a method");
    check_parts({request.path, request.query});
    for (const auto* field :
         {&request.if_none_match,
          &request.accept_encoding,
          &request.origin,
          &request.last_event_id}) {
        require(field->find_first_of("\r\n") == std::string::npos, "a header is one line");
    }
}

void check_head(const std::string& text) {
    using Error = boost::beast::http::error;
    http::RequestParser parser;
    http::set_limits(parser);
    boost::beast::error_code error;
    parser.put(boost::asio::buffer(text), error);
    if (error == Error::need_more) return;
    if (error) {
        check_refusal(http::refusal_of(error));
        return;
    }
    if (!parser.is_header_done()) return;
    if (const auto objection = http::objection_to(parser)) {
        check_refusal(*objection);
        return;
    }
    require(!parser.chunked(), "a request that is taken has no body");
    require(parser.content_length_remaining().value_or(0) == 0, "nor the length of one");
    try {
        check_request(http::to_request(parser));
    } catch (const http::Refusal& refusal) {
        check_refusal(refusal);
    }
}

void check_token(const std::string& text) {
    require(http::from_token(http::to_token(text)) == text, "a token gives its bytes");
    if (const auto bytes = http::from_token(text)) {
        require(http::to_token(*bytes) == text, "bytes have one token");
    }
    const std::string table = "operations.orders";
    // As it came, and as what it would be the token of.
    for (const auto& token : {text, http::to_token(table + '\0' + text)}) {
        try {
            const auto place = http::parse_as_of_token(token, table);
            require(place.lsn.has_value() != place.at.has_value(), "a place has one moment");
            require(!place.after.empty(), "and a key");
            const auto again = http::parse_as_of_token(http::as_of_token(place, table), table);
            require(again == place, "a place is read as it is written");
        } catch (const http::Refusal& refusal) {
            check_refusal(refusal);
        }
    }
}

void check_lists(const std::string& text) {
    const bool any = text.find('*') != std::string::npos;
    require(
        !http::accepts_gzip(text) || any || text.find("gzip") != std::string::npos,
        "what is not named is not accepted"
    );
    const std::string tag = "\"a\"";
    require(
        !http::names_tag(text, tag) || any || text.find(tag) != std::string::npos,
        "a tag is named, or all of them"
    );
    require(http::names_tag(text + ",W/" + tag, tag), "a list may be of any length");
}

void check_host(const std::string& host) {
    if (!http::is_own_host(host, {})) return;
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; };
    std::string name = host;
    std::ranges::transform(name, name.begin(), lower);
    const bool address = !name.empty() && (name[0] == '[' || (name[0] >= '0' && name[0] <= '9'));
    require(address || name.starts_with("localhost"), "a name of another's is not ours");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text(data + 1, data + size);
    switch (data[0] % 5) {
    case 0:
        check_head(text);
        break;
    case 1:
        check_target(text);
        break;
    case 2:
        check_token(text);
        break;
    case 3:
        check_lists(text);
        break;
    default:
        check_host(text);
        break;
    }
    return 0;
}
