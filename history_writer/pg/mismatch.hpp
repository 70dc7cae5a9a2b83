#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace pgchronicle::history_writer::pg {

/// Something in the target is not what it must be, and only an operator can say why. Halts; of the
/// transaction in hand nothing is stored. The texts follow PostgreSQL's grammar.
class Mismatch : public std::runtime_error {
public:
    Mismatch(const std::string& primary, std::string detail, std::string hint)
        : std::runtime_error{primary}, detail_{std::move(detail)}, hint_{std::move(hint)} {}
    [[nodiscard]] const std::string& detail() const { return detail_; }
    [[nodiscard]] const std::string& hint() const { return hint_; }

private:
    std::string detail_;
    std::string hint_;
};

/// It concerns no single table that is written, so that none is left behind for it: a history goes
/// elsewhere than before, or where another's rows are; pgchronicle's own tables were touched.
class TargetMismatch : public Mismatch {
public:
    using Mismatch::Mismatch;
};

/// The checkpoint row is not what this process wrote last.
class CheckpointMismatch : public Mismatch {
public:
    using Mismatch::Mismatch;
};

}  // namespace pgchronicle::history_writer::pg
