#pragma once

#include "pgoutput/lsn.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::http {

/// Where the next page of a table as of a moment begins. One of `lsn` and `at`: the moment of the
/// first page, so that all pages are of one.
struct AsOfPlace {
    std::optional<pgoutput::Lsn> lsn;
    std::optional<std::string> at;
    std::vector<std::string> after;  ///< As reading::read_as_of gave it.

    friend bool operator==(const AsOfPlace&, const AsOfPlace&) = default;
};

/// The place as a token for clients, good for that table.
[[nodiscard]] std::string as_of_token(const AsOfPlace& place, const std::string& table);

/// Throws Refusal (400) for what is no token of that table.
[[nodiscard]] AsOfPlace parse_as_of_token(std::string_view token, const std::string& table);

}  // namespace pgchronicle::http
