#include "commands/run_program.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace pgchronicle::commands {
namespace {

// What a POSIX shell ends with. Source: POSIX, "Exit Status for Commands".
constexpr int not_executable = 126;
constexpr int not_there = 127;

[[noreturn]] void fail(const char* what) {
    throw std::system_error{errno, std::generic_category(), what};
}

/// What the new process does. Only calls that are safe after a fork among threads.
[[noreturn]] void become(const char* command, int input, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(not_there);
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    if (dup2(input, STDIN_FILENO) < 0) _exit(not_executable);
    execl("/bin/sh", "sh", "-c", command, nullptr);
    _exit(not_there);
}

/// Writes it, or as much as the program wants to have.
void feed(int pipe, std::string_view input) {
    while (!input.empty()) {
        const auto written = ::write(pipe, input.data(), input.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return;
        input.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

bool ProgramEnd::not_found() const {
    return !signal && (exit_code == not_executable || exit_code == not_there);
}

std::string ProgramEnd::text() const {
    return signal ? fmt::format("was ended by signal {}", *signal)
                  : fmt::format("ended with {}", exit_code);
}

ProgramEnd run_program(const std::string& command, std::string_view input) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) fail("could not make a pipe");
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) become(command.c_str(), pipe[0], parent);
    const int errno_of_fork = errno;
    ::close(pipe[0]);
    if (child < 0) {
        ::close(pipe[1]);
        errno = errno_of_fork;
        fail("could not start a process");
    }
    feed(pipe[1], input);
    ::close(pipe[1]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) fail("could not wait for a process");
    }
    if (WIFSIGNALED(status)) return {.exit_code = 0, .signal = WTERMSIG(status)};
    return {.exit_code = WEXITSTATUS(status)};
}

}  // namespace pgchronicle::commands
