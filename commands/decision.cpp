#include "commands/decision.hpp"

#include "history_writer/pg/metadata.hpp"
#include "history_writer/pg/replay_store.hpp"

#include <fmt/format.h>

#include <array>
#include <pwd.h>
#include <unistd.h>

namespace pgchronicle::commands {
namespace {

std::string operator_name() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const passwd* const user = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe)
    return fmt::format(
        "{}@{}", user == nullptr ? std::to_string(::geteuid()) : user->pw_name, host.data()
    );
}

std::string text_of(const std::optional<pgoutput::Lsn>& lsn) {
    return lsn ? to_string(*lsn) : std::string{};
}

}  // namespace

void record(pq::Connection& target, const std::string& pipeline, const Decision& decision) {
    target.exec(
        "INSERT INTO pgchronicle.audit"
        " (pipeline, who, action, reason, detail, from_lsn, to_lsn)"
        " VALUES ($1, $2 || ' as ' || session_user, $3, $4, nullif($5, ''),"
        " nullif($6, '')::pg_lsn, nullif($7, '')::pg_lsn)",
        {pipeline,
         operator_name(),
         decision.action,
         decision.reason,
         decision.detail,
         text_of(decision.from),
         text_of(decision.to)}
    );
}

std::optional<Refusal> refuse_reason(const std::string& reason) {
    if (reason.find_first_not_of(" \t\n") != std::string::npos) return std::nullopt;
    return Refusal{
        .exit_code = exit_usage,
        .primary = "a reason is needed",
        .hint = "It is kept in pgchronicle.audit: --reason 'why this is right'.",
    };
}

std::optional<Refusal> lock_or_refuse(pq::Connection& target, const std::string& pipeline) {
    if (history_writer::pg::try_lock_pipeline(target, pipeline)) return std::nullopt;
    const auto holder = history_writer::pg::pipeline_lock_holder(target, pipeline);
    return Refusal{
        .primary = fmt::format("pipeline \"{}\" is running", pipeline),
        .detail = fmt::format("Its lock is held by {}.", holder),
        .hint = "Stop it first.",
    };
}

std::optional<Refusal> refuse_replay(pq::Connection& target, const std::string& pipeline) {
    const auto replay = history_writer::pg::read_replay(target, pipeline);
    if (!replay || !replay->from) return std::nullopt;
    return Refusal{
        .primary = "a replay is under way",
        .detail = fmt::format(
            "The history was set back to {}, and comes again up to {} from slot \"{}\".",
            to_string(*replay->from),
            to_string(replay->until),
            replay->slot
        ),
        .hint = "Let \"pgchronicle run\" finish it.",
    };
}

Refusal no_checkpoint(const std::string& pipeline) {
    return {.primary = fmt::format("pipeline \"{}\" has no checkpoint", pipeline)};
}

std::optional<Refusal> refuse_other_source(
    const config::Settings& settings,
    const source_catalog::Server& server,
    const std::optional<history_writer::Checkpoint>& checkpoint
) {
    if (!checkpoint) return std::nullopt;
    const auto& stored = checkpoint->source;
    const std::string& slot = settings.source.slot;
    if (stored.system_identifier == server.system_identifier &&
        stored.timeline == server.timeline && stored.database == server.database &&
        stored.slot == slot) {
        return std::nullopt;
    }
    return Refusal{
        .primary =
            fmt::format("checkpoint of pipeline \"{}\" is of another source", settings.pipeline),
        .detail = fmt::format(
            "It is of system {}, timeline {}, database \"{}\", slot \"{}\"; the source is system "
            "{}, "
            "timeline {}, database \"{}\", slot \"{}\".",
            stored.system_identifier,
            stored.timeline,
            stored.database,
            stored.slot,
            server.system_identifier,
            server.timeline,
            server.database,
            slot
        ),
        .hint =
            "Where the two are one, upgraded, promoted or moved: \"pgchronicle repair "
            "accept-source\".",
    };
}

}  // namespace pgchronicle::commands
