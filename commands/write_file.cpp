#include "commands/write_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace pgchronicle::commands {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what, const std::string& path, int error) {
    throw std::runtime_error{
        fmt::format("could not {} \"{}\": {}", what, path, std::generic_category().message(error))};
}

/// A file beside its final place, which is gone unless it got there.
class PartFile {
public:
    explicit PartFile(const fs::path& final_path)
        : path_{(final_path.parent_path() /
                 (".pgchronicle-" + final_path.filename().string() + ".XXXXXX"))
                    .string()} {
        number_ = ::mkostemp(path_.data(), O_CLOEXEC);
        if (number_ < 0) fail("create a file for", final_path.string(), errno);
    }
    ~PartFile() {
        if (number_ >= 0) ::close(number_);
        ::unlink(path_.c_str());
    }
    PartFile(const PartFile&) = delete;
    PartFile& operator=(const PartFile&) = delete;
    PartFile(PartFile&&) = delete;
    PartFile& operator=(PartFile&&) = delete;

    void write(std::string_view content) {
        while (!content.empty()) {
            const auto count = ::write(number_, content.data(), content.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) fail("write", path_, errno);
            content.remove_prefix(static_cast<std::size_t>(count));
        }
        // As any new file, not for its owner alone.
        const auto mask = ::umask(0);
        ::umask(mask);
        constexpr mode_t read_and_write_for_all = 0666;
        if (::fchmod(number_, read_and_write_for_all & ~mask) != 0 || ::fsync(number_) != 0) {
            fail("write", path_, errno);
        }
    }

    /// False where there is such a file already.
    [[nodiscard]] bool link_to(const fs::path& place) const {
        if (::link(path_.c_str(), place.c_str()) == 0) return true;
        if (errno != EEXIST) fail("create", place.string(), errno);
        return false;
    }

private:
    std::string path_;
    int number_{-1};
};

void flush_folder(const fs::path& folder) {
    const int number = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (number < 0) return;  // A folder that may be written, but not read.
    ::fsync(number);
    ::close(number);
}

}  // namespace

std::string
write_new_file(const std::string& dir, const std::string& name, std::string_view content) {
    const fs::path folder{dir.empty() ? "." : dir};
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) fail("create folder", folder.string(), error.value());
    fs::path place = folder / name;
    PartFile part{place};
    part.write(content);
    for (int copy = 2; !part.link_to(place); ++copy) {
        place =
            folder /
            fmt::format(
                "{}-{}{}", fs::path{name}.stem().string(), copy, fs::path{name}.extension().string()
            );
    }
    flush_folder(folder);
    return place.string();
}

}  // namespace pgchronicle::commands
