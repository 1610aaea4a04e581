#include "agent/base/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/pidfd.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace rad {
namespace {

std::string system_text(int code) {
  return std::generic_category().message(code);
}

/// posix_spawn's two argument objects, freed on every way out.
struct SpawnSettings {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnSettings() {
    if (::posix_spawn_file_actions_init(&actions) != 0 ||
        ::posix_spawnattr_init(&attributes) != 0) {
      throw std::bad_alloc();
    }
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

/// A copy above the standard descriptors, so that setting up one never overwrites another.
Result<UniqueFd> borrowed_copy(int fd) {
  UniqueFd copy(fd < 0 ? ::open("/dev/null", O_RDWR | O_CLOEXEC) : ::dup(fd));
  if (copy && copy.get() <= STDERR_FILENO) {
    copy = UniqueFd(::fcntl(copy.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  }
  if (!copy) {
    return fail(Reason::host_unfit,
                fmt::format("cannot copy descriptor {} for a child: {}", fd, system_text(errno)));
  }
  ::fcntl(copy.get(), F_SETFD, FD_CLOEXEC);
  return copy;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

bool is_executable_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

/// Clean signals and no descriptor but the three standard ones, whatever this process has.
void prepare(SpawnSettings& settings, const std::array<UniqueFd, 3>& standard,
             const ChildSpec& spec) {
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
  ::posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  for (int target = 0; target < 3; ++target) {
    ::posix_spawn_file_actions_adddup2(&settings.actions,
                                       standard.at(static_cast<std::size_t>(target)).get(), target);
  }
  ::posix_spawn_file_actions_addclosefrom_np(&settings.actions, STDERR_FILENO + 1);
  if (!spec.directory.empty()) {
    ::posix_spawn_file_actions_addchdir_np(&settings.actions, spec.directory.c_str());
  }
}

ExitStatus from_siginfo(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signal = 0};
  return {.code = 0, .signal = info.si_status};
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return fmt::format("exit code {}", code);
  const char* name = ::sigdescr_np(signal);
  return fmt::format("signal {} ({})", signal, name == nullptr ? "unknown" : name);
}

struct ChildProcess::Impl {
  pid_t pid = -1;
  UniqueFd pidfd;
  std::optional<ExitStatus> ended;

  // A pidfd never reaches another process that was given the same number later.
  void send(int signal) const noexcept { send_signal(pidfd, signal); }

  ExitStatus reap() {
    siginfo_t info{};
    while (!ended) {
      if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) == 0) {
        ended = from_siginfo(info);
      } else if (errno != EINTR) {
        // Somebody else reaped it (SIGCHLD ignored): its end is certain, its status is lost.
        ended = ExitStatus{.code = 255, .signal = 0};
      }
    }
    return *ended;
  }
};

Result<ChildProcess> ChildProcess::start(const ChildSpec& spec) {
  std::filesystem::path program = spec.program;
  if (!program.is_absolute()) {
    RAD_TRY(program, find_program(spec.program.string()));
  }
  std::array<UniqueFd, 3> standard;
  const std::array wanted{spec.stdin_fd, spec.stdout_fd, spec.stderr_fd};
  for (std::size_t i = 0; i < standard.size(); ++i) {
    RAD_TRY(standard.at(i), borrowed_copy(wanted.at(i)));
  }
  SpawnSettings settings;
  prepare(settings, standard, spec);

  std::vector<std::string> arguments{program.string()};
  arguments.insert(arguments.end(), spec.args.begin(), spec.args.end());
  std::vector<std::string> variables;
  if (spec.environment) {
    for (const auto& [name, value] : *spec.environment) variables.push_back(name + "=" + value);
  }
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(variables);

  auto impl = std::make_unique<Impl>();
  const int code =
      ::posix_spawn(&impl->pid, program.c_str(), &settings.actions, &settings.attributes,
                    argv.data(), spec.environment ? envp.data() : environ);
  if (code != 0) {
    const bool missing = code == ENOENT && !is_executable_file(program);
    return fail(missing ? Reason::tool_missing : Reason::host_unfit,
                fmt::format("cannot start '{}': {}", program.string(), system_text(code)), {},
                program.string());
  }
  impl->pidfd = open_pidfd(impl->pid);
  if (!impl->pidfd) {
    const int reason = errno;
    ::kill(impl->pid, SIGKILL);
    ::waitpid(impl->pid, nullptr, 0);
    return fail(Reason::host_unfit, fmt::format("cannot watch the child '{}': {}", program.string(),
                                                system_text(reason)));
  }
  return ChildProcess(std::move(impl));
}

ChildProcess::ChildProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (!impl_ || impl_->ended) return;
  impl_->send(SIGKILL);
  impl_->reap();
}

pid_t ChildProcess::pid() const noexcept {
  return impl_->pid;
}

ExitStatus ChildProcess::wait() {
  return impl_->reap();
}

std::optional<ExitStatus> ChildProcess::wait_for(std::chrono::milliseconds limit) {
  if (impl_->ended) return impl_->ended;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  pollfd watched{.fd = impl_->pidfd.get(), .events = POLLIN, .revents = 0};
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto bounded = std::clamp<std::int64_t>(left.count(), 0, 3600'000);
    const int ready = ::poll(&watched, 1, static_cast<int>(bounded));
    if (ready > 0) return impl_->reap();
    if (ready == 0 && left.count() <= bounded) return std::nullopt;
  }
}

void ChildProcess::terminate() noexcept {
  impl_->send(SIGTERM);
}
void ChildProcess::kill() noexcept {
  impl_->send(SIGKILL);
}

Result<Pipe> make_pipe(std::size_t size) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Reason::host_unfit, fmt::format("cannot make a pipe: {}", system_text(errno)));
  }
  if (size > 0)
    ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(std::min<std::size_t>(size, 1U << 30U)));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<std::filesystem::path> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (is_executable_file(name)) return std::filesystem::absolute(name);
  } else if (!name.empty()) {
    const char* variable = std::getenv("PATH");
    std::string_view rest = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
    while (!rest.empty()) {
      const std::string_view folder = rest.substr(0, rest.find(':'));
      rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
      const std::filesystem::path path = std::filesystem::path(folder) / name;
      if (path.is_absolute() && is_executable_file(path)) return path;
    }
  }
  return fail(Reason::tool_missing, fmt::format("the program '{}' is not installed", name),
              "install the package that holds it, or put its directory into PATH", name);
}

}  // namespace rad
