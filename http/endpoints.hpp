#pragma once

#include "config/settings.hpp"
#include "http/lookout.hpp"
#include "http/metrics.hpp"
#include "http/router.hpp"
#include "reports/report.hpp"

#include <cstdint>
#include <vector>

// What is served. Each function adds its endpoints; what it is given outlives the router.

namespace pgchronicle::http {

/// What an answer may hold; what is larger is refused while it is read. As many are held at a time
/// as there are readers' connections.
inline constexpr std::uint64_t answer_bytes_max = std::uint64_t{32} << 20U;

/// /health, /ready, /status, /metrics, /metrics/history
void add_service_endpoints(
    Router& router,
    const Lookout& lookout,
    const Metrics& metrics,
    bool replicates
);

/// /tables, /tables/{table}/history, .../as-of, .../keys
void add_table_endpoints(Router& router, const config::Settings& settings);

/// /changes
void add_change_endpoints(Router& router);

/// The path of each report that has one. Throws std::invalid_argument where it is taken.
void add_report_endpoints(Router& router, const std::vector<reports::Report>& reports);

/// The page, /docs, and what belongs to them.
void add_page_endpoints(Router& router);

/// /openapi.json, which tells of all that was added before.
void add_openapi_endpoint(Router& router);

}  // namespace pgchronicle::http
