#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgchronicle::files {

/// A place in a text file, both from 1. The column counts characters.
struct TextPlace {
    std::uint64_t line{1};
    std::uint64_t column{1};

    friend bool operator==(const TextPlace&, const TextPlace&) = default;
};

struct CsvField {
    std::string text;
    bool quoted{false};  ///< An empty field without quotes is NULL, one with quotes an empty text.
    TextPlace place;     ///< Of its first character.

    [[nodiscard]] bool null() const { return text.empty() && !quoted; }
    friend bool operator==(const CsvField&, const CsvField&) = default;
};

/// One line of a CSV file, or several where a quoted field holds line ends. Never without a field.
struct CsvRecord {
    std::uint64_t line{1};  ///< The one on which it begins.
    std::vector<CsvField> fields;

    [[nodiscard]] bool blank() const { return fields.size() == 1 && fields.front().null(); }
    friend bool operator==(const CsvRecord&, const CsvRecord&) = default;
};

struct CsvError {
    TextPlace place;
    std::string what;  ///< Lower case, no full stop.

    friend bool operator==(const CsvError&, const CsvError&) = default;
};

struct CsvOptions {
    char delimiter{','};
    /// A field that grows past this is an error: most likely a quote was never closed. PostgreSQL
    /// takes values of up to 1 GiB; a fourth of that keeps memory bounded.
    std::size_t field_bytes_max{256UL << 20U};
    /// The columns of a table that PostgreSQL takes.
    std::size_t fields_max{1600};
};

/// Reads RFC 4180: fields apart by a delimiter, in quotes where they hold one, a quote or a line's
/// end; quotes doubled within quotes; lines that end with LF or CRLF, the last one or not. UTF-8,
/// with or without a byte order mark. Any bytes give records or an error; bytes may be cut
/// anywhere. Source: RFC 4180, section 2.
class CsvParser {
public:
    using Sink = std::function<void(const CsvRecord&)>;

    explicit CsvParser(CsvOptions options = {}) : options_{options} {}

    /// Calls `sink` for each record that is complete. After an error nothing else is read.
    [[nodiscard]] std::optional<CsvError> feed(std::string_view bytes, const Sink& sink);

    /// There are no more bytes: the last record, if its line has no end.
    [[nodiscard]] std::optional<CsvError> finish(const Sink& sink);

private:
    enum class State : std::uint8_t {
        record_begins,
        field_begins,
        in_field,
        in_quotes,
        after_quote,   ///< In quotes, a quote was read: the first of two, or the last of the field.
        after_return,  ///< CR outside of quotes: LF has to follow.
    };

    void step(char c, const Sink& sink);
    void fail(std::string what);
    void fail_at(TextPlace place, std::string what);
    [[nodiscard]] bool well_formed(unsigned char byte);
    void move_on(char c);
    void begin_field();
    void append(char c);
    void outside(char c, const Sink& sink);
    void after_quote(char c, const Sink& sink);
    void end_record(const Sink& sink);

    CsvOptions options_;
    State state_{State::record_begins};
    TextPlace place_;  ///< Of the byte in hand.
    TextPlace quote_;  ///< Where the quotes in hand were opened.
    CsvRecord record_;
    std::optional<CsvError> error_;
    std::size_t bom_bytes_{0};    ///< How much of a byte order mark has been read.
    bool begun_{false};           ///< The place for a byte order mark is behind.
    unsigned continuation_{0};    ///< Bytes of a character that are still to come,
    unsigned char lowest_{0x80};  ///< and what the next of them may be.
    unsigned char highest_{0xBF};
};

}  // namespace pgchronicle::files
