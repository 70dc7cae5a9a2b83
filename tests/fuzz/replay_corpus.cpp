#include "tests/fuzz/mutator.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

// Runs a fuzz target over the files of a corpus, without libFuzzer: what was found once is checked
// by every build. With --seconds, goes on with random changes of these files for that long; a
// failure leaves its input in a file and prints PGCHRONICLE_SEED, which makes that input the first
// of the next run.
//
// usage: replay_<target> [--seconds N] [--dictionary FILE] FOLDER_OR_FILE...

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using pgchronicle::test::Input;
using pgchronicle::test::Mutator;

/// No input of a few kilobytes takes this long.
constexpr unsigned input_seconds_max = 20;

/// The input in hand, for those who are called when the process dies.
struct InHand {
    const Input* input{nullptr};
    std::uint64_t seed{0};
    bool is_made{false};
    const char* file{"failed-input"};
};
InHand in_hand;

/// Saves what is in hand. Nothing here may allocate.
void on_death() {
    const auto* const input = std::exchange(in_hand.input, nullptr);
    if (input == nullptr || !in_hand.is_made) return;
    const int file = ::open(in_hand.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool is_saved = file >= 0 && ::write(file, input->data(), input->size()) ==
                                           static_cast<ssize_t>(input->size());
    std::array<char, 24> digits{};
    (void)std::to_chars(digits.data(), digits.data() + digits.size() - 1, in_hand.seed);
    const std::array<const char*, 5> texts{
        "\nPGCHRONICLE_SEED=",
        digits.data(),
        is_saved ? " makes the input that failed; it is in the file " : " makes it again",
        is_saved ? in_hand.file : "",
        "\n"};
    for (const auto* text : texts) {
        (void)!::write(STDERR_FILENO, text, std::strlen(text));
    }
}

void on_signal(int signal) {
    on_death();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

void watch_for_death() {
    std::signal(SIGABRT, on_signal);
    std::signal(SIGALRM, on_signal);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback(on_death);
#else
    std::signal(SIGSEGV, on_signal);
#endif
}

/// What escapes from the target ends the process, as under libFuzzer.
void run(const Input& bytes) noexcept {
    // A copy without spare room, so that a sanitizer sees a read past the end.
    const Input input(bytes.begin(), bytes.end());
    in_hand.input = &input;
    ::alarm(input_seconds_max);
    static_cast<void>(LLVMFuzzerTestOneInput(input.data(), input.size()));
    ::alarm(0);
    in_hand.input = nullptr;
}

Input read(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
    return {bytes.begin(), bytes.end()};
}

struct Arguments {
    unsigned seconds{0};
    std::vector<Input> words;
    std::vector<std::filesystem::path> paths;
};

Arguments read_arguments(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word{argv[i]};
        const bool has_value = i + 1 < argc;
        if (word == "--seconds" && has_value) {
            arguments.seconds = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
        } else if (word == "--dictionary" && has_value) {
            arguments.words = pgchronicle::test::read_dictionary(argv[++i]);
        } else {
            arguments.paths.emplace_back(word);
        }
    }
    return arguments;
}

std::vector<Input> replay(const std::vector<std::filesystem::path>& paths) {
    std::vector<std::filesystem::path> files;
    for (const auto& path : paths) {
        if (!std::filesystem::is_directory(path)) {
            files.push_back(path);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator{path}) {
            files.push_back(entry.path());
        }
    }
    // A seed means the same input wherever the files are listed.
    std::sort(files.begin(), files.end());
    std::vector<Input> inputs;
    for (const auto& file : files) {
        std::fprintf(stderr, "%s\n", file.c_str());
        inputs.push_back(read(file));
        run(inputs.back());
    }
    std::printf("%zu inputs replayed\n", inputs.size());
    return inputs;
}

void mutate(const Arguments& arguments, const std::vector<Input>& seeds) {
    const char* const given = std::getenv("PGCHRONICLE_SEED");
    auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("PGCHRONICLE_SEED=%llu\n", seed);
    std::fflush(stdout);
    const Mutator mutator{seeds, arguments.words};
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{arguments.seconds};
    std::size_t count = 0;
    in_hand.is_made = true;
    for (; std::chrono::steady_clock::now() < end; ++seed, ++count) {
        in_hand.seed = seed;
        run(mutator.make(seed));
    }
    std::printf("%zu changed inputs tried in %u s\n", count, arguments.seconds);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto arguments = read_arguments(argc, argv);
        const auto file = std::filesystem::path{argv[0]}.filename().string() + "-failed-input";
        in_hand.file = file.c_str();
        watch_for_death();
        const auto inputs = replay(arguments.paths);
        if (inputs.empty()) return 1;  // A corpus that is not there proves nothing.
        if (arguments.seconds > 0) mutate(arguments, inputs);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "replay_corpus: error: %s\n", error.what());
        return 1;
    }
    return 0;
}
