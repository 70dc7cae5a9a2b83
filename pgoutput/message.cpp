#include "pgoutput/message.hpp"

#include "pgoutput/byte_reader.hpp"

namespace pgchronicle::pgoutput {

RelationId Truncate::relation(std::size_t index) const {
    ByteReader in{relation_oids.subspan(index * sizeof(std::uint32_t), sizeof(std::uint32_t))};
    return RelationId{in.u32()};
}

// Source: logicalrep_message_type() in proto.c.
std::string_view name_of(const Message& message) {
    return std::visit(
        Overloaded{
            [](const Begin&) -> std::string_view { return "BEGIN"; },
            [](const Commit&) -> std::string_view { return "COMMIT"; },
            [](const Origin&) -> std::string_view { return "ORIGIN"; },
            [](const RelationMessage&) -> std::string_view { return "RELATION"; },
            [](const TypeMessage&) -> std::string_view { return "TYPE"; },
            [](const Insert&) -> std::string_view { return "INSERT"; },
            [](const Update&) -> std::string_view { return "UPDATE"; },
            [](const Delete&) -> std::string_view { return "DELETE"; },
            [](const Truncate&) -> std::string_view { return "TRUNCATE"; },
            [](const LogicalMessage&) -> std::string_view { return "MESSAGE"; },
            [](const StreamStart&) -> std::string_view { return "STREAM START"; },
            [](const StreamStop&) -> std::string_view { return "STREAM STOP"; },
            [](const StreamCommit&) -> std::string_view { return "STREAM COMMIT"; },
            [](const StreamAbort&) -> std::string_view { return "STREAM ABORT"; },
            [](const BeginPrepare&) -> std::string_view { return "BEGIN PREPARE"; },
            [](const Prepare&) -> std::string_view { return "PREPARE"; },
            [](const CommitPrepared&) -> std::string_view { return "COMMIT PREPARED"; },
            [](const RollbackPrepared&) -> std::string_view { return "ROLLBACK PREPARED"; },
            [](const StreamPrepare&) -> std::string_view { return "STREAM PREPARE"; },
        },
        message
    );
}

}  // namespace pgchronicle::pgoutput
