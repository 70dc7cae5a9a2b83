#include "tests/fuzz/mutator.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace pgchronicle::test {

namespace {

/// Larger inputs make it slow and find nothing new.
constexpr std::size_t input_bytes_max = 8192;

std::size_t below(std::mt19937_64& random, std::size_t end) {
    return static_cast<std::size_t>(random() % end);
}

/// What stands between the quotes of a dictionary's line.
Input word_of(const std::string& text) {
    Input word;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            word.push_back(static_cast<std::uint8_t>(text[i]));
        } else if (text[++i] == 'x') {
            word.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i + 1, 2), nullptr, 16))
            );
            i += 2;
        } else {
            word.push_back(static_cast<std::uint8_t>(text[i]));
        }
    }
    return word;
}

using Place = Input::difference_type;

Place any_place(const Input& input, std::mt19937_64& random) {
    return static_cast<Place>(below(random, input.size() + 1));
}

/// A part of an input, from the place on.
Input any_part(const Input& input, std::mt19937_64& random) {
    const auto begin = any_place(input, random);
    const auto rest = static_cast<std::size_t>(std::ssize(input) - begin);
    constexpr std::size_t part_bytes_max = 512;
    const auto size = static_cast<Place>(below(random, std::min(rest, part_bytes_max) + 1));
    return {input.begin() + begin, input.begin() + begin + size};
}

void insert(Input& input, const Input& part, std::mt19937_64& random) {
    input.insert(input.begin() + any_place(input, random), part.begin(), part.end());
}

}  // namespace

std::vector<Input> read_dictionary(const std::filesystem::path& file) {
    std::ifstream in{file};
    std::vector<Input> words;
    std::string line;
    while (std::getline(in, line)) {
        if (line.empty() || line.front() == '#') continue;
        const auto begin = line.find('"');
        const auto end = line.rfind('"');
        if (begin == end) throw std::runtime_error{file.string() + ": no word in: " + line};
        words.push_back(word_of(line.substr(begin + 1, end - begin - 1)));
    }
    if (words.empty()) throw std::runtime_error{file.string() + ": no words"};
    return words;
}

Input Mutator::make(std::uint64_t seed) const {
    std::mt19937_64 random{seed};
    auto input = seeds_[below(random, seeds_.size())];
    const auto changes = 1 + below(random, 8);
    for (std::size_t i = 0; i < changes; ++i) change(input, random);
    if (input.size() > input_bytes_max) input.resize(input_bytes_max);
    return input;
}

void Mutator::change(Input& input, std::mt19937_64& random) const {
    constexpr std::array<std::uint8_t, 6> bytes{0, 1, 0x7F, 0x80, 0xFF, '"'};
    const auto overwrite = [&](const Input& part) {
        const auto place = any_place(input, random);
        const auto room = std::ssize(input) - place;
        std::copy_n(part.begin(), std::min(room, std::ssize(part)), input.begin() + place);
    };
    const auto any_byte = [&]() -> std::uint8_t* {
        return input.empty() ? nullptr : &input[below(random, input.size())];
    };
    switch (below(random, 8)) {
    case 0:
        if (auto* byte = any_byte()) *byte ^= static_cast<std::uint8_t>(1U << below(random, 8));
        break;
    case 1:
        if (auto* byte = any_byte()) *byte = static_cast<std::uint8_t>(random());
        break;
    case 2:
        if (auto* byte = any_byte()) *byte = bytes[below(random, bytes.size())];
        break;
    case 3: {
        const auto size = std::ssize(any_part(input, random));
        const auto begin = any_place(input, random);
        const auto end = std::min(begin + size, std::ssize(input));
        input.erase(input.begin() + begin, input.begin() + end);
        break;
    }
    case 4:
        insert(input, any_part(input, random), random);
        break;
    case 5:
        insert(input, any_part(seeds_[below(random, seeds_.size())], random), random);
        break;
    case 6:
        if (!words_.empty()) insert(input, words_[below(random, words_.size())], random);
        break;
    default:
        if (!words_.empty()) overwrite(words_[below(random, words_.size())]);
        break;
    }
}

}  // namespace pgchronicle::test
