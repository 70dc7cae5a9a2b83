#include "files/csv_parser.hpp"

#include <utility>

namespace pgchronicle::files {
namespace {

constexpr std::string_view byte_order_mark{"\xEF\xBB\xBF"};

}  // namespace

void CsvParser::fail_at(TextPlace place, std::string what) {
    error_ = CsvError{place, std::move(what)};
}

void CsvParser::fail(std::string what) {
    fail_at(place_, std::move(what));
}

/// Source: The Unicode Standard, table 3-7: neither overlong forms nor surrogates.
bool CsvParser::well_formed(unsigned char byte) {
    if (continuation_ > 0) {
        const bool fits = byte >= lowest_ && byte <= highest_;
        --continuation_;
        lowest_ = 0x80;
        highest_ = 0xBF;
        return fits;
    }
    if (byte < 0x80U) return true;
    if (byte < 0xC2U || byte > 0xF4U) return false;
    continuation_ = byte < 0xE0U ? 1 : byte < 0xF0U ? 2 : 3;
    if (byte == 0xE0U) lowest_ = 0xA0;
    if (byte == 0xEDU) highest_ = 0x9F;
    if (byte == 0xF0U) lowest_ = 0x90;
    if (byte == 0xF4U) highest_ = 0x8F;
    return true;
}

/// Past a byte: a character is over with the last of its bytes.
void CsvParser::move_on(char c) {
    if (continuation_ > 0) return;
    if (c == '\n') {
        ++place_.line;
        place_.column = 1;
    } else {
        ++place_.column;
    }
}

void CsvParser::begin_field() {
    if (record_.fields.size() == options_.fields_max) {
        fail("line has more than " + std::to_string(options_.fields_max) + " fields");
        return;
    }
    record_.fields.push_back({.text = {}, .quoted = false, .place = place_});
}

void CsvParser::append(char c) {
    auto& field = record_.fields.back();
    if (field.text.size() == options_.field_bytes_max) {
        fail_at(
            field.place,
            "field is longer than " + std::to_string(options_.field_bytes_max) + " bytes"
        );
        return;
    }
    field.text += c;
}

void CsvParser::end_record(const Sink& sink) {
    sink(record_);
    record_.fields.clear();
    state_ = State::record_begins;
}

/// A byte that is not within quotes, of a field that has begun.
void CsvParser::outside(char c, const Sink& sink) {
    if (c == options_.delimiter) {
        state_ = State::field_begins;
    } else if (c == '\n') {
        end_record(sink);
    } else if (c == '\r') {
        state_ = State::after_return;
    } else if (c == '"') {
        fail("quote within a field that does not begin with one");
    } else {
        append(c);
        state_ = State::in_field;
    }
}

void CsvParser::after_quote(char c, const Sink& sink) {
    if (c == '"') {
        append(c);
        state_ = State::in_quotes;
    } else if (c == options_.delimiter || c == '\n' || c == '\r') {
        outside(c, sink);
    } else {
        fail("text after a closing quote");
    }
}

void CsvParser::step(char c, const Sink& sink) {
    if (c == '\0') return fail("NUL character");
    switch (state_) {
    case State::record_begins:
        record_.line = place_.line;
        [[fallthrough]];
    case State::field_begins:
        begin_field();
        if (error_) return;
        if (c == '"') {
            record_.fields.back().quoted = true;
            quote_ = place_;
            state_ = State::in_quotes;
        } else {
            outside(c, sink);
        }
        return;
    case State::in_field:
        return outside(c, sink);
    case State::in_quotes:
        if (c == '"') {
            state_ = State::after_quote;
        } else {
            append(c);
        }
        return;
    case State::after_quote:
        return after_quote(c, sink);
    case State::after_return:
        if (c == '\n') return end_record(sink);
        return fail("carriage return without a line feed");
    }
}

std::optional<CsvError> CsvParser::feed(std::string_view bytes, const Sink& sink) {
    for (const char c : bytes) {
        if (error_) return error_;
        if (!begun_) {
            if (c == byte_order_mark[bom_bytes_]) {
                begun_ = ++bom_bytes_ == byte_order_mark.size();
                continue;
            }
            begun_ = true;
            // What looked like the mark is text, or not UTF-8.
            const auto taken = byte_order_mark.substr(0, bom_bytes_);
            if (auto error = feed(taken, sink)) return error;
        }
        if (!well_formed(static_cast<unsigned char>(c))) {
            fail("byte sequence is not UTF-8");
            return error_;
        }
        step(c, sink);
        move_on(c);
    }
    return error_;
}

std::optional<CsvError> CsvParser::finish(const Sink& sink) {
    if (error_) return error_;
    if (!begun_) {
        begun_ = true;
        if (auto error = feed(byte_order_mark.substr(0, bom_bytes_), sink)) return error;
    }
    if (continuation_ > 0) {
        fail("byte sequence is not UTF-8");
        return error_;
    }
    switch (state_) {
    case State::record_begins:
        break;
    case State::field_begins:
        begin_field();
        if (!error_) end_record(sink);
        break;
    case State::in_field:
    case State::after_quote:
        end_record(sink);
        break;
    case State::in_quotes:
        fail_at(quote_, "quote is never closed");
        break;
    case State::after_return:
        fail("carriage return without a line feed");
        break;
    }
    return error_;
}

}  // namespace pgchronicle::files
