#pragma once

#include <string_view>

namespace pgchronicle::commands {

/// Writes all of it to the standard output, past its buffers, so that it is with the reader when
/// this returns. False where nobody reads any more. Throws std::system_error for other failures.
/// The caller must have SIGPIPE ignored, and written nothing through std::cout.
[[nodiscard]] bool write_out(std::string_view text);

}  // namespace pgchronicle::commands
