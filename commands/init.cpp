#include "commands/init.hpp"

#include "commands/connect.hpp"
#include "commands/refusal.hpp"
#include "commands/starting_config.hpp"
#include "config/dsn.hpp"
#include "pq/array_text.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <ostream>
#include <system_error>
#include <unistd.h>
#include <variant>

namespace pgchronicle::commands {
namespace {

std::vector<std::string> column(pq::Connection& source, const std::string& sql) {
    const auto result = source.exec(sql);
    std::vector<std::string> values;
    values.reserve(static_cast<std::size_t>(result.rows()));
    for (int row = 0; row < result.rows(); ++row) values.push_back(result.str(row, 0));
    return values;
}

constexpr const char* slots_sql =
    "SELECT slot_name FROM pg_replication_slots"
    " WHERE plugin = 'pgoutput' AND database = current_database() AND NOT temporary"
    // Slots of subscriptions and of other programs are in use.
    " ORDER BY active, slot_name";

/// Schemas of tables that a person made, first those that the publication publishes.
constexpr const char* schemas_sql = R"(
SELECT DISTINCT n.nspname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND ($1 = '' OR EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = $1
                          AND t.schemaname = n.nspname AND t.tablename = c.relname))
  AND $2::boolean = EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                            AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
)";

std::vector<std::string>
schemas(pq::Connection& source, const std::string& publication, bool of_extensions) {
    const auto result = source.exec(schemas_sql, {publication, of_extensions ? "t" : "f"});
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(result.rows()));
    for (int row = 0; row < result.rows(); ++row) names.push_back(result.str(row, 0));
    return names;
}

Discovery discover(pq::Connection& source) {
    Discovery found;
    found.database = source.exec("SELECT current_database()").str(0, 0);
    found.slots = column(source, slots_sql);
    found.publications = column(source, "SELECT pubname FROM pg_publication ORDER BY pubname");
    const std::string publication = found.publications.empty() ? "" : found.publications.front();
    found.schemas = schemas(source, publication, false);
    found.extension_schemas = schemas(source, publication, true);
    return found;
}

/// Writes a new file that only its owner may read: a password may be put there one day.
std::optional<Refusal> write_new_file(const std::string& path, const std::string& text) {
    const int descriptor = ::open(
        path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600
    );  // NOLINT(cppcoreguidelines-pro-type-vararg)
    int failure = descriptor < 0 ? errno : 0;
    for (std::size_t written = 0; failure == 0 && written < text.size();) {
        const ssize_t count = ::write(descriptor, text.data() + written, text.size() - written);
        if (count >= 0) {
            written += static_cast<std::size_t>(count);
        } else if (errno != EINTR) {
            failure = errno;
        }
    }
    if (descriptor >= 0 && ::close(descriptor) != 0 && failure == 0) failure = errno;
    if (failure == 0) return std::nullopt;
    return Refusal{
        .exit_code = exit_usage,
        .primary = fmt::format(
            "could not write file \"{}\": {}",
            path,
            std::error_code{failure, std::generic_category()}.message()
        ),
        .hint = failure == EEXIST ? "Nothing is overwritten; name another file." : "",
    };
}

Refusal refuse_dsn(const char* which, const config::DsnError& error) {
    return {
        .exit_code = exit_usage,
        .primary = fmt::format("invalid {} DSN: {}", which, error.message),
        .hint = error.hint,
    };
}

}  // namespace

int init(const InitOptions& options, std::ostream& out, std::ostream& err) {
    const auto source_parts = config::split_dsn(options.dsn);
    if (const auto* const bad = std::get_if<config::DsnError>(&source_parts)) {
        return report(refuse_dsn("source", *bad), err);
    }
    const auto target_parts = config::split_dsn(options.target_dsn);
    if (const auto* const bad = std::get_if<config::DsnError>(&target_parts)) {
        return report(refuse_dsn("target", *bad), err);
    }
    const auto& source_dsn = std::get<config::DsnParts>(source_parts);
    config::Connection connection;
    connection.dsn = source_dsn.dsn;
    connection.password = source_dsn.password.value_or(options.password);

    auto source = connect(connection, "init");
    Discovery found = discover(source);
    found.source_dsn = source_dsn.dsn;
    found.target_dsn = std::get<config::DsnParts>(target_parts).dsn;
    const std::string text = starting_config(found);
    if (options.output.empty() || options.output == "-") {
        out << text;
    } else {
        if (const auto no = write_new_file(options.output, text)) return report(*no, err);
        err << fmt::format(
            "wrote {}; next: pgchronicle check --config {}\n", options.output, options.output
        );
    }
    if (const std::string sql = proposed_sql(found); !sql.empty()) {
        err << "The source has no "
            << (found.publications.empty()
                    ? (found.slots.empty() ? "publication and no pgoutput slot" : "publication")
                    : "pgoutput slot")
            << ". Run there, in this order, as a superuser:\n"
            << sql;
    }
    return exit_done;
}

}  // namespace pgchronicle::commands
