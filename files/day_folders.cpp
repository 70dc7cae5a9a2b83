#include "files/day_folders.hpp"

#include "failpoint/failpoint.hpp"
#include "files/digest.hpp"
#include "files/error.hpp"

#include <sys/file.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pgchronicle::files {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& what, const fs::path& path, const std::error_code& code) {
    return system_error("could not " + what + " \"" + path.string() + "\"", code.value());
}

void make_folders(const fs::path& path) {
    std::error_code code;
    fs::create_directories(path, code);
    if (code) throw failed("create folder", path, code);
}

void remove_folder(const fs::path& path) {
    std::error_code code;
    fs::remove_all(path, code);
    if (code) throw failed("remove folder", path, code);
}

/// `written` takes the place of `final`, at once where the file system can exchange two names.
void replace_folder(const fs::path& written, const fs::path& final) {
    if (::rename(written.c_str(), final.c_str()) == 0) return;
    if (errno != ENOTEMPTY && errno != EEXIST) {
        throw system_error("could not create folder \"" + final.string() + "\"", errno);
    }
    if (::renameat2(AT_FDCWD, written.c_str(), AT_FDCWD, final.c_str(), RENAME_EXCHANGE) == 0) {
        remove_folder(written);
        return;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        throw system_error("could not replace folder \"" + final.string() + "\"", errno);
    }
    const fs::path before = written.string() + ".before";
    remove_folder(before);
    std::error_code code;
    fs::rename(final, before, code);
    if (!code) fs::rename(written, final, code);
    if (code) throw failed("replace folder", final, code);
    remove_folder(before);
}

}  // namespace

std::string file_name(std::string_view table) {
    constexpr std::string_view plain{
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."};
    constexpr std::string_view digits{"0123456789ABCDEF"};
    std::string name;
    for (const char c : table) {
        const bool hidden = c == '.' && name.empty();
        if (plain.find(c) != std::string_view::npos && !hidden) {
            name += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        name += '%';
        name += digits[byte >> 4U];
        name += digits[byte & 0xFU];
    }
    // File systems take 255 bytes, of which an ending needs some.
    constexpr std::size_t bytes_max = 200;
    constexpr std::size_t hash_digits = 16;
    if (name.size() <= bytes_max) return name;
    Digest digest;
    digest.add(table);
    return name.substr(0, bytes_max - hash_digits - 1) + "_" + digest.hex().substr(0, hash_digits);
}

bool has_succeeded(const fs::path& folder) {
    std::error_code code;
    return fs::is_regular_file(folder / success_marker, code);
}

void flush_folder(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) throw system_error("could not open \"" + folder.string() + "\"", errno);
    const int flushed = ::fsync(descriptor);
    const int error_number = errno;
    ::close(descriptor);
    // Some file systems have nothing to flush there.
    if (flushed != 0 && error_number != EINVAL) {
        throw system_error("could not flush \"" + folder.string() + "\"", error_number);
    }
}

DayFolders::DayFolders(fs::path dir) : dir_{std::move(dir)} {
    make_folders(dir_);
    lock_ = ::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ < 0) throw system_error("could not open \"" + dir_.string() + "\"", errno);
    if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
    const int error_number = errno;
    ::close(std::exchange(lock_, -1));
    if (error_number != EWOULDBLOCK) {
        throw system_error("could not lock \"" + dir_.string() + "\"", error_number);
    }
    throw Error{
        {.fault = Fault::not_ready,
         .primary = "folder \"" + dir_.string() + "\" is in use",
         .detail = "Another process exports there.",
         .hint = "Try again when it has ended."}};
}

DayFolders::~DayFolders() {
    std::error_code ignored;
    for (const auto& folder : begun_) fs::remove_all(folder.written, ignored);
    if (lock_ >= 0) ::close(lock_);
}

fs::path DayFolders::folder(const std::string& table, const std::string& day) const {
    return dir_ / file_name(table) / day;
}

fs::path DayFolders::begin(const std::string& table, const std::string& day) {
    const auto final = folder(table, day);
    make_folders(final.parent_path());
    // A name that no day has; readers pass over what begins with a dot.
    auto written = final.parent_path() / ("." + day + ".writing");
    remove_folder(written);
    make_folders(written);
    begun_.push_back({written, final});
    return written;
}

void DayFolders::publish() {
    for (const auto& folder : begun_) flush_folder(folder.written);
    failpoint(Failpoint::export_written);
    for (const auto& folder : begun_) {
        replace_folder(folder.written, folder.final);
        flush_folder(folder.final.parent_path());
        failpoint(Failpoint::export_published);
    }
    for (const auto& folder : begun_) flush_folder(folder.final.parent_path().parent_path());
    begun_.clear();
}

}  // namespace pgchronicle::files
