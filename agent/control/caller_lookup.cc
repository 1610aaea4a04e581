#include "agent/control/caller_lookup.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/detached_work.h"
#include "agent/base/text.h"
#include "agent/base/unique_fd.h"

namespace rad {
namespace {

namespace asio = boost::asio;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxRecord = 1U << 20U;
constexpr int kMaxGroups = 65536;
constexpr std::size_t kMaxEntries = 1024;
constexpr int kMaxThreads = 4;

struct Account {
  std::string name;
  gid_t gid = 0;
};

/// Calls one of the get…_r functions with as much space as it wants.
template <class Record, class Ask>
std::optional<Record> ask_database(std::vector<char>& space, const Ask& ask) {
  for (space.resize(4096); space.size() <= kMaxRecord; space.resize(space.size() * 4)) {
    Record record{};
    Record* found = nullptr;
    const int error = ask(&record, &found);
    if (error == ERANGE) continue;
    if (error != 0 || found == nullptr) return std::nullopt;
    return record;
  }
  return std::nullopt;
}

std::optional<Account> account_of(uid_t uid) {
  std::vector<char> space;
  const auto record = ask_database<passwd>(space, [&](passwd* into, passwd** found) {
    return ::getpwuid_r(uid, into, space.data(), space.size(), found);
  });
  if (!record) return std::nullopt;
  return Account{record->pw_name, record->pw_gid};
}

std::optional<gid_t> group_named(const std::string& name) {
  std::vector<char> space;
  const auto record = ask_database<group>(space, [&](group* into, group** found) {
    return ::getgrnam_r(name.c_str(), into, space.data(), space.size(), found);
  });
  if (!record) return std::nullopt;
  return record->gr_gid;
}

std::vector<gid_t> groups_of(const Account& account) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (::getgrouplist(account.name.c_str(), account.gid, groups.data(), &count) < 0) {
    if (count > kMaxGroups || static_cast<std::size_t>(count) <= groups.size()) return {};
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

bool is_master(uid_t uid) {
  return uid == 0 || uid == ::geteuid();
}

std::string name_or_number(uid_t uid, const std::optional<Account>& account) {
  return account ? printable(account->name, 200) : fmt::format("uid {}", uid);
}

/// One question that a thread of its own asks. The thread may outlive everything else: it owns
/// whatever it touches.
struct Question {
  explicit Question(int fd) : answered(fd) {}
  UniqueFd answered;  ///< an eventfd
  std::atomic<bool> done = false;
  Caller caller;
};

std::atomic<int>& busy_threads() {
  static std::atomic<int> count = 0;
  return count;
}

}  // namespace

Caller identify(Peer peer, const AccessRules& rules) {
  Caller caller;
  caller.uid = peer.uid;
  const auto account = account_of(peer.uid);
  caller.user = name_or_number(peer.uid, account);
  if (is_master(peer.uid)) {
    caller.access = Access::manager;
    return caller;
  }
  std::vector<gid_t> groups{peer.gid};
  if (account) {
    const auto more = groups_of(*account);
    groups.insert(groups.end(), more.begin(), more.end());
  }
  const auto is_member = [&](const std::string& name) {
    const auto gid = name.empty() ? std::nullopt : group_named(name);
    return gid && std::find(groups.begin(), groups.end(), *gid) != groups.end();
  };
  caller.access = is_member(rules.operator_group) ? Access::manager
                  : is_member(rules.viewer_group) ? Access::viewer
                                                  : Access::none;
  return caller;
}

struct CallerLookup::Impl : std::enable_shared_from_this<CallerLookup::Impl> {
  using Key = std::pair<uid_t, gid_t>;
  struct Entry {
    explicit Entry(const asio::any_io_executor& executor)
        : ready(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer ready;  ///< cancelled when the question is answered
    bool asking = true;
    std::optional<Caller> caller;
    asio::steady_timer::time_point until;
  };

  Impl(asio::any_io_executor on, AccessRules who)
      : executor(std::move(on)), rules(std::move(who)) {}

  asio::awaitable<void> ask(Peer peer, std::shared_ptr<Entry> entry);
  asio::awaitable<std::optional<Caller>> ask_thread(Peer peer);
  Result<std::shared_ptr<Question>> start(Peer peer);
  void make_room();

  asio::any_io_executor executor;
  AccessRules rules;
  std::map<Key, std::shared_ptr<Entry>> entries;
};

Result<std::shared_ptr<Question>> CallerLookup::Impl::start(Peer peer) {
  const Error busy = fail(Reason::host_unfit, "the host's name service does not answer",
                          "`getent passwd` and `id` show whether it works");
  if (busy_threads().load() >= kMaxThreads) return busy;
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return busy;
  auto question = std::make_shared<Question>(fd);
  ++busy_threads();
  const bool started = start_detached([question, peer, who = rules] {
    question->caller = identify(peer, who);
    question->done = true;
    (void)::eventfd_write(question->answered.get(), 1);
    --busy_threads();
  });
  if (started) return question;
  --busy_threads();
  return busy;
}

/// \return nothing if nobody answered in time.
asio::awaitable<std::optional<Caller>> CallerLookup::Impl::ask_thread(Peer peer) {
  using namespace asio::experimental::awaitable_operators;
  const auto question = start(peer);
  if (!question) co_return std::nullopt;
  UniqueFd own(::fcntl((*question)->answered.get(), F_DUPFD_CLOEXEC, 0));
  if (!own) co_return std::nullopt;
  asio::posix::stream_descriptor answered(executor);
  answered.assign(own.get());
  (void)own.release();
  asio::steady_timer patience(executor, kPatience);
  (void)co_await (answered.async_wait(asio::posix::descriptor_base::wait_read, kAwait) ||
                  patience.async_wait(kAwait));
  if (!(*question)->done) co_return std::nullopt;
  co_return (*question)->caller;
}

/// Ends with the entry answered, or given up: whoever waits for it waits without a limit.
asio::awaitable<void> CallerLookup::Impl::ask(Peer peer, std::shared_ptr<Entry> entry) {
  const auto self = shared_from_this();
  try {
    entry->caller = co_await ask_thread(peer);
  } catch (const std::exception&) {
    // Out of descriptors or memory. The next client of this user asks anew.
  }
  if (entry->caller) entry->until = asio::steady_timer::clock_type::now() + kKept;
  entry->asking = false;
  entry->ready.cancel();
}

void CallerLookup::Impl::make_room() {
  const auto now = asio::steady_timer::clock_type::now();
  std::erase_if(entries, [&](const auto& row) {
    return !row.second->asking && (entries.size() > kMaxEntries || row.second->until < now);
  });
}

CallerLookup::CallerLookup(asio::any_io_executor executor, AccessRules rules)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(rules))) {}

CallerLookup::~CallerLookup() = default;

asio::awaitable<Result<Caller>> CallerLookup::find(Peer peer) {
  const auto impl = impl_;
  const Impl::Key key{peer.uid, peer.gid};
  auto found = impl->entries.find(key);
  const auto now = asio::steady_timer::clock_type::now();
  if (found == impl->entries.end() || (!found->second->asking && found->second->until < now)) {
    impl->make_room();
    auto entry = std::make_shared<Impl::Entry>(impl->executor);
    found = impl->entries.insert_or_assign(key, entry).first;
    asio::co_spawn(impl->executor, impl->ask(peer, std::move(entry)), asio::detached);
  }
  const std::shared_ptr<Impl::Entry> entry = found->second;
  while (entry->asking) co_await entry->ready.async_wait(kAwait);
  if (entry->caller) co_return *entry->caller;
  if (is_master(peer.uid)) {
    co_return Caller{peer.uid, fmt::format("uid {}", peer.uid), Access::manager};
  }
  co_return fail(Reason::host_unfit, "the host's name service does not answer",
                 "`getent passwd` and `id` show whether it works");
}

}  // namespace rad
