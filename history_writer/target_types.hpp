#pragma once

#include <map>
#include <string>
#include <utility>

namespace pgchronicle::history_writer {

/// The servers' versions, as 150018. What the older one cannot hold is kept as text.
struct ServerVersions {
    int source{0};
    int target{0};
};

/// A type of an extension, as the target has it.
struct ExtensionType {
    std::string type_sql;  ///< Qualified and quoted.
    std::string equals;    ///< Its equality, OPERATOR(schema.=); empty where a btree has none.
};

/// What the target has of types that are not built in, as far as it decides how columns are kept.
struct TargetTypes {
    ServerVersions versions{};
    /// By extension and name of the type.
    std::map<std::pair<std::string, std::string>, ExtensionType> extension_types{};
    bool icu{false};  ///< Collations may be made that are not deterministic.
};

}  // namespace pgchronicle::history_writer
