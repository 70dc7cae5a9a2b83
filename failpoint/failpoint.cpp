#include "failpoint/failpoint.hpp"

#ifdef PGCHRONICLE_FAILPOINTS

#include <array>
#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace pgchronicle {

namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Failpoint::count)> names{
    "after_connect",
    "mid_row_frame",
    "after_begin",
    "mid_transaction",
    "before_target_begin",
    "between_close_and_open",
    "after_rows_before_checkpoint",
    "after_checkpoint_before_commit",
    "commit_sent_no_reply",
    "after_commit_before_ack",
    "ack_sent_not_flushed",
    "during_reconnect",
    "replay_without_slot",
    "lost_slot_dropped",
    "lost_slot_made",
    "reconciliation_begun",
    "table_copied",
    "quarantine_uncommitted",
    "import_copied",
    "import_written",
    "import_committed",
    "export_written",
    "export_published",
};

/// What the environment asks for, read once.
struct Plan {
    std::string name;
    long hit{0};
    int signal_number{SIGKILL};

    Plan() {
        const char* text = std::getenv("PGCHRONICLE_FAILPOINT");  // NOLINT(concurrency-mt-unsafe)
        if (text == nullptr) return;
        const std::string_view whole{text};
        const auto colon = whole.find(':');
        name = std::string{whole.substr(0, colon)};
        hit = colon == std::string_view::npos ? 1 : std::strtol(text + colon + 1, nullptr, 10);
        if (whole.ends_with(":pause")) signal_number = SIGSTOP;
    }
};

void record(std::string_view name) {
    const char* file = std::getenv("PGCHRONICLE_FAILPOINT_LOG");  // NOLINT(concurrency-mt-unsafe)
    if (file == nullptr) return;
    const int fd = ::open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    const std::string line = std::string{name} + " pid=" + std::to_string(::getpid()) + "\n";
    [[maybe_unused]] const auto written = ::write(fd, line.data(), line.size());
    ::close(fd);
}

}  // namespace

void failpoint(Failpoint point) noexcept {
    static const Plan plan;
    static std::array<std::atomic<long>, static_cast<std::size_t>(Failpoint::count)> hits{};
    if (plan.hit == 0) return;
    const auto index = static_cast<std::size_t>(point);
    if (names[index] != plan.name) return;
    if (hits[index].fetch_add(1) + 1 != plan.hit) return;
    record(plan.name);
    ::kill(::getpid(), plan.signal_number);
}

}  // namespace pgchronicle

#endif
