// Namespaces and privileges of plugin processes.
//
// rad-launch (rad_launch.cc) is put before every plugin: it dies with the agent (PR_SET_PDEATHSIG),
// makes PID, IPC and mount namespaces (as root directly, else through a user namespace that maps
// only the caller), and runs the plugin below a small init. Whichever of the three is killed, the
// kernel kills everything else in the namespace: server processes, gpg-agents, shared memory.
// Tried and measured: docs/adr/0005-isolation.md.
#pragma once

#include <string>

#include <sys/types.h>

#include "agent/base/error.h"

namespace rad {

/// Environment variable in which rad-launch tells the plugin what is in force, e.g.
/// "pid,ipc,mount namespaces" or "process group only (unshare: Operation not permitted)".
inline constexpr const char* kIsolationVariable = "RAD_ISOLATION";

/// "private": the unit has a network namespace of its own (PrivateNetwork=yes), and none has to be
/// made, which the unit may not even allow.
inline constexpr const char* kNetworkVariable = "RAD_NETWORK";

/// A directory of the unit's own (PrivateTmp=yes) for keys that are needed during the run: what
/// runs as the same user in other units cannot see it. Without it they lie in the run's
/// runtime_dir.
inline constexpr const char* kSecretsVariable = "RAD_SECRETS_DIR";

/// Puts the calling process into a network namespace of its own with the loopback device up. As
/// root directly, else through one more user namespace that maps the caller to itself. Must be
/// called before the process has threads. \return host_unfit; the caller decides whether to go on.
Status enter_network_namespace();

/// Puts the calling process into a new user namespace that maps its own uid and gid to themselves,
/// together with `more_namespaces` (CLONE_NEW... flags). Same rules as above.
Status enter_user_namespace(int more_namespaces);

/// Brings up the loopback device of the current network namespace.
Status bring_loopback_up();

/// An account that owns restored data while the agent is root.
struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};
/// Looks up a user. \return config_invalid naming it and the command that creates it.
Result<Account> find_account(const std::string& name);

/// Gives up root for good: supplementary groups, gid, uid, capabilities, no_new_privs; proves that
/// it cannot come back. Keeps a parent death signal. A no-op when not root.
/// \return config_invalid for an account that is root itself; host_unfit, and then the process is
/// in a mixed state and must end.
Status give_up_root(const Account& account);

}  // namespace rad
