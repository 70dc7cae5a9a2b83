#pragma once

#include "http/answer_cache.hpp"
#include "http/metrics.hpp"
#include "http/observation.hpp"
#include "http/position_watch.hpp"

#include <boost/asio/io_context.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace pgchronicle::http {

/// Looks at the pipeline once a second, on a thread of its own, and remembers what it saw: so that
/// neither a dashboard nor a crowd of them costs the servers more than that.
class Lookout {
public:
    struct Parts {
        boost::asio::io_context& io;
        Metrics& metrics;
        std::function<Observation()> look;             ///< May block; runs on the thread.
        std::function<void(const Observation&)> tell;  ///< On the server's thread.
        bool replicates{false};
    };

    explicit Lookout(Parts parts);
    ~Lookout();
    Lookout(const Lookout&) = delete;
    Lookout& operator=(const Lookout&) = delete;

    void start();
    void stop();

    // Thread: the server's.
    /// What was seen last; nothing where that was too long ago to go by.
    [[nodiscard]] const Observation* now() const;
    /// Samples as JSON, those after `since` (Unix time in seconds).
    [[nodiscard]] std::string samples_json(double since) const;

private:
    struct Sample {
        double time{0};  ///< Unix time in seconds.
        std::optional<std::uint64_t> lag_bytes{};
        std::optional<double> lag_seconds{};
        std::optional<double> rows_per_second{};
    };
    /// What rates are made from.
    struct Count {
        Clock::time_point at;
        double rows{0};
    };

    void run(const std::stop_token& stop);
    void note(Observation observation);
    [[nodiscard]] std::optional<double> rate(const Observation& observation);

    Parts parts_;
    std::optional<Observation> last_;
    Clock::time_point last_at_;
    std::deque<Sample> samples_;
    std::deque<Count> counts_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

}  // namespace pgchronicle::http
