#pragma once

#include <cstddef>
#include <string>

namespace pgchronicle::config {

/// A whole small file, or why it could not be read.
struct FileContent {
    std::string text;
    std::string error;  ///< Empty when all went well; else such as "No such file or directory".
    bool world_readable{false};
};

/// Reads at most `bytes_max`; a longer file is an error. Directories are errors too.
[[nodiscard]] FileContent read_file(const std::string& file, std::size_t bytes_max);

}  // namespace pgchronicle::config
