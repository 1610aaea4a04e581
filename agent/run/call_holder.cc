// Who may come near a held instance, and the process that keeps it.
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/acl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/log.h"
#include "agent/base/unique_fd.h"
#include "agent/run/hold_files.h"

namespace rad {
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kSpawnLimit{10};

Error cannot(std::string_view doing, const fs::path& path, int code) {
  return fail(Reason::host_unfit,
              fmt::format("cannot {} '{}': {}", doing, path.string(), std::strerror(code)), "",
              path.string());
}

/// \return whether somebody listens there and has taken the order
bool call_service(const fs::path& socket, const std::string& run_id) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return false;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): sockets are made that way
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != ENOENT) {
      log::warning(cannot("call the service behind", socket, errno).message);
    }
    return false;
  }
  const std::string line = run_id + "\n";
  return ::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(line.size());
}

/// Lets everybody pass through a directory, if it is ours; the plugin opens its own.
Status let_through(const fs::path& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return cannot("look at", directory, errno);
  if (info.st_uid != ::geteuid() || (info.st_mode & S_IXOTH) != 0) return {};
  if (::chmod(directory.c_str(), (info.st_mode & 07777U) | S_IXGRP | S_IXOTH) == 0) return {};
  return cannot("let others pass through", directory, errno);
}

}  // namespace

Status open_to_operators(const AgentOptions& options, const fs::path& runtime_dir) {
  const fs::path gate = runtime_dir.parent_path();
  std::string list = "user::rwx,group::---,mask::--x,other::---";
  const std::string& account = options.plugin_user;
  if (!account.empty() && ::getpwnam(account.c_str()) != nullptr) {
    list += fmt::format(",user:{}:--x", account);
  }
  const std::string& group = options.operator_group;
  if (!group.empty() && ::getgrnam(group.c_str()) != nullptr) {
    list += fmt::format(",group:{}:--x", group);
  } else {
    log::warning(fmt::format("there is no group '{}': only root and the agent's user reach '{}'",
                             group, gate.string()));
  }
  acl_t acl = ::acl_from_text(list.c_str());
  const bool done = acl != nullptr && ::acl_set_file(gate.c_str(), ACL_TYPE_ACCESS, acl) == 0;
  const int code = errno;
  if (acl != nullptr) ::acl_free(acl);
  if (!done) return cannot("set the access control list of", gate, code);
  // Behind the gate everybody passes; before it, whoever knows the name.
  RAD_CHECK(let_through(runtime_dir));
  return let_through(gate.parent_path());
}

Status call_holder(const AgentOptions& options, const fs::path& config, const std::string& run_id) {
  if (call_service(options.runtime_dir / "hold.sock", run_id)) return {};
  const fs::path log_file = options.state_dir / "runs" / run_id / "hold.log";
  const UniqueFd log(::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  ChildSpec spec;
  std::error_code ec;
  spec.program = fs::read_symlink("/proc/self/exe", ec);
  spec.args = {"hold", run_id, "--detach", "--config", fs::absolute(config, ec).string()};
  spec.directory = "/";
  spec.stderr_fd = log ? log.get() : -1;
  // It leaves a process of its own behind and ends at once.
  RAD_TRY(ChildProcess child, ChildProcess::start(spec));
  const auto status = child.wait_for(kSpawnLimit);
  if (status && status->ok()) return {};
  return fail(Reason::host_unfit,
              fmt::format("the process that holds the instance of run {} did not start: {}", run_id,
                          status ? status->text() : "it did not answer"),
              fmt::format("look into '{}'", log_file.string()));
}

}  // namespace rad
