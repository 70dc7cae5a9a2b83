#include "history_writer/pg/array_params.hpp"

#include <string_view>

namespace pgchronicle::history_writer::pg {

void begin_binary_array(Bytes& out, std::uint32_t element_oid, std::size_t count) {
    out.clear();
    append_int32(out, 1);  // Dimensions.
    append_int32(out, 0);  // No NULLs: a key column never is.
    append_int32(out, static_cast<std::int32_t>(element_oid));
    append_int32(out, static_cast<std::int32_t>(count));
    append_int32(out, 1);  // Lower bound.
}

void append_text_element(Bytes& out, std::span<const std::byte> neutral) {
    out.push_back(static_cast<std::byte>(out.empty() ? '{' : ','));
    if (read_int32(neutral.data()) < 0) {
        append(out, std::string_view{"NULL"});
        return;
    }
    out.push_back(std::byte{'"'});
    for (const auto b : neutral.subspan(sizeof(std::int32_t))) {
        if (b == std::byte{'"'} || b == std::byte{'\\'}) out.push_back(std::byte{'\\'});
        out.push_back(b);
    }
    out.push_back(std::byte{'"'});
}

void end_text_array(Bytes& out) {
    if (out.empty()) out.push_back(std::byte{'{'});
    out.push_back(std::byte{'}'});
    out.push_back(std::byte{0});
}

}  // namespace pgchronicle::history_writer::pg
