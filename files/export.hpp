#pragma once

#include "config/settings.hpp"
#include "files/file_moment.hpp"
#include "pq/connection.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace pgchronicle::files {

enum class FileFormat : std::uint8_t { csv, jsonl };

struct ExportRequest {
    MomentRequest moment;
    std::filesystem::path dir;
    std::vector<std::string> tables{};  ///< Names; none: all that the pipeline replicates.
    FileFormat format{FileFormat::csv};
    bool gzip{false};
    std::chrono::milliseconds patience{0};  ///< With a moment that is still to come.
};

/// One table that was written.
struct Exported {
    std::string table;
    std::filesystem::path folder;
    std::uint64_t rows{0};
    std::vector<std::string> gaps;  ///< What is known to be missing, as sentences.
};

struct ExportResult {
    std::vector<Exported> tables;
    /// Tables that were not named, and whose history begins only after the moment.
    std::vector<std::string> begin_later;
    /// Tables that were not named, have been renamed since at the source, and cannot be told.
    std::vector<std::string> untold;
};

/// Writes DIR/{table}/{day}/ for each table as of the moment, all in one snapshot: a file of rows,
/// manifest.json and _SUCCESS. Each folder appears as a whole, after every file of all of them is
/// on the disk; the same request gives the same bytes again. Only reads the target.
/// Throws Error, reading::Error; pq::Error. Then no folder has changed, unless it was the system
/// that failed while they took their places.
[[nodiscard]] ExportResult export_tables(
    const pq::ConnectOptions& target,
    const pq::ConnectOptions& source,
    const config::Settings& settings,
    const ExportRequest& request
);

}  // namespace pgchronicle::files
