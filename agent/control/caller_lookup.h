// From the kernel's word about a client (uid, gid) to a name and what it may do.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/error.h"
#include "agent/control/http_server.h"
#include "agent/model/caller.h"

namespace rad {

/// Who may do what.
struct AccessRules {
  std::string viewer_group;    ///< its members may look
  std::string operator_group;  ///< its members may look and act
};

/// What the host's databases of users and groups say. Root and the agent's own user may act,
/// whatever they say; members are those by primary group, by supplementary group, and those who
/// connected with the group as theirs. A group that does not exist has no members. Blocks for as
/// long as the name service does (files: microseconds; LDAP: perhaps seconds).
Caller identify(Peer peer, const AccessRules& rules);

/// The same for the event loop: the questions are asked on threads of their own, a few at once, and
/// the answers kept for a while. Belongs to the executor's thread.
class CallerLookup {
 public:
  CallerLookup(boost::asio::any_io_executor executor, AccessRules rules);
  ~CallerLookup();
  CallerLookup(const CallerLookup&) = delete;
  CallerLookup& operator=(const CallerLookup&) = delete;

  /// \return host_unfit when the name service does not answer within kPatience. Nobody is let in
  ///   then but root and the agent's own user.
  boost::asio::awaitable<Result<Caller>> find(Peer peer);

  static constexpr std::chrono::seconds kPatience{5};
  /// How long somebody who was taken out of a group can go on.
  static constexpr std::chrono::seconds kKept{10};

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rad
