#pragma once

#include "pgoutput/message.hpp"

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// Messages as readable lines, in the form of tests/golden/describe.py.

namespace pgchronicle::test {

inline std::string printable(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
            text += c;
            continue;
        }
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
        text += escape;
    }
    return text;
}

inline std::string shown(std::span<const std::byte> bytes) {
    constexpr std::size_t shown_max = 40;
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    if (text.size() <= shown_max) return '"' + printable(text) + '"';
    return '"' + printable(text.substr(0, shown_max)) + "\"...(" + std::to_string(text.size()) +
           " bytes)";
}

inline std::string describe(const pgoutput::TupleData& tuple) {
    std::string text;
    pgoutput::TupleReader values{tuple};
    for (int column = 0; column < tuple.column_count; ++column) {
        const auto value = values.next();
        if (column > 0) text += ", ";
        text += static_cast<char>(value.kind);
        const bool has_content =
            value.kind == pgoutput::ValueKind::text || value.kind == pgoutput::ValueKind::binary;
        if (has_content) text += shown(value.bytes);
    }
    return '(' + text + ')';
}

/// Builds one line out of names and values.
class Line {
public:
    explicit Line(std::string_view name) : text_{name} {}

    Line& field(std::string_view name, std::string_view value) {
        text_.append(" ").append(name).append("=").append(value);
        return *this;
    }
    Line& field(std::string_view name, pgoutput::Lsn value) {
        return field(name, to_string(value));
    }
    Line& field(std::string_view name, pgoutput::PgTimestamp value) {
        return field(name, std::to_string(value.microseconds));
    }
    Line& field(std::string_view name, pgoutput::Xid value) {
        return field(name, std::to_string(static_cast<std::uint32_t>(value)));
    }
    Line& field(std::string_view name, pgoutput::RelationId value) {
        return field(name, std::to_string(static_cast<std::uint32_t>(value)));
    }
    template <typename T>
    Line& field(std::string_view name, const std::optional<T>& value) {
        return value ? field(name, *value) : *this;
    }
    Line& mark(bool present, std::string_view word) {
        if (present) text_.append(" ").append(word);
        return *this;
    }
    Line& old_tuple(pgoutput::OldTupleKind kind, const pgoutput::TupleData& tuple) {
        switch (kind) {
        case pgoutput::OldTupleKind::none:
            return *this;
        case pgoutput::OldTupleKind::key:
            return field("key", describe(tuple));
        case pgoutput::OldTupleKind::full:
            return field("old", describe(tuple));
        }
        return *this;
    }

    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

namespace detail {

inline std::string qualified(std::string_view schema, std::string_view name) {
    return printable(schema) + '.' + printable(name);
}

inline std::string columns_of(const pgoutput::Relation& relation) {
    std::string text;
    for (const auto& column : relation.columns) {
        if (!text.empty()) text += ", ";
        text += printable(column.name) + (column.in_identity ? "*:" : ":") +
                std::to_string(static_cast<std::uint32_t>(column.type)) + ':' +
                std::to_string(column.type_modifier);
    }
    return '(' + text + ')';
}

inline std::string relations_of(const pgoutput::Truncate& truncate) {
    std::string text;
    for (std::uint32_t i = 0; i < truncate.relation_count; ++i) {
        if (i > 0) text += ", ";
        text += std::to_string(static_cast<std::uint32_t>(truncate.relation(i)));
    }
    return '(' + text + ')';
}

/// The fields that Begin Prepare, Prepare and Stream Prepare share.
template <typename T>
std::string prepare_line(const T& m, std::string_view name) {
    return Line{name}
        .field("prepare_lsn", m.prepare_lsn)
        .field("end_lsn", m.end_lsn)
        .field("time", m.prepare_time)
        .field("xid", m.xid)
        .field("gid", printable(m.gid))
        .text();
}

}  // namespace detail

/// One message as a line.
inline std::string describe(const pgoutput::Message& message) {
    using namespace pgoutput;
    const auto name = name_of(message);
    return std::visit(
        Overloaded{
            [&](const Begin& m) {
                Line line{name};
                line.field("final_lsn", m.final_lsn).field("time", m.commit_time);
                return line.field("xid", m.xid).text();
            },
            [&](const Commit& m) {
                Line line{name};
                line.field("commit_lsn", m.commit_lsn).field("end_lsn", m.end_lsn);
                return line.field("time", m.commit_time).text();
            },
            [&](const Origin& m) {
                return Line{name}
                    .field("lsn", m.origin_lsn)
                    .field("name", printable(m.name))
                    .text();
            },
            [&](const RelationMessage& m) {
                const auto& relation = m.relation;
                Line line{name};
                line.field("xid", m.xid).field("id", relation.id);
                line.field("name", detail::qualified(relation.schema_name, relation.name));
                line.field("identity", std::string{static_cast<char>(relation.replica_identity)});
                return line.field("columns", detail::columns_of(relation)).text();
            },
            [&](const TypeMessage& m) {
                Line line{name};
                line.field("xid", m.xid);
                line.field("id", std::to_string(static_cast<std::uint32_t>(m.type)));
                return line.field("name", detail::qualified(m.schema_name, m.name)).text();
            },
            [&](const Insert& m) {
                Line line{name};
                line.field("xid", m.xid).field("relation", m.relation);
                return line.field("new", describe(m.new_tuple)).text();
            },
            [&](const Update& m) {
                Line line{name};
                line.field("xid", m.xid).field("relation", m.relation);
                line.old_tuple(m.old_kind, m.old_tuple);
                return line.field("new", describe(m.new_tuple)).text();
            },
            [&](const Delete& m) {
                Line line{name};
                line.field("xid", m.xid).field("relation", m.relation);
                return line.old_tuple(m.old_kind, m.old_tuple).text();
            },
            [&](const Truncate& m) {
                Line line{name};
                line.field("xid", m.xid).field("relations", detail::relations_of(m));
                line.mark(m.cascade, "cascade");
                return line.mark(m.restart_identity, "restart_identity").text();
            },
            [&](const LogicalMessage& m) {
                Line line{name};
                line.field("xid", m.xid).mark(m.transactional, "transactional");
                line.field("lsn", m.message_lsn).field("prefix", printable(m.prefix));
                return line.field("content", shown(m.content)).text();
            },
            [&](const StreamStart& m) {
                return Line{name}.field("xid", m.xid).mark(m.first_segment, "first").text();
            },
            [&](const StreamStop&) { return std::string{name}; },
            [&](const StreamCommit& m) {
                Line line{name};
                line.field("xid", m.xid).field("commit_lsn", m.commit_lsn);
                return line.field("end_lsn", m.end_lsn).field("time", m.commit_time).text();
            },
            [&](const StreamAbort& m) {
                Line line{name};
                line.field("xid", m.xid).field("subxid", m.subxid);
                return line.field("lsn", m.abort_lsn).field("time", m.abort_time).text();
            },
            [&](const BeginPrepare& m) { return detail::prepare_line(m, name); },
            [&](const Prepare& m) { return detail::prepare_line(m, name); },
            [&](const CommitPrepared& m) {
                Line line{name};
                line.field("commit_lsn", m.commit_lsn).field("end_lsn", m.end_lsn);
                line.field("time", m.commit_time).field("xid", m.xid);
                return line.field("gid", printable(m.gid)).text();
            },
            [&](const RollbackPrepared& m) {
                Line line{name};
                line.field("prepare_end_lsn", m.prepare_end_lsn);
                line.field("rollback_end_lsn", m.rollback_end_lsn);
                line.field("prepare_time", m.prepare_time).field("rollback_time", m.rollback_time);
                return line.field("xid", m.xid).field("gid", printable(m.gid)).text();
            },
            [&](const StreamPrepare& m) { return detail::prepare_line(m, name); },
        },
        message
    );
}

}  // namespace pgchronicle::test
