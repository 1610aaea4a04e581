#include "agent/base/isolation.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"

namespace rad {
namespace {

std::string system_text(int code) {
  return std::generic_category().message(code);
}

Error host_error(std::string_view action) {
  return fail(Reason::host_unfit, fmt::format("{}: {}", action, system_text(errno)));
}

Status write_proc(const char* path, const std::string& text) {
  const UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return host_error(fmt::format("cannot write '{}' to {}", text, path));
  }
  return {};
}

/// Whether all capabilities of the calling thread are gone; clears the inheritable ones first.
bool capabilities_are_gone() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return false;
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  return std::all_of(data.begin(), data.end(), [](const __user_cap_data_struct& part) {
    return part.effective == 0 && part.permitted == 0 && part.inheritable == 0;
  });
}

/// Whether the service manager says so, and nothing but the loopback device is up.
bool has_private_network() {
  const char* told = std::getenv(kNetworkVariable);
  if (told == nullptr || std::strcmp(told, "private") != 0) return false;
  // Not if_nameindex(): a unit may be denied the netlink socket that it needs.
  std::ifstream list("/proc/self/net/dev");
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!list || !fd) return false;
  for (std::string line; std::getline(list, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto start = line.find_first_not_of(' ');
    const std::string name = line.substr(start, colon - start);
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    const bool known = ::ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0;
    if (name != "lo" && (!known || (request.ifr_flags & IFF_UP) != 0)) return false;
  }
  return true;
}

}  // namespace

Status enter_user_namespace(int more_namespaces) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  // After a change of user the kernel gives /proc/self to root, so that the maps could not be
  // written.
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  if (::unshare(CLONE_NEWUSER | more_namespaces) != 0) {
    Error error = host_error("cannot make a user namespace");
    error.hint =
        "allow unprivileged user namespaces (sysctl user.max_user_namespaces, and "
        "kernel.unprivileged_userns_clone where it exists)";
    return error;
  }
  ::prctl(PR_SET_DUMPABLE, 1);
  Status status = write_proc("/proc/self/setgroups", "deny");
  if (status) status = write_proc("/proc/self/uid_map", fmt::format("{} {} 1", uid, uid));
  if (status) status = write_proc("/proc/self/gid_map", fmt::format("{} {} 1", gid, gid));
  if (dumpable == 0) ::prctl(PR_SET_DUMPABLE, 0);
  return status;
}

Status enter_network_namespace() {
  if (has_private_network()) return bring_loopback_up();
  if (::unshare(CLONE_NEWNET) != 0) {
    if (errno != EPERM || ::geteuid() == 0) return host_error("cannot make a network namespace");
    RAD_CHECK(enter_user_namespace(CLONE_NEWNET));
  }
  return bring_loopback_up();
}

Status bring_loopback_up() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return host_error("cannot open a socket to set up the loopback device");
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  if (::ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) {
    return host_error("cannot read the flags of the loopback device");
  }
  if ((request.ifr_flags & IFF_UP) != 0) return {};
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return host_error("cannot bring up the loopback device");
  }
  return {};
}

Result<Account> find_account(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(4096);
  int code = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  while (code == ERANGE && buffer.size() < (1U << 20U)) {
    buffer.resize(buffer.size() * 2);
    code = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  }
  if (found != nullptr) return Account{entry.pw_uid, entry.pw_gid, name};
  return fail(Reason::config_invalid,
              code == 0 ? fmt::format("there is no user '{}' on this host", name)
                        : fmt::format("cannot look up the user '{}': {}", name, system_text(code)),
              fmt::format("useradd --system --no-create-home --shell /usr/sbin/nologin {}", name));
}

Status give_up_root(const Account& account) {
  if (::geteuid() != 0 && ::getuid() != 0) return {};
  if (account.uid == 0 || account.gid == 0) {
    return fail(Reason::config_invalid,
                fmt::format("the user '{}' is root or in its group, which restored data must never "
                            "belong to",
                            account.name),
                "name an unprivileged user, for example rad-plugin");
  }
  // A change of user clears the wish to die with the parent.
  int death_signal = 0;
  ::prctl(PR_GET_PDEATHSIG, &death_signal);
  const pid_t parent = ::getppid();
  if (::setgroups(1, &account.gid) != 0) return host_error("cannot drop supplementary groups");
  if (::setresgid(account.gid, account.gid, account.gid) != 0) {
    return host_error(fmt::format("cannot become group {}", account.gid));
  }
  if (::setresuid(account.uid, account.uid, account.uid) != 0) {
    return host_error(fmt::format("cannot become user '{}'", account.name));
  }
  if (death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, death_signal);
    if (::getppid() != parent) ::raise(death_signal);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return host_error("cannot set no_new_privs");

  std::array<uid_t, 3> uids{};
  std::array<gid_t, 3> gids{};
  const bool known = ::getresuid(&uids[0], &uids[1], &uids[2]) == 0 &&
                     ::getresgid(&gids[0], &gids[1], &gids[2]) == 0;
  const bool changed =
      known && std::all_of(uids.begin(), uids.end(), [&](uid_t id) { return id == account.uid; }) &&
      std::all_of(gids.begin(), gids.end(), [&](gid_t id) { return id == account.gid; });
  if (!changed || !capabilities_are_gone() || ::setuid(0) == 0 || ::setgid(0) == 0) {
    return fail(Reason::host_unfit,
                fmt::format("gave up root for '{}', but could take it back", account.name),
                "report this as a bug, with the kernel version");
  }
  return {};
}

}  // namespace rad
