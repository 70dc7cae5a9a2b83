#pragma once

#include <string>
#include <utility>

namespace pgchronicle::config {

/// A value that never prints: the only way to read it is to ask for it by name.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_{std::move(value)} {}

    /// The secret itself. Hand it to libpq and to nothing else.
    [[nodiscard]] const std::string& reveal() const { return value_; }
    [[nodiscard]] bool empty() const { return value_.empty(); }

    /// What logs and errors get.
    [[nodiscard]] static const char* masked() { return "***"; }

    friend bool operator==(const Secret&, const Secret&) = default;

private:
    std::string value_;
};

}  // namespace pgchronicle::config
