#pragma once

#include <string>
#include <string_view>

namespace pgchronicle::commands {

/// Writes a file that is there as a whole or not at all, even if the machine stops, and never in
/// the place of another: a taken name gets -2, -3, ... before its ending. `dir` is made where it is
/// missing. Returns the file's path. Throws std::runtime_error with the reason.
std::string
write_new_file(const std::string& dir, const std::string& name, std::string_view content);

}  // namespace pgchronicle::commands
