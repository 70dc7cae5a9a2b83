#include "history_writer/table_failure.hpp"

namespace pgchronicle::history_writer {

config::OnError
on_error(const std::string& schema, const std::string& table, const config::Settings& settings) {
    const auto found = settings.tables.overrides.find(schema + "." + table);
    if (found == settings.tables.overrides.end()) return settings.tables.on_error;
    return found->second.on_error.value_or(settings.tables.on_error);
}

}  // namespace pgchronicle::history_writer
