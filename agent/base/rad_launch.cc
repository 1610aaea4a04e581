// rad-launch [--no-isolation] [--parent PID] [--] PROGRAM ARGUMENTS...
//
// Runs a plugin so that nothing of it can outlive it, its launcher or the agent; see isolation.h.
//
//   agent --(dies: SIGKILL)--> launcher --(dies: SIGKILL)--> init, PID 1 --(namespace ends)--> all
//
// --parent PID ends at once if PID is not the parent (any more). The plugin gets the three standard
// descriptors, clean signals, a session of its own and RAD_ISOLATION. SIGTERM, SIGINT and SIGHUP
// are handed on. The exit status is the plugin's, a signal included. 126 and 127 as in sh(1): it
// could not be started; 125: the launcher itself failed.
//
// Standard library and system calls only, and no memory is taken after a fork where avoidable: this
// program stays in memory three times for each plugin.
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/isolation.h"
#include "agent/base/kill_children.h"

namespace {

constexpr int kLauncherFailed = 125;
constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;
constexpr std::array kForwarded{SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

struct Options {
  bool isolate = true;
  pid_t parent = 0;  ///< 0: not told
  char** program = nullptr;
};

[[noreturn]] void give_up(int status, const std::string& message) {
  ::dprintf(STDERR_FILENO, "error: rad-launch: %s\n", message.c_str());
  ::_exit(status);
}

Options read_options(char** argv) {
  Options options;
  for (++argv; *argv != nullptr; ++argv) {
    const std::string_view word = *argv;
    if (word == "--no-isolation") {
      options.isolate = false;
    } else if (word == "--parent" && argv[1] != nullptr) {
      const std::string_view number = *++argv;
      const auto [end, code] =
          std::from_chars(number.data(), number.data() + number.size(), options.parent);
      if (code != std::errc{} || end != number.data() + number.size() || options.parent < 1) {
        give_up(kLauncherFailed, "'" + std::string(number) + "' is not a process id");
      }
    } else if (word == "--") {
      ++argv;
      break;
    } else if (word.starts_with("-")) {
      give_up(kLauncherFailed, "unknown option '" + std::string(word) + "'");
    } else {
      break;
    }
  }
  if (*argv == nullptr) {
    give_up(kLauncherFailed,
            "no program given; usage: rad-launch [--no-isolation] [--parent PID] [--] PROGRAM "
            "ARGUMENTS...");
  }
  options.program = argv;
  return options;
}

/// Blocks what will be waited for and undoes what the parent ignored.
sigset_t take_signals() {
  for (int number = 1; number < SIGRTMAX; ++number) ::signal(number, SIG_DFL);
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : kForwarded) ::sigaddset(&wanted, number);
  ::sigaddset(&wanted, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &wanted, nullptr);
  return wanted;
}

/// Dies with the parent from now on. Must be repeated after every change of credentials.
void die_with_parent() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/// So that the plugin alone decides when its pipes reach their end.
void let_go_of_pipes() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::close(null);
}

std::string failed(const char* what) {
  return std::string(what) + ": " + std::strerror(errno);
}

/// \return "" when the namespaces have been made, else why not
std::string make_namespaces() {
  constexpr int kNamespaces = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS;
  if (::geteuid() == 0) {
    // No user namespace for root: it would map root alone, and the plugin could not give root up.
    if (::unshare(kNamespaces) != 0) return failed("unshare");
  } else if (const rad::Status status = rad::enter_user_namespace(kNamespaces); !status) {
    return status.error().message;
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return failed("making mounts private");
  }
  return {};
}

/// What makes the namespaces complete, as far as the host allows. Runs in PID 1.
std::string make_mounts() {
  std::string missing;
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    missing += " without a private /proc (" + failed("mount") + ")";
  }
  if (::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) {
    missing += " without a private /dev/shm (" + failed("mount") + ")";
  }
  return missing;
}

[[noreturn]] void run_plugin(char** program) {
  die_with_parent();
  ::setsid();
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(program[0], program);
  const int code = errno;
  give_up(code == ENOENT ? kNotFound : kCannotRun,
          "cannot start '" + std::string(program[0]) + "': " + std::strerror(code));
}

/// Reaps everything, hands signals on, and returns the wait status of `child`.
int wait_for(pid_t child, const sigset_t& signals) {
  while (true) {
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (ended == child) return status;
    }
    if (ended < 0 && errno == ECHILD) return W_EXITCODE(kLauncherFailed, 0);
    const int number = ::sigwaitinfo(&signals, nullptr);
    if (number > 0 && number != SIGCHLD) ::kill(child, number);
  }
}

/// Ends as the plugin did, whatever that was.
[[noreturn]] void end_like(int status) {
  if (!WIFSIGNALED(status)) ::_exit(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const rlimit none{};
  ::setrlimit(RLIMIT_CORE, &none);  // the plugin left its own, if any
  ::prctl(PR_SET_DUMPABLE, 0);
  sigset_t all;
  ::sigemptyset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::raise(number);
  ::_exit(128 + number);
}

[[noreturn]] void run_without_namespaces(const Options& options, const std::string& why,
                                         const sigset_t& signals) {
  ::setenv(rad::kIsolationVariable, ("process group only (" + why + ")").c_str(), 1);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) give_up(kLauncherFailed, failed("cannot fork"));
  if (child == 0) {
    die_with_parent();
    if (::getppid() != self) ::_exit(kLauncherFailed);
    run_plugin(options.program);
  }
  let_go_of_pipes();
  const int status = wait_for(child, signals);
  rad::kill_children();
  end_like(status);
}

/// PID 1 of the namespace. `alive` reaches its end when the launcher dies; `report` takes the
/// plugin's wait status.
[[noreturn]] void be_init(const Options& options, int alive, int report, const sigset_t& signals) {
  die_with_parent();
  // The parent is outside of the namespace, so getppid() cannot tell whether it was in time.
  pollfd launcher{.fd = alive, .events = POLLIN, .revents = 0};
  if (::poll(&launcher, 1, 0) != 0) ::_exit(kLauncherFailed);
  const std::string missing = make_mounts();
  ::setenv(rad::kIsolationVariable, ("pid,ipc,mount namespaces" + missing).c_str(), 1);
  const pid_t child = ::fork();
  if (child < 0) give_up(kLauncherFailed, failed("cannot fork"));
  if (child == 0) run_plugin(options.program);
  let_go_of_pipes();
  const int status = wait_for(child, signals);
  static_cast<void>(!::write(report, &status, sizeof status));
  // The kernel now ends everything that is left in the namespace before the launcher hears of it.
  ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

int main(int, char** argv) {
  const Options options = read_options(argv);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  const sigset_t signals = take_signals();
  die_with_parent();
  if (options.parent != 0 && ::getppid() != options.parent) {
    give_up(kLauncherFailed,
            "the process " + std::to_string(options.parent) + " that wanted this plugin is gone");
  }
  if (!options.isolate) run_without_namespaces(options, "isolation is switched off", signals);
  const pid_t parent = ::getppid();
  const std::string why = make_namespaces();
  die_with_parent();
  if (::getppid() != parent) ::_exit(kLauncherFailed);
  if (!why.empty()) run_without_namespaces(options, why, signals);

  std::array<int, 2> alive{};
  std::array<int, 2> report{};
  if (::pipe2(alive.data(), O_CLOEXEC) != 0 || ::pipe2(report.data(), O_CLOEXEC) != 0) {
    give_up(kLauncherFailed, failed("cannot make a pipe"));
  }
  const pid_t init = ::fork();
  if (init < 0) give_up(kLauncherFailed, failed("cannot fork"));
  if (init == 0) {
    ::close(alive[1]);
    ::close(report[0]);
    be_init(options, alive[0], report[1], signals);
  }
  ::close(alive[0]);
  ::close(report[1]);
  let_go_of_pipes();
  int status = wait_for(init, signals);
  int of_plugin = 0;
  if (::read(report[0], &of_plugin, sizeof of_plugin) == sizeof of_plugin) status = of_plugin;
  end_like(status);
}
