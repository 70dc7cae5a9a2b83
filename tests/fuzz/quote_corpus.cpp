#include "pq/quoting.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>

// Prints how each file of a folder is quoted, for the test that asks a server to read it back: the
// file's name, its content as a literal and as an identifier, both in hexadecimal; "-" where it is
// refused.
//
// usage: quote_corpus FOLDER

namespace {

std::string hex(const std::string& text) {
    constexpr const char* digits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

std::string attempt(const std::function<std::string()>& quote) {
    try {
        return hex(quote());
    } catch (const std::invalid_argument&) {
        return "-";
    }
}

void print(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    using namespace pgchronicle;
    const auto literal = attempt([&] { return pq::quote_literal(text); });
    const auto identifier = attempt([&] { return pq::quote_identifier(text); });
    std::printf("%s %s %s\n", file.filename().c_str(), literal.c_str(), identifier.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: quote_corpus FOLDER\n");
        return 2;
    }
    try {
        for (const auto& entry : std::filesystem::directory_iterator{argv[1]}) print(entry.path());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "quote_corpus: error: %s\n", error.what());
        return 1;
    }
    return 0;
}
