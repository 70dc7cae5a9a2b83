#pragma once

#include <string>
#include <vector>

namespace pgchronicle::config {

struct Entry;

/// A YAML document as plain values, so that only load.cpp knows the YAML library.
struct DocumentNode {
    enum class Kind { null, scalar, list, map };

    Kind kind{Kind::null};
    int line{1};                      ///< From 1.
    std::string text;                 ///< Of a scalar, before ${VAR} is expanded.
    std::vector<DocumentNode> items;  ///< Of a list.
    std::vector<Entry> entries;       ///< Of a map, in order, duplicates included.
};

/// One key of a map with its value.
struct Entry {
    std::string key;
    int line{1};
    DocumentNode value;
};

}  // namespace pgchronicle::config
