#pragma once

#include "following/position.hpp"
#include "pq/connection.hpp"

#include <optional>
#include <string>

namespace pgchronicle::following {

/// A position that the target keeps under a name, in pgchronicle.cursor. Whoever holds it is alone:
/// the lock belongs to the connection.
class Cursor {
public:
    Cursor(std::string pipeline, std::string name);

    /// Takes the lock, if nobody has it.
    [[nodiscard]] bool try_lock(pq::Connection& target) const;
    /// Who has it, in words; "" where nobody has.
    [[nodiscard]] std::string holder(pq::Connection& target) const;

    /// The position that is kept; nothing where the cursor is new.
    /// Throws reading::Error (not_ready) where the target was made by an older version.
    [[nodiscard]] std::optional<Position> read(pq::Connection& target) const;
    /// On disk when it returns.
    void store(pq::Connection& target, const Position& position) const;

private:
    std::string pipeline_;
    std::string name_;
};

}  // namespace pgchronicle::following
