#pragma once

#include "pgoutput/decode_error.hpp"
#include "pgoutput/message.hpp"
#include "pgoutput/result.hpp"

#include <cstddef>
#include <span>

namespace pgchronicle::pgoutput {

template <typename T>
using Decoded = Result<T, DecodeError>;

/// The same bytes read differently inside a streamed block, so the caller says where it is.
enum class StreamContext : bool { outside_stream, inside_stream };

/// Decodes one pgoutput message: the payload of one XLogData frame.
///
/// Total: any bytes give a message or an error with an offset; bytes left over are an error too.
/// Values point into `payload` and die with it.
/// Errors: see DecodeErrc.
/// Source: manual, protocol-logicalrep-message-formats; proto.c.
[[nodiscard]] Decoded<Message> decode(std::span<const std::byte> payload, StreamContext context);

}  // namespace pgchronicle::pgoutput
