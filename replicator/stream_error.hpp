#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace pgchronicle::replicator {

/// Something that only an operator can decide: the process stops with exit code 3. The texts
/// follow PostgreSQL's grammar.
class NeedsOperator : public std::runtime_error {
public:
    NeedsOperator(const std::string& primary, std::string detail, std::string hint = {})
        : std::runtime_error{primary}, detail_{std::move(detail)}, hint_{std::move(hint)} {}

    [[nodiscard]] const std::string& detail() const { return detail_; }
    [[nodiscard]] const std::string& hint() const { return hint_; }

private:
    std::string detail_;
    std::string hint_;
};

}  // namespace pgchronicle::replicator
