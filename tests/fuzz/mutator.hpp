#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <vector>

namespace pgchronicle::test {

using Input = std::vector<std::uint8_t>;

/// The words of a dictionary in libFuzzer's form: lines of name="..." or "...", where \xNN is a
/// byte. Throws std::runtime_error for any other line.
[[nodiscard]] std::vector<Input> read_dictionary(const std::filesystem::path& file);

/// Makes inputs out of others by random changes: knows nothing of what they cover.
class Mutator {
public:
    /// Both must outlive it; `seeds` is not empty.
    Mutator(const std::vector<Input>& seeds, const std::vector<Input>& words)
        : seeds_{seeds}, words_{words} {}

    /// The same input for the same seed.
    [[nodiscard]] Input make(std::uint64_t seed) const;

private:
    void change(Input& input, std::mt19937_64& random) const;

    const std::vector<Input>& seeds_;
    const std::vector<Input>& words_;
};

}  // namespace pgchronicle::test
