#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pgchronicle::http {

/// Writes JSON, and puts the commas. Who calls opens and closes in pairs.
class JsonWriter {
public:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    JsonWriter& key(std::string_view name);
    JsonWriter& string(std::string_view text);
    JsonWriter& number(std::int64_t value);
    JsonWriter& boolean(bool value);
    /// JSON that is there already.
    JsonWriter& raw(std::string_view json);

    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    void separate();

    std::string out_;
    bool first_{true};
};

}  // namespace pgchronicle::http
