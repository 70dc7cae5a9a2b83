#pragma once

#include "http/observation.hpp"
#include "replicator/observer.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace pgchronicle::http {

/// Everything that /metrics tells. Thread: any.
class Metrics : public replicator::Observer {
public:
    /// `replicates`: this process writes the history, and counts what it writes.
    Metrics(const std::string& pipeline, bool replicates);
    ~Metrics() override;

    void batch_written(const replicator::BatchWritten& batch) noexcept override;
    void reconnecting() noexcept override;

    void observed(const Observation& observation);
    void answered(const std::string& route, unsigned status, std::chrono::duration<double> took);
    void cache_hit();
    void clients(std::size_t count);
    void followers(std::size_t count);
    void refused_client();

    /// Rows that this process has written so far.
    [[nodiscard]] std::uint64_t rows() const;

    /// In Prometheus' text format.
    [[nodiscard]] std::string text() const;

private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace pgchronicle::http
