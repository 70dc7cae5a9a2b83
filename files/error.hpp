#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace pgchronicle::files {

enum class Fault : std::uint8_t {
    request,    ///< What was asked for makes no sense: a name, a moment, a type.
    content,    ///< The file is not what it has to be.
    not_ready,  ///< It cannot be done now, or not to this: a moment to come, an input that is
                ///< missing.
};

/// Why nothing was written, in PostgreSQL's grammar. What the target itself refuses is pq::Error.
struct Error : std::runtime_error {
    struct Fields {
        Fault fault{Fault::request};
        std::string primary{};
        std::string detail{};
        std::string hint{};
    };

    explicit Error(Fields fields)
        : std::runtime_error{fields.primary},
          fault{fields.fault},
          primary{std::move(fields.primary)},
          detail{std::move(fields.detail)},
          hint{std::move(fields.hint)} {}

    Fault fault;
    std::string primary;
    std::string detail;
    std::string hint;
};

/// Error for a failed call of the system: `what`, and what errno says.
[[nodiscard]] Error system_error(const std::string& what, int error_number);

}  // namespace pgchronicle::files
