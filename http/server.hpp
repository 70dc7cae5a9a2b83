#pragma once

#include "config/settings.hpp"
#include "http/metrics.hpp"
#include "http/observation.hpp"
#include "log/log.hpp"
#include "pq/connection.hpp"
#include "reports/report.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace pgchronicle::http {

struct ServerParts {
    const config::Settings& settings;  ///< http.listen is set.
    Metrics& metrics;
    log::Logger& log;
    std::vector<reports::Report> reports;
    /// One look at the pipeline; may block for a few seconds. Called on a thread of the server's.
    std::function<Observation()> look;
    pq::ConnectOptions reader;  ///< How readers reach the target.
    bool replicates{false};     ///< In one process with the replication, which goes first.
};

/// Serves the history over HTTP, on threads of its own.
class Server {
public:
    /// Throws std::invalid_argument where a report's path is taken.
    explicit Server(ServerParts parts);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Opens the port. An address in use is an error, std::runtime_error; beside the replication it
    /// is tried again each second, and logged once: another instance may be about to end, and the
    /// replication does not wait for that.
    void start();
    /// Takes no more clients, answers what has been asked, and ends; what takes longer is cut off.
    void stop(std::chrono::milliseconds patience);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pgchronicle::http
