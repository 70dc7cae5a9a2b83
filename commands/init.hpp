#pragma once

#include "config/secret.hpp"

#include <iosfwd>
#include <string>

namespace pgchronicle::commands {

struct InitOptions {
    std::string dsn;          ///< Of the source; a password in it is used and not written.
    config::Secret password;  ///< Where the DSN holds none; empty: libpq's own ways.
    std::string target_dsn;   ///< Empty: an example is written.
    std::string output;       ///< File to write; empty or "-": `out`. It may not exist yet.
};

/// Writes a commented starting configuration for the source: its slots and publications are looked
/// up, and where there are none, the SQL that makes them is proposed. Returns 0; 2 when the DSN
/// cannot be used or the file exists; reasons and proposals go to `err`. Throws pq::Error.
int init(const InitOptions& options, std::ostream& out, std::ostream& err);

}  // namespace pgchronicle::commands
