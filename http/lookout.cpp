#include "http/lookout.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <utility>

namespace pgchronicle::http {

namespace {

constexpr std::chrono::milliseconds interval{1'000};
/// Twenty minutes.
constexpr std::size_t samples_max = 1'200;
/// Statistics of the target move about once a second; over so many looks a rate is smooth.
constexpr std::size_t counts_max = 4;
/// A look that takes longer says enough.
constexpr std::chrono::seconds fresh{15};

double unix_time() {
    using Seconds = std::chrono::duration<double>;
    return Seconds{std::chrono::system_clock::now().time_since_epoch()}.count();
}

template <typename Number>
std::string json_of(const std::optional<Number>& number, const char* form) {
    if (!number || !std::isfinite(static_cast<double>(*number))) return "null";
    char text[64];  // NOLINT
    const auto value = static_cast<double>(*number);
    return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, form, value))};
}

}  // namespace

Lookout::Lookout(Parts parts) : parts_{std::move(parts)} {}

Lookout::~Lookout() {
    stop();
}

void Lookout::start() {
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void Lookout::stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
}

void Lookout::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        Observation observation;
        const auto began = Clock::now();
        try {
            observation = parts_.look();
        } catch (const std::exception& error) {
            // A look that fails says that nothing is known, and the next one may do.
            observation = {};
            observation.target_error = error.what();
        }
        observation.began = began;
        boost::asio::post(parts_.io, [this, observation = std::move(observation)]() mutable {
            note(std::move(observation));
        });
        std::unique_lock lock{mutex_};
        wake_.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); });
    }
}

void Lookout::note(Observation observation) {
    parts_.metrics.observed(observation);
    samples_.push_back(
        {unix_time(), observation.lag_bytes, observation.lag_seconds, rate(observation)}
    );
    if (samples_.size() > samples_max) samples_.pop_front();
    last_ = std::move(observation);
    last_at_ = Clock::now();
    parts_.tell(*last_);
}

std::optional<double> Lookout::rate(const Observation& observation) {
    const bool known = parts_.replicates || observation.versions_inserted.has_value();
    if (!known) {
        counts_.clear();
        return std::nullopt;
    }
    const auto rows = parts_.replicates ? static_cast<double>(parts_.metrics.rows())
                                        : static_cast<double>(*observation.versions_inserted);
    counts_.push_back({Clock::now(), rows});
    if (counts_.size() > counts_max) counts_.pop_front();
    const std::chrono::duration<double> time = counts_.back().at - counts_.front().at;
    if (time.count() <= 0) return std::nullopt;
    // Statistics can be reset in between.
    return std::max(0.0, counts_.back().rows - counts_.front().rows) / time.count();
}

const Observation* Lookout::now() const {
    return last_ && Clock::now() - last_at_ < fresh ? &*last_ : nullptr;
}

std::string Lookout::samples_json(double since) const {
    std::string out{"["};
    for (const auto& sample : samples_) {
        if (sample.time <= since) continue;
        if (out.size() > 1) out += ',';
        out += "{\"t\":" + json_of(std::optional{sample.time}, "%.3f");
        out += ",\"lag_bytes\":" + json_of(sample.lag_bytes, "%.0f");
        out += ",\"lag_seconds\":" + json_of(sample.lag_seconds, "%.3f");
        out += ",\"rows_per_second\":" + json_of(sample.rows_per_second, "%.1f") + '}';
    }
    return out + ']';
}

}  // namespace pgchronicle::http
