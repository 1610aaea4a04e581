#include "plugins/sdk/account.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/isolation.h"
#include "agent/base/unique_fd.h"

namespace rad::sdk {
namespace {

Status hand_over(const std::string& path, const Account& account) {
  const UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (dir && ::fchown(dir.get(), account.uid, account.gid) == 0) return {};
  return fail(Reason::host_unfit, fmt::format("cannot give directory '{}' to user '{}': {}", path,
                                              account.name, strerror(errno)));
}

}  // namespace

Status enter_account(const protocol::InitializeParams& params) {
  if (::geteuid() != 0) return {};
  if (params.account.empty()) {
    return fail(Reason::config_invalid,
                "the plugin was started as root without an account to become",
                "set agent.plugin_user to an unprivileged user");
  }
  RAD_TRY(const Account account, find_account(params.account));
  if (account.uid == 0) {
    return fail(Reason::config_invalid,
                fmt::format("the account '{}' of the plugins is root", params.account),
                "set agent.plugin_user to an unprivileged user");
  }
  RAD_CHECK(hand_over(params.scratch_dir, account));
  RAD_CHECK(hand_over(params.runtime_dir, account));
  return give_up_root(account);
}

}  // namespace rad::sdk
