#include "commands/write_out.hpp"

#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace pgchronicle::commands {

bool write_out(std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EPIPE) {
            return false;
        } else if (errno != EINTR) {
            throw std::system_error{
                errno, std::generic_category(), "could not write to the standard output"};
        }
    }
    return true;
}

}  // namespace pgchronicle::commands
