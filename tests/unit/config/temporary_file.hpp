#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>

namespace pgchronicle::tests {

/// A file with given content and rights that is gone at the end of its scope.
class TemporaryFile {
public:
    explicit TemporaryFile(
        const std::string& content,
        std::filesystem::perms rights = std::filesystem::perms{0600}
    ) {
        path_ = (std::filesystem::temp_directory_path() / "pgchronicle_test_XXXXXX").string();
        const int descriptor = ::mkstemp(path_.data());
        if (descriptor < 0) throw std::runtime_error{"could not make a temporary file"};
        const auto written = ::write(descriptor, content.data(), content.size());
        ::close(descriptor);
        if (written != static_cast<ssize_t>(content.size())) {
            throw std::runtime_error{"could not write a temporary file"};
        }
        std::filesystem::permissions(path_, rights);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace pgchronicle::tests
