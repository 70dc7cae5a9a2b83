#include "config/error.hpp"
#include "reading/error.hpp"
#include "reports/check_value.hpp"
#include "reports/load_reports.hpp"
#include "reports/run_report.hpp"
#include "tests/fuzz/fuzz_checks.hpp"
#include "tests/fuzz/sql_lexer.hpp"
#include "tests/fuzz/sql_pieces.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

// A report's file of any bytes, and after a byte that no UTF-8 has the value of its first
// parameter, and so on: gives one statement that has a number for each parameter and is otherwise
// as it was written, or problems that say where; and no value becomes a part of the statement.

namespace {

using namespace pgchronicle;
using test::require;

constexpr const char* file = "fuzz.sql";

bool is_one_line(std::string_view text) {
    return text.find_first_of("\r\n") == std::string_view::npos;
}

/// The statement with :name where it has a number now.
std::string with_names(const reports::Report& report) {
    const std::string_view sql = report.sql;
    std::string text;
    std::size_t begin = 0;  // Of the piece.
    std::size_t done = 0;
    for (const auto& piece : test::sql_pieces(sql)) {
        if (piece.kind == test::PieceKind::parameter) {
            const auto number = std::stoul(std::string{piece.text.substr(1)});
            require(
                number >= 1 && number <= report.parameters.size(), "it is a parameter's number"
            );
            const auto& parameter = report.parameters[number - 1];
            const auto cast = std::string{"::"} + reports::sql_type(parameter.type);
            require(sql.substr(begin + piece.text.size()).starts_with(cast), "with its type");
            text += sql.substr(done, begin - done);
            text += ':' + parameter.name;
            done = begin + piece.text.size() + cast.size();
        }
        begin += piece.text.size();
    }
    return text.append(sql.substr(done));
}

/// The text without what ends a statement.
std::string without_ends(std::string_view sql) {
    std::string text;
    for (const auto& piece : test::sql_pieces(sql)) {
        if (piece.text != ";") text += piece.text;
    }
    return text;
}

void check_statement(const reports::Report& report, std::string_view definition) {
    const auto is_end = [](const test::SqlPiece& piece) { return piece.text == ";"; };
    require(std::ranges::none_of(test::sql_pieces(report.sql), is_end), "it is one statement");
    // The lines at the top are not sent.
    require(without_ends(definition).ends_with(with_names(report)), "it is as it was written");
}

void check_parameter(const reports::Parameter& parameter) {
    require(!parameter.name.empty(), "a parameter has a name");
    require(!reports::expectation(parameter).empty(), "what it has to be can be said");
    if (parameter.default_value) {
        require(!reports::fault_of(parameter, *parameter.default_value), "its default fits");
    }
    for (const auto& value : parameter.allowed) {
        auto any = parameter;
        any.allowed.clear();
        require(!reports::fault_of(any, value), "what is allowed fits");
    }
}

void check_values(const reports::Report& report, std::string_view values) {
    std::map<std::string, std::string> given;
    for (const auto& parameter : report.parameters) {
        if (values.empty()) break;
        values.remove_prefix(1);
        const auto end = std::min(values.find('\xFF'), values.size());
        given[parameter.name] = values.substr(0, end);
        values.remove_prefix(end);
    }
    try {
        const auto bound = reports::bind(report, given);
        require(bound.size() == report.parameters.size(), "every parameter has a value");
        for (std::size_t i = 0; i < bound.size(); ++i) {
            const auto fault = reports::fault_of(report.parameters[i], bound[i]);
            require(!fault, "a value fits its parameter");
            require(test::is_utf8(bound[i]), "a value is a text of PostgreSQL's");
        }
    } catch (const reading::Error& error) {
        require(error.kind == reading::ErrorKind::bad_request, "a value is the client's fault");
        require(!error.primary.empty(), "an error says what is wrong");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(data, data + size);
    const auto end = std::min(input.find('\xFF'), input.size());
    const auto definition = std::string_view{input}.substr(0, end);
    try {
        const auto report = reports::parse_report(file, definition);
        require(!report.name.empty() && is_one_line(report.name), "a report has a name");
        require(is_one_line(report.description), "a description is one line");
        for (const auto& parameter : report.parameters) check_parameter(parameter);
        check_statement(report, definition);
        check_values(report, std::string_view{input}.substr(end));
    } catch (const config::ConfigError& error) {
        require(!error.problems().empty(), "an error has a problem");
        const auto lines = std::ranges::count(definition, '\n') + 1;
        for (const auto& problem : error.problems()) {
            require(problem.file == file, "a problem names its file");
            require(problem.line >= 1 && problem.line <= lines, "its line is in the file");
            require(!problem.message.empty(), "a problem says what is wrong");
            require(is_one_line(problem.message), "a message cannot forge a line");
        }
    }
    return 0;
}
