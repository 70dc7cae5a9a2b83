#include "pq/array_text.hpp"

#include <cstddef>

namespace pgchronicle::pq {

std::string array_text(std::span<const std::string> items) {
    std::string text{"{"};
    for (const std::string& item : items) {
        if (text.size() > 1) text += ',';
        text += '"';
        for (const char c : item) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    text += '}';
    return text;
}

std::vector<std::string> parse_array_text(std::string_view text) {
    std::vector<std::string> items;
    if (text.size() <= 2) return items;
    const std::string_view body = text.substr(1, text.size() - 2);
    items.emplace_back();
    bool quoted = false;
    for (std::size_t i = 0; i < body.size(); ++i) {
        const char c = body[i];
        if (c == '\\' && i + 1 < body.size()) {
            items.back() += body[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            items.emplace_back();
        } else {
            items.back() += c;
        }
    }
    return items;
}

}  // namespace pgchronicle::pq
