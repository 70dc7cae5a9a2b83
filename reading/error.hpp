#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace pgchronicle::reading {

/// What is wrong with a request, so that each way of asking can answer in its own words: an exit
/// code, an HTTP status.
enum class ErrorKind : std::uint8_t {
    not_found,    ///< No such table, row, report, ...
    ambiguous,    ///< A name that may mean several.
    bad_request,  ///< A value that does not fit: of a key, a parameter, a moment.
    too_early,    ///< Before the moment from which on the history is complete.
    too_late,     ///< After the moment at which a table was left behind.
    too_large,    ///< An answer of more bytes than are held for one.
    not_ready,    ///< Nothing can be read yet: a table that is still copied, no checkpoint.
};

/// A request that cannot be answered, in PostgreSQL's grammar. What the target itself refuses is
/// pq::Error.
struct Error : std::runtime_error {
    struct Fields {
        ErrorKind kind{ErrorKind::bad_request};
        std::string primary{};
        std::string detail{};
        std::string hint{};
    };

    explicit Error(Fields fields)
        : std::runtime_error{fields.primary},
          kind{fields.kind},
          primary{std::move(fields.primary)},
          detail{std::move(fields.detail)},
          hint{std::move(fields.hint)} {}

    ErrorKind kind;
    std::string primary;  ///< Lower case, no full stop.
    std::string detail;   ///< Sentences, may be empty; so is `hint`.
    std::string hint;
};

[[nodiscard]] inline Error
bad_request(std::string primary, std::string detail = {}, std::string hint = {}) {
    return Error{
        {.kind = ErrorKind::bad_request,
         .primary = std::move(primary),
         .detail = std::move(detail),
         .hint = std::move(hint)}};
}

}  // namespace pgchronicle::reading
