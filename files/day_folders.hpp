#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::files {

/// The file in a day's folder that says that everything else is there.
inline constexpr std::string_view success_marker = "_SUCCESS";

/// A table's name as the name of a file: what is no letter, digit, '.', '_' or '-', and a dot at
/// the front, is written %XX; over 200 bytes it is cut, and ends with a hash of the whole.
[[nodiscard]] std::string file_name(std::string_view table);

/// Whether the folder holds the success marker.
[[nodiscard]] bool has_succeeded(const std::filesystem::path& folder);

/// The folders DIR/{table}/{day}, each of which appears, or takes the place of the one before, as a
/// whole. Only one process at a time has them.
/// Throws Error.
class DayFolders {
public:
    /// Makes DIR where it is missing. Error not_ready when another process has it.
    explicit DayFolders(std::filesystem::path dir);
    ~DayFolders();
    DayFolders(const DayFolders&) = delete;
    DayFolders& operator=(const DayFolders&) = delete;
    DayFolders(DayFolders&&) = delete;
    DayFolders& operator=(DayFolders&&) = delete;

    /// An empty folder beside the one that it will become; what a process that was killed has left
    /// there goes.
    [[nodiscard]] std::filesystem::path begin(const std::string& table, const std::string& day);

    /// Those that were begun become visible, each at once. They are on the disk on return.
    void publish();

    /// Where a day's folder is.
    [[nodiscard]] std::filesystem::path folder(const std::string& table, const std::string& day)
        const;

private:
    struct Begun {
        std::filesystem::path written;
        std::filesystem::path final;
    };

    std::filesystem::path dir_;
    int lock_{-1};
    std::vector<Begun> begun_;
};

/// Makes what the folder lists durable.
void flush_folder(const std::filesystem::path& folder);

}  // namespace pgchronicle::files
