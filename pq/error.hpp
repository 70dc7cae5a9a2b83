#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pgchronicle::pq {

/// What to do about an error: `retry` the transaction, `reconnect` first, or `halt`.
enum class Disposition { retry, reconnect, halt };

/// A failure reported by libpq or the server, in the server's own fields.
/// `sqlstate` is empty when the connection failed before the server could say one.
class Error : public std::runtime_error {
public:
    struct Fields {
        std::string sqlstate{};
        std::string primary{};
        std::string detail{};
        std::string hint{};
        std::string context{};
        bool connection_lost{false};
        std::string constraint{};
        std::string schema{};
        std::string table{};
        std::size_t commands_before{0};
    };

    explicit Error(Fields fields);

    [[nodiscard]] const std::string& sqlstate() const { return fields_.sqlstate; }
    [[nodiscard]] const std::string& primary() const { return fields_.primary; }
    [[nodiscard]] const std::string& detail() const { return fields_.detail; }
    [[nodiscard]] const std::string& hint() const { return fields_.hint; }
    [[nodiscard]] const std::string& context() const { return fields_.context; }
    /// Name of the constraint or index that the error is about; empty for most.
    [[nodiscard]] const std::string& constraint() const { return fields_.constraint; }
    /// Schema and name of the table that the error is about; empty for most.
    [[nodiscard]] const std::string& schema() const { return fields_.schema; }
    [[nodiscard]] const std::string& table() const { return fields_.table; }
    /// In a pipeline: how many commands before the one that failed had succeeded.
    [[nodiscard]] std::size_t commands_before() const { return fields_.commands_before; }
    /// The connection cannot be used any more.
    [[nodiscard]] bool connection_lost() const { return fields_.connection_lost; }
    /// From the SQLSTATE's class; one table in sqlstate.cpp.
    [[nodiscard]] Disposition disposition() const;

private:
    Fields fields_;
};

}  // namespace pgchronicle::pq
