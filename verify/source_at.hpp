#pragma once

#include "config/settings.hpp"
#include "initial_copy/source_snapshot.hpp"
#include "source_catalog/model.hpp"
#include "verify/verification.hpp"

#include <string>
#include <vector>

namespace pgchronicle::verify {

/// The source as of one LSN, and the tables that are to be verified, as they are there.
struct SourceAt {
    initial_copy::SourceSnapshot snapshot;
    std::vector<source_catalog::Table> tables;
    source_catalog::Server server;

    [[nodiscard]] pq::Connection& connection() { return snapshot.connections.front(); }
    [[nodiscard]] pgoutput::Lsn lsn() const { return snapshot.stamp.seam; }
};

/// Takes the snapshot and locks the tables. Errors: as initial_copy::take_snapshot, which is tried
/// again where a table has changed meanwhile; 42501 for a table that may not be read.
[[nodiscard]] SourceAt take_source(const config::Settings& settings, const Options& options);

/// Whether `pattern` is one of this table: schema.table, or a table alone.
[[nodiscard]] bool
names_table(const std::string& pattern, const std::string& schema, const std::string& table);

/// Whether the options name this table; no name means all.
[[nodiscard]] bool
asked_for(const Options& options, const std::string& schema, const std::string& table);

}  // namespace pgchronicle::verify
