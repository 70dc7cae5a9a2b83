#pragma once

#include <string>

namespace pgchronicle::commands {

/// [..., ...]: what `form` makes of each item.
template <typename Items, typename Form>
std::string json_list(const Items& items, Form form) {
    std::string text{"["};
    for (const auto& item : items) {
        if (text.size() > 1) text += ", ";
        text += form(item);
    }
    return text + "]";
}

}  // namespace pgchronicle::commands
