#include "http/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <atomic>
#include <fstream>
#include <limits>
#include <map>
#include <unistd.h>

namespace pgchronicle::http {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Labels = std::map<std::string, std::string>;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::array wal_states{"reserved", "extended", "unreserved", "lost"};

const Histogram::BucketBoundaries batch_seconds{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30};
const Histogram::BucketBoundaries batch_rows{1, 10, 100, 1'000, 10'000, 50'000, 100'000};
const Histogram::BucketBoundaries
    batch_bytes{1024, 16384, 262144, 1048576, 4194304, 16777216, 67108864};
const Histogram::BucketBoundaries request_seconds{.0005, .002, .01, .05, .2, 1, 5, 20};

/// Resident bytes, from /proc.
double resident_bytes() {
    std::ifstream file{"/proc/self/statm"};
    double pages_all = 0;
    double pages = 0;
    file >> pages_all >> pages;
    return file ? pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) : unknown;
}

template <typename Number>
double number(const std::optional<Number>& value) {
    return value ? static_cast<double>(*value) : unknown;
}

}  // namespace

struct Metrics::Families {
    Families(const std::string& pipeline, bool replicates)
        : labels{{"pipeline", pipeline}}, counts{replicates} {
        if (replicates) add_written();
    }

    Gauge& gauge(const std::string& name, const std::string& help, const Labels& more = {}) {
        return prometheus::BuildGauge()
            .Name("pgchronicle_" + name)
            .Help(help)
            .Labels(labels)
            .Register(*registry)
            .Add(more);
    }
    Counter& counter(const std::string& name, const std::string& help) {
        return prometheus::BuildCounter()
            .Name("pgchronicle_" + name)
            .Help(help)
            .Labels(labels)
            .Register(*registry)
            .Add({});
    }
    Histogram& histogram(
        const std::string& name,
        const std::string& help,
        const Histogram::BucketBoundaries& bounds
    ) {
        return prometheus::BuildHistogram()
            .Name("pgchronicle_" + name)
            .Help(help)
            .Labels(labels)
            .Register(*registry)
            .Add({}, bounds);
    }
    void add_written() {
        rows = &counter("rows_total", "Versions and closes stored in the history");
        transactions = &counter("transactions_total", "Source transactions stored in the history");
        toast_fills =
            &counter("toast_fills_total", "Unchanged TOAST values taken from the version before");
        reconnects = &counter("reconnects_total", "Failures after which it was tried again");
        seconds = &histogram("batch_seconds", "Time to store a batch", batch_seconds);
        sizes = &histogram("batch_rows", "Rows of a batch", batch_rows);
        bytes = &histogram("batch_bytes", "Bytes of a batch", batch_bytes);
    }

    std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
    Labels labels;
    bool counts;
    std::atomic<std::uint64_t> rows_written{0};
    // What is written; null where this process writes nothing.
    Counter* rows{nullptr};
    Counter* transactions{nullptr};
    Counter* toast_fills{nullptr};
    Counter* reconnects{nullptr};
    Histogram* seconds{nullptr};
    Histogram* sizes{nullptr};
    Histogram* bytes{nullptr};
    // What is observed.
    Gauge& target_up = gauge("target_up", "Whether the target can be asked");
    Gauge& source_up = gauge("source_up", "Whether the source can be asked");
    Gauge& healthy = gauge("healthy", "Whether there is neither a gap nor a quarantine");
    Gauge& is_streaming = gauge("streaming", "Whether changes are streamed now");
    Gauge& position = gauge("checkpoint_lsn", "The checkpoint's position, as bytes of WAL");
    Gauge& lag_bytes = gauge("lag_bytes", "WAL between the checkpoint and the source's position");
    Gauge& lag_seconds = gauge("lag_seconds", "How old the history is");
    Gauge& retained = gauge("slot_retained_bytes", "WAL that the slot keeps on the source");
    Gauge& safe = gauge("slot_safe_bytes", "WAL that may be written until the slot is lost");
    Gauge& active = gauge("slot_active", "Whether somebody reads the slot");
    Gauge& gaps = gauge("gaps", "Ranges in which the history is known to be incomplete");
    Gauge& quarantines = gauge("quarantined_tables", "Tables that are left behind");
    Gauge& tables = gauge("tables", "Tables with a history");
    Gauge& versions = gauge("versions_inserted", "Versions made, by the target's statistics");
    Gauge& memory = gauge("resident_memory_bytes", "Resident memory of the process");
    Family<Gauge>& wal_status = prometheus::BuildGauge()
                                    .Name("pgchronicle_slot_wal_status")
                                    .Help("1 for the slot's wal_status, 0 for the others")
                                    .Labels(labels)
                                    .Register(*registry);
    // What is served.
    Family<Counter>& requests = prometheus::BuildCounter()
                                    .Name("pgchronicle_http_requests_total")
                                    .Help("Requests answered")
                                    .Labels(labels)
                                    .Register(*registry);
    Histogram& request_time =
        histogram("http_request_seconds", "Time to answer a request", request_seconds);
    Counter& hits = counter("http_cache_hits_total", "Requests answered with an answer just given");
    Gauge& client_count = gauge("http_clients", "Clients that are connected");
    Gauge& follower_count = gauge("http_followers", "Clients that follow changes");
    Counter& refused = counter("http_refused_clients_total", "Clients beyond http.max_clients");
};

Metrics::Metrics(const std::string& pipeline, bool replicates)
    : families_{std::make_unique<Families>(pipeline, replicates)} {
    observed({});
}

Metrics::~Metrics() = default;

void Metrics::batch_written(const replicator::BatchWritten& batch) noexcept {
    auto& to = *families_;
    if (!to.counts) return;
    to.rows_written += batch.rows;
    to.rows->Increment(static_cast<double>(batch.rows));
    to.transactions->Increment(static_cast<double>(batch.transactions));
    to.toast_fills->Increment(static_cast<double>(batch.values_inherited));
    // A position alone is no batch.
    if (batch.rows == 0) return;
    to.seconds->Observe(batch.took.count());
    to.sizes->Observe(static_cast<double>(batch.rows));
    to.bytes->Observe(static_cast<double>(batch.bytes));
}

void Metrics::reconnecting() noexcept {
    if (families_->counts) families_->reconnects->Increment();
}

void Metrics::observed(const Observation& observation) {
    auto& to = *families_;
    to.target_up.Set(observation.health.empty() ? 0 : 1);
    to.source_up.Set(observation.source_error.empty() && !observation.state.empty() ? 1 : 0);
    to.healthy.Set(observation.health == "green" ? 1 : 0);
    to.is_streaming.Set(observation.state == "streaming" ? 1 : 0);
    to.position.Set(
        observation.position ? static_cast<double>(observation.position->value) : unknown
    );
    to.lag_bytes.Set(number(observation.lag_bytes));
    to.lag_seconds.Set(number(observation.lag_seconds));
    to.retained.Set(number(observation.retained_bytes));
    to.safe.Set(number(observation.safe_wal_bytes));
    to.active.Set(observation.slot_active ? 1 : 0);
    to.gaps.Set(static_cast<double>(observation.gaps));
    to.quarantines.Set(static_cast<double>(observation.quarantines));
    to.tables.Set(static_cast<double>(observation.tables));
    to.versions.Set(number(observation.versions_inserted));
    for (const auto* state : wal_states) {
        to.wal_status.Add({{"wal_status", state}}).Set(observation.wal_status == state ? 1 : 0);
    }
}

void Metrics::answered(
    const std::string& route,
    unsigned status,
    std::chrono::duration<double> took
) {
    families_->requests.Add({{"route", route}, {"status", std::to_string(status)}}).Increment();
    families_->request_time.Observe(took.count());
}

void Metrics::cache_hit() {
    families_->hits.Increment();
}

void Metrics::clients(std::size_t count) {
    families_->client_count.Set(static_cast<double>(count));
}

void Metrics::followers(std::size_t count) {
    families_->follower_count.Set(static_cast<double>(count));
}

void Metrics::refused_client() {
    families_->refused.Increment();
}

std::uint64_t Metrics::rows() const {
    return families_->rows_written;
}

std::string Metrics::text() const {
    families_->memory.Set(resident_bytes());
    return prometheus::TextSerializer{}.Serialize(families_->registry->Collect());
}

}  // namespace pgchronicle::http
