// Reads a table as of a moment, all pages of it, for the integration tests: a line of JSON for each
// page, or for the error.
//
// usage: read_as_of DSN PIPELINE TABLE [lsn=LSN | at=TIME] [limit=N] [after=VALUE]...

#include "reading/as_of.hpp"
#include "reading/output.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

namespace {

using namespace pgchronicle;

reading::AsOfRequest request_of(int count, char** arguments) {
    reading::AsOfRequest request;
    for (int i = 0; i < count; ++i) {
        const std::string_view argument{arguments[i]};
        const auto equals = argument.find('=');
        const auto name = argument.substr(0, equals);
        const std::string value{argument.substr(equals + 1)};
        if (name == "lsn") request.lsn = pgoutput::parse_lsn(value);
        if (name == "at") request.at = value;
        if (name == "limit") request.rows_max = std::stoull(value);
        if (name == "after") request.after.push_back(value);
    }
    return request;
}

void append_text(std::string& out, const char* name, const reading::Value& value) {
    out += std::string{"\""} + name + "\":";
    if (value) {
        reading::append_json_string(out, *value);
    } else {
        out += "null";
    }
}

std::string line_of(const reading::AsOfPage& page) {
    std::string line{"{"};
    const auto& lsn = page.moment.lsn;
    append_text(line, "lsn", lsn ? reading::Value{to_string(*lsn)} : std::nullopt);
    line += ',';
    append_text(line, "at", page.moment.at);
    line += std::string{",\"final\":"} + (page.moment.final ? "true" : "false");
    return line + ",\"rows\":" + reading::to_json(page.rows) + "}";
}

std::string line_of(const reading::Error& error) {
    std::string line{"{\"kind\":" + std::to_string(static_cast<int>(error.kind)) + ","};
    append_text(line, "error", error.primary);
    line += ',';
    append_text(line, "detail", error.detail);
    return line + "}";
}

int run(int count, char** arguments) {
    pq::ConnectOptions options;
    options.dsn = arguments[1];
    auto target = pq::Connection::open(options);
    config::Settings settings;
    settings.pipeline = arguments[2];
    try {
        const auto table = reading::find_table(target, settings, arguments[3]);
        auto request = request_of(count - 4, arguments + 4);
        while (true) {
            auto page = reading::read_as_of(target, settings, table, request);
            std::puts(line_of(page).c_str());
            if (!page.next) return 0;
            request.after = *page.next;
            const auto pinned = page.moment.pinned();
            request.lsn = pinned.lsn;
            request.at = pinned.at;
        }
    } catch (const reading::Error& error) {
        std::puts(line_of(error).c_str());
        return 1;
    }
}

}  // namespace

int main(int argc, char** argv) {
    constexpr int arguments_min = 4;
    if (argc < arguments_min) {
        std::fputs("usage: read_as_of DSN PIPELINE TABLE [...]\n", stderr);
        return 2;
    }
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "read_as_of: error: %s\n", error.what());
        return 2;
    }
}
