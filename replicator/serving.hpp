#pragma once

#include "config/settings.hpp"
#include "log/log.hpp"
#include "replicator/observer.hpp"

#include <chrono>
#include <memory>

namespace pgchronicle::replicator {

/// What is served over HTTP, with everything that takes: reports, readers, looks at the pipeline.
class Serving {
public:
    /// `replicates`: beside the replication, which tells `observer()` how it goes. Throws
    /// config::ConfigError for reports that are wrong, and where it cannot listen.
    Serving(const config::Settings& settings, log::Logger& log, bool replicates);
    ~Serving();
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

    [[nodiscard]] Observer* observer();

    /// Answers what has been asked, and ends.
    void stop(std::chrono::milliseconds patience);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace pgchronicle::replicator
