#include "history_writer/key_index.hpp"

#include <algorithm>
#include <cstring>

namespace pgchronicle::history_writer {

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

std::uint64_t hash_bytes(std::span<const std::byte> bytes) {
    constexpr std::uint64_t odd_1 = 0xA0761D6478BD642FULL;
    constexpr std::uint64_t odd_2 = 0xE7037ED1A0B428DBULL;
    std::uint64_t hash = odd_1 ^ bytes.size();
    while (bytes.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof word);
        hash = mix(hash ^ word, odd_2);
        bytes = bytes.subspan(sizeof word);
    }
    std::uint64_t tail = 0;
    if (!bytes.empty()) std::memcpy(&tail, bytes.data(), bytes.size());
    return mix(hash ^ tail, odd_1);
}

KeyState& KeyIndex::find_or_add(std::span<const std::byte> key) {
    if ((states_.size() + 1) * 2 > buckets_.size()) grow();
    const auto hash = hash_bytes(key);
    const auto mask = buckets_.size() - 1;
    auto bucket = hash & mask;
    for (; buckets_[bucket] != no_index; bucket = (bucket + 1) & mask) {
        KeyState& state = states_[buckets_[bucket]];
        if (state.hash == hash && state.key_size == key.size() &&
            std::memcmp(keys_.data() + state.key_offset, key.data(), key.size()) == 0) {
            state.seen = true;
            return state;
        }
    }
    buckets_[bucket] = static_cast<std::uint32_t>(states_.size());
    KeyState state;
    state.hash = hash;
    state.key_offset = keys_.size();
    state.key_size = static_cast<std::uint32_t>(key.size());
    keys_.insert(keys_.end(), key.begin(), key.end());
    states_.push_back(state);
    return states_.back();
}

void KeyIndex::clear() {
    states_.clear();
    keys_.clear();
    std::fill(buckets_.begin(), buckets_.end(), no_index);
}

void KeyIndex::grow() {
    constexpr std::size_t buckets_min = 64;
    buckets_.assign(std::max(buckets_min, buckets_.size() * 2), no_index);
    const auto mask = buckets_.size() - 1;
    for (std::size_t i = 0; i < states_.size(); ++i) {
        auto bucket = states_[i].hash & mask;
        while (buckets_[bucket] != no_index) bucket = (bucket + 1) & mask;
        buckets_[bucket] = static_cast<std::uint32_t>(i);
    }
}

}  // namespace pgchronicle::history_writer
