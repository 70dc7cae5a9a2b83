#include "pgoutput/decode_error.hpp"

#include <array>
#include <cstdio>

namespace pgchronicle::pgoutput {

namespace {

/// The tag as a person knows it: 'I', or 0x07 for what is no letter.
std::string spell_tag(char tag) {
    if (tag > ' ' && tag <= '~') return {'\'', tag, '\''};
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "0x%02X", static_cast<unsigned char>(tag));
    return text.data();
}

}  // namespace

std::string_view name_of(DecodeErrc code) {
    switch (code) {
    case DecodeErrc::ok:
        return "ok";
    case DecodeErrc::truncated:
        return "truncated";
    case DecodeErrc::trailing_bytes:
        return "trailing bytes";
    case DecodeErrc::unknown_tag:
        return "unknown tag";
    case DecodeErrc::unterminated_string:
        return "unterminated string";
    case DecodeErrc::bad_length:
        return "bad length";
    case DecodeErrc::bad_column_count:
        return "bad column count";
    case DecodeErrc::bad_tuple_kind:
        return "bad tuple kind";
    case DecodeErrc::bad_value_kind:
        return "bad value kind";
    case DecodeErrc::bad_replica_identity:
        return "bad replica identity";
    case DecodeErrc::bad_flags:
        return "bad flags";
    case DecodeErrc::bad_position:
        return "bad position";
    }
    return "unknown error";
}

std::string to_string(const DecodeError& error) {
    std::string text{name_of(error.code)};
    if (error.code == DecodeErrc::truncated && error.offset == 0) return text + ": empty message";
    text += " at byte ";
    text += std::to_string(error.offset);
    text += " of message ";
    text += spell_tag(error.tag);
    return text;
}

}  // namespace pgchronicle::pgoutput
