#include "files/day_folders.hpp"

#include "files/error.hpp"
#include "files/output_file.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

using namespace pgchronicle::files;

namespace fs = std::filesystem;

namespace {

/// A folder of the test's own.
struct Folder {
    fs::path path;

    Folder() {
        std::string name = (fs::temp_directory_path() / "pgchronicle_files.XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    Folder(Folder&&) = delete;
    Folder& operator=(Folder&&) = delete;
};

std::string text_of(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void write(const fs::path& path, std::string_view text, bool gzip = false) {
    OutputFile file{path, gzip};
    file.write(text);
    file.close();
}

}  // namespace

TEST_CASE("a table's name as a file's name stays in its folder", "[files]") {
    CHECK(file_name("operations.orders") == "operations.orders");
    CHECK(file_name("../x") == "%2E.%2Fx");
    CHECK(file_name("..") == "%2E.");
    CHECK(file_name("a b%\xC3\xBC") == "a%20b%25%C3%BC");
    const auto one = file_name(std::string(150, '/'));
    const auto other = file_name(std::string(150, '/') + "x");
    CHECK(one.size() == 200);
    CHECK(one != other);
}

TEST_CASE("a day's folder appears as a whole, and takes the place of the one before", "[files]") {
    const Folder root;
    const auto day = root.path / "t" / "2026-01-02";
    {
        DayFolders folders{root.path};
        const auto written = folders.begin("t", "2026-01-02");
        write(written / "old", "1");
        CHECK_FALSE(fs::exists(day));
        folders.publish();
        CHECK(text_of(day / "old") == "1");
        CHECK_FALSE(fs::exists(written));
    }
    {
        DayFolders folders{root.path};
        const auto written = folders.begin("t", "2026-01-02");
        write(written / "new", "2");
        write(written / "_SUCCESS", "");
        CHECK_FALSE(has_succeeded(day));
        folders.publish();
    }
    CHECK(has_succeeded(day));
    CHECK(text_of(day / "new") == "2");
    CHECK_FALSE(fs::exists(day / "old"));
    CHECK(std::distance(fs::directory_iterator{day.parent_path()}, {}) == 1);
}

TEST_CASE("what is not published leaves nothing, and two do not write at once", "[files]") {
    const Folder root;
    {
        DayFolders folders{root.path};
        write(folders.begin("t", "2026-01-02") / "x", "1");
        CHECK_THROWS_AS(DayFolders{root.path}, Error);
    }
    CHECK(fs::is_empty(root.path / "t"));
    fs::create_directories(root.path / "t" / ".2026-01-02.writing" / "left");
    DayFolders folders{root.path};
    CHECK(fs::is_empty(folders.begin("t", "2026-01-02")));
}

TEST_CASE("equal text makes equal files, in whatever pieces it comes", "[files]") {
    const Folder root;
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919) + "\n";
    for (const bool gzip : {false, true}) {
        const auto name = [&](const char* part) {
            return root.path / (std::string{part} + (gzip ? ".gz" : ""));
        };
        write(name("whole"), text, gzip);
        OutputFile pieces{name("pieces"), gzip};
        for (std::size_t i = 0; i < text.size(); i += 7) {
            pieces.write(std::string_view{text}.substr(i, 7));
        }
        pieces.close();
        CHECK(text_of(name("whole")) == text_of(name("pieces")));
        CHECK(pieces.bytes() == fs::file_size(name("pieces")));
        CHECK((text_of(name("whole")) == text) != gzip);
    }
    OutputFile abc{root.path / "abc", false};
    abc.write("abc");
    abc.close();
    // Source: FIPS 180-2, appendix B.1.
    CHECK(abc.sha256() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_THROWS_AS((OutputFile{root.path / "abc", false}), Error);
}
