#pragma once

#include "files/csv_parser.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace pgchronicle::files {

/// The first line of a CSV file. Throws Error: the file cannot be read, is no CSV, or its first
/// line does not name columns, each once.
[[nodiscard]] std::vector<std::string>
read_header(const std::filesystem::path& path, const CsvOptions& options);

struct CsvContent {
    std::uint64_t rows{0};
    std::string sha256;  ///< Of the file's text.
};

/// Calls `sink` for each record after the header that is not blank, with as many fields as the
/// header. A file that is gzip-compressed is read as what it holds.
/// Throws Error, with line and column; what `sink` throws.
CsvContent read_rows(
    const std::filesystem::path& path,
    const CsvOptions& options,
    const std::vector<std::string>& header,
    const std::function<void(const CsvRecord&)>& sink
);

/// The start of a message about a place in the file: orders.csv, line 3, column 7
[[nodiscard]] std::string place_in(const std::filesystem::path& path, const TextPlace& place);

}  // namespace pgchronicle::files
