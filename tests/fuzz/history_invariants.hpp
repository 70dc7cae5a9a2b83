#pragma once

#include "tests/fuzz/fuzz_checks.hpp"
#include "tests/property/memory_target.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

// What holds for the versions of every table, whatever a server has sent.

namespace pgchronicle::test {

/// The versions of one key, in the order in which they were made.
inline void check_key(std::vector<const ModelVersion*> versions) {
    std::ranges::sort(versions, [](const auto* a, const auto* b) {
        return std::pair{a->lsn_from, a->change_seq} < std::pair{b->lsn_from, b->change_seq};
    });
    const ModelVersion* before = nullptr;
    for (const auto* version : versions) {
        if (before != nullptr) {
            require(before->lsn_to.has_value(), "a key has one open version at most");
            require(*before->lsn_to <= version->lsn_from, "versions of a key do not overlap");
            const bool same = before->lsn_from == version->lsn_from;
            require(
                !same || before->change_seq != version->change_seq,
                "a change makes one version of a key"
            );
        }
        before = version;
    }
}

/// `key` has the key's columns of a kept row; none where the whole row identifies it.
inline void check_table(const ModelTable& versions, const std::vector<std::uint16_t>& key) {
    std::map<DatumRow, std::vector<const ModelVersion*>> of_keys;
    for (const auto& version : versions) {
        require(
            version.lsn_to.has_value() == version.valid_to.has_value(), "an end has both its times"
        );
        require(
            !version.lsn_to || *version.lsn_to >= version.lsn_from, "no life ends before it began"
        );
        require(!version.valid_to || *version.valid_to >= version.valid_from, "time goes on");
        if (key.empty()) continue;
        DatumRow values;
        for (const auto column : key) values.push_back(version.row.at(column));
        of_keys[values].push_back(&version);
    }
    for (const auto& [values, of_key] : of_keys) check_key(of_key);
}

}  // namespace pgchronicle::test
