#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace pgchronicle::replicator {

/// How long to leave the stream alone under load, so that much is read at once. A server sends each
/// change by itself. While we stand ready to receive, each costs both sides a packet's whole way;
/// while we do not, the server's kernel collects them, for less than half of its CPU and a third of
/// ours. Reads no clock.
class ReadPace {
public:
    using Duration = std::chrono::steady_clock::duration;

    /// `same_host`: the server's packets reach us without a network. Over one, the window that it
    /// may fill while we rest is what limits the rate, so the rest is short.
    explicit ReadPace(bool same_host)
        : pause_max_{same_host ? std::chrono::milliseconds{20} : pause_min} {}

    /// `bytes` were read, in the time since the last call.
    void on_read(std::uint64_t bytes, Duration elapsed) {
        if (bytes == 0) return;
        const auto wanted = static_cast<double>(step_bytes) / static_cast<double>(bytes);
        const auto pause = std::chrono::duration<double>(elapsed) * wanted;
        pause_ = std::clamp<std::chrono::duration<double>>(pause, pause_min, pause_max_);
    }
    [[nodiscard]] Duration pause() const { return std::chrono::duration_cast<Duration>(pause_); }

private:
    /// Well below what a kernel keeps for a socket that nobody reads (4 MiB): the server must not
    /// stand still.
    static constexpr std::uint64_t step_bytes = 1U << 20U;
    static constexpr std::chrono::milliseconds pause_min{1};

    std::chrono::milliseconds pause_max_;
    std::chrono::duration<double> pause_{pause_min};
};

}  // namespace pgchronicle::replicator
