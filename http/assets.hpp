#pragma once

#include <span>
#include <string_view>

namespace pgchronicle::http {

/// A file of `http/assets/`, as the binary carries it. All of it lives as long as the program.
struct Asset {
    std::string_view path;          ///< What is asked for: "/", "/docs", "/assets/page.js".
    std::string_view content_type;  ///< With its charset.
    std::string_view bytes;
    std::string_view etag;  ///< Quoted, from the bytes alone.
};

/// Every file that was embedded, ordered by its name in the folder. Thread: any.
[[nodiscard]] std::span<const Asset> assets();

}  // namespace pgchronicle::http
