#pragma once

#include "pgoutput/lsn.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::files {

/// What stands in manifest.json beside the rows. It holds nothing that a second export of the same
/// moment would say otherwise.
struct Manifest {
    struct Column {
        std::string name;
        std::string type;
    };
    /// A range in which the history is known to be incomplete, and in which the moment may lie.
    struct Gap {
        std::string reason;
        pgoutput::Lsn from;
        std::optional<pgoutput::Lsn> to;  ///< None: it goes on.
    };

    std::string table;  ///< schema.table of the source.
    std::string pipeline;
    std::string day;
    std::string as_of;  ///< A time, or the LSN that was asked for.
    pgoutput::Lsn lsn;  ///< The LSN asked for, or that of the table's last change by then.
    std::string file;
    std::string format;       ///< csv or jsonl.
    std::string compression;  ///< gzip, or empty.
    std::uint64_t rows{0};
    std::uint64_t bytes{0};
    std::string sha256;  ///< Of the file as it is stored.
    std::vector<std::string> row_key;
    std::vector<Column> columns;
    std::vector<Gap> gaps;
};

/// As JSON, one member a line, with a line's end.
[[nodiscard]] std::string to_json(const Manifest& manifest);

}  // namespace pgchronicle::files
