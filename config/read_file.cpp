#include "config/read_file.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace pgchronicle::config {

namespace {

std::string last_error() {
    return std::generic_category().message(errno);
}

/// An open file that closes itself.
class Descriptor {
public:
    explicit Descriptor(int number) : number_{number} {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

}  // namespace

FileContent read_file(const std::string& file, std::size_t bytes_max) {
    FileContent content;
    // Not blocking: opening a named pipe that nobody writes would wait for ever.
    const Descriptor descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status {};
    if (descriptor.number() < 0 || ::fstat(descriptor.number(), &status) != 0) {
        return {{}, last_error()};
    }
    if (S_ISDIR(status.st_mode)) return {{}, "it is a directory"};
    content.world_readable = (status.st_mode & S_IROTH) != 0;

    std::array<char, 4096> piece{};
    while (true) {
        const auto count = ::read(descriptor.number(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return {{}, last_error()};
        if (count == 0) return content;
        content.text.append(piece.data(), static_cast<std::size_t>(count));
        if (content.text.size() > bytes_max) {
            return {{}, "it is longer than " + std::to_string(bytes_max) + " bytes"};
        }
    }
}

}  // namespace pgchronicle::config
