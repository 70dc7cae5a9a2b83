#pragma once

#include "config/settings.hpp"
#include "files/csv_parser.hpp"
#include "pgoutput/lsn.hpp"
#include "pq/connection.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgchronicle::files {

/// Schema of an imported table whose name says none.
inline constexpr const char* imported_schema = "imported";

struct ImportRequest {
    std::filesystem::path file;
    std::string table;             ///< schema.table, or table.
    std::vector<std::string> key;  ///< Columns of the file, in key order.
    std::optional<std::string> day{};
    /// What has to be there for that day first: imported tables, and folders (with a slash) that
    /// hold a success marker, or a day's folder with one.
    std::vector<std::string> after{};
    /// Column to type; others have the one that the history has, or text.
    std::map<std::string, std::string> types{};
    CsvOptions csv{};
};

struct Imported {
    std::string table;    ///< schema.table
    std::string history;  ///< The same of its history.
    std::uint64_t rows{0};
    std::uint64_t inserted{0};
    std::uint64_t updated{0};
    std::uint64_t deleted{0};
    std::optional<pgoutput::Lsn> lsn;  ///< Of the versions; none where there was nothing to write.

    [[nodiscard]] std::uint64_t changes() const { return inserted + updated + deleted; }
};

/// Makes the rows of a CSV file the open versions of a table that no pipeline writes: what differs
/// becomes INSERT, UPDATE and DELETE versions at the checkpoint's position, in one transaction. The
/// history table is made where it is missing. Importing the same again writes nothing.
/// Throws Error, pq::Error, history_writer's TableFailure and Mismatch; nothing is written then.
[[nodiscard]] Imported import_file(
    const pq::ConnectOptions& target,
    const config::Settings& settings,
    const ImportRequest& request
);

}  // namespace pgchronicle::files
