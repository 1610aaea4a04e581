#include "agent/run/holder.h"

#include <algorithm>
#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/stat.h>

#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/model/json.h"
#include "agent/run/hold_files.h"
#include "agent/run/run_plugins.h"
#include "agent/run/sweep.h"
#include "agent/run/workspace.h"

namespace rad {
namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

/// How soon a release is noticed.
constexpr auto kLook = 2s;
/// The run that ordered the hold gives its lock back when everybody has been told of its end.
constexpr auto kLockPatience = 60s;
constexpr CallLimits kQuick{60s, 0s, 15s};
/// Twice a start and a clean end on a slow disk; what hangs is ended by the hold's end anyway.
constexpr CallLimits kStart{30min, 0s, 15s};
constexpr CallLimits kCleanup{15min, 0s, 15s};

/// A name of the backup that could play tricks on a terminal is not offered.
std::string tame(const std::string& name, const char* instead) {
  return !name.empty() && printable(name) == name ? name : instead;
}

}  // namespace

class Holder::Impl {
 public:
  Impl(asio::any_io_executor executor, const AgentOptions& options, Store& store,
       const Clock& clock, std::string run_id)
      : executor_(executor),
        options_(options),
        store_(store),
        clock_(clock),
        run_id_(std::move(run_id)),
        timer_(executor) {}

  asio::awaitable<Status> run();
  void stop() {
    stopping_ = true;
    timer_.cancel();
  }

 private:
  asio::awaitable<Status> take_lock();
  asio::awaitable<Status> start();
  asio::awaitable<Status> keep();
  asio::awaitable<void> end_plugin();
  asio::awaitable<void> wait(std::chrono::milliseconds time);
  Status take_endpoint(const Endpoint& endpoint);
  bool follow_store();
  asio::awaitable<Status> lose(Error why);
  asio::awaitable<Status> remove_everything();
  Result<std::optional<Hold>> row() const;
  void say(const std::string& level, const std::string& text);

  asio::any_io_executor executor_;
  const AgentOptions& options_;
  Store& store_;
  const Clock& clock_;
  std::string run_id_;
  asio::steady_timer timer_;
  bool stopping_ = false;
  bool held_elsewhere_ = false;
  struct stat file_ {};        ///< of the store that is open
  std::optional<Hold> known_;  ///< the row as it was last read
  std::string last_error_;     ///< that the plugin told of
  std::optional<RunLock> lock_;
  std::optional<Workspace> workspace_;
  RunPlugin plugin_;
};

void Holder::Impl::say(const std::string& level, const std::string& text) {
  log::info(fmt::format("hold of run {}: {}", run_id_, text));
  const Status written =
      store_.append_log(run_id_, {{0, clock_.now(), "hold", level, printable(text)}});
  if (!written) log::warning(written.error().message);
}

Result<std::optional<Hold>> Holder::Impl::row() const {
  RAD_TRY(const std::vector<Hold> holds, store_.list_holds());
  const auto found = std::ranges::find(holds, run_id_, &Hold::run_id);
  return found == holds.end() ? std::optional<Hold>() : std::optional<Hold>(*found);
}

asio::awaitable<void> Holder::Impl::wait(std::chrono::milliseconds time) {
  timer_.expires_after(time);
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<Status> Holder::Impl::take_lock() {
  const SteadyPoint give_up = clock_.steady_now() + kLockPatience;
  for (;;) {
    auto lock = RunLock::take_run(options_.state_dir, run_id_);
    if (lock) {
      lock_ = std::move(*lock);
      co_return Status{};
    }
    if (lock.error().reason != Reason::target_busy) co_return std::move(lock).error();
    if (stopping_ || clock_.steady_now() >= give_up) {
      held_elsewhere_ = true;
      co_return Status{};
    }
    co_await wait(200ms);
  }
}

asio::awaitable<Status> Holder::Impl::run() {
  (void)::stat((options_.state_dir / "rad.db").c_str(), &file_);
  RAD_CO_CHECK(co_await take_lock());
  if (held_elsewhere_) {
    log::info(fmt::format("hold of run {}: another process sees to it", run_id_));
    co_return Status{};
  }
  RAD_CO_TRY(const std::optional<Hold> hold, row());
  if (!hold) {
    co_return fail(Reason::config_invalid, fmt::format("run {} is not held", run_id_),
                   "radctl run start TARGET --hold 4h --reason … keeps an instance");
  }
  known_ = hold;
  const bool wanted = hold->state == HoldState::held && hold->until > clock_.now();
  if (wanted) {
    Status started = co_await start();
    if (started) started = co_await keep();
    co_await end_plugin();
    if (!started) co_return co_await lose(std::move(started).error());
  }
  co_return co_await remove_everything();
}

asio::awaitable<Status> Holder::Impl::start() {
  RAD_CO_TRY(HoldOrder order, read_hold_order(options_, run_id_));
  RAD_CO_TRY(std::optional<Account> account, plugin_account(options_));
  const std::string account_name = account ? account->name : "";
  workspace_.emplace(options_, std::move(account), store_, run_id_);
  plugin_.name = order.plugin;
  plugin_.options = std::move(order.options);
  RunReport report;
  report.id = run_id_;
  report.target = order.target;
  report.depth = Depth::restore;
  report.backup.version = order.backup_version;
  RAD_CO_CHECK(co_await start_plugin(plugin_, executor_, options_, *workspace_, report,
                                     account_name, kQuick));
  plugin_.process->on_log([this](const protocol::LogLine& line) {
    if (line.level == "error") last_error_ = printable(line.message);
    say(line.level, line.message);
  });
  auto ready = co_await plugin_.process->ask<protocol::PreflightResult>("preflight", {}, kQuick);
  if (!ready) co_return std::move(ready).error();
  RAD_CO_CHECK(open_to_operators(options_, plugin_.dirs.runtime));
  boost::json::object params;
  params["artifact"] = to_json(order.artifact);
  auto held =
      co_await plugin_.process->ask<protocol::StartResult>("hold", std::move(params), kStart);
  if (!held) co_return std::move(held).error();
  co_return take_endpoint(held->endpoint);
}

/// A damaged store is set aside under a process that has it open: then the hold goes into the new
/// one, which may have lost it, so that it can be seen, released, and ends in time.
/// \return whether a row that is missing now says that the hold was released.
bool Holder::Impl::follow_store() {
  const fs::path path = options_.state_dir / "rad.db";
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return false;
  if (now.st_ino == file_.st_ino && now.st_dev == file_.st_dev) return true;
  auto again = Store::open(path);
  if (!again) return false;
  store_ = *std::move(again);
  const auto there = row();
  if (!there) return false;
  if (!*there && known_) {
    if (const Status put = store_.put_hold(*known_); !put) return false;
    log::warning(fmt::format("hold of run {}: entered into the new store", run_id_));
  }
  file_ = now;
  return true;
}

Status Holder::Impl::take_endpoint(const Endpoint& endpoint) {
  if (endpoint.kind != "postgresql") {
    return fail(Reason::plugin_protocol,
                fmt::format("plugin '{}' holds an endpoint of kind '{}', which nobody can open",
                            plugin_.name, endpoint.kind));
  }
  RAD_TRY(const std::string socket_dir, json::get_string(endpoint.properties, "socket_dir"));
  RAD_TRY(const std::uint64_t port, json::get_uint(endpoint.properties, "port"));
  RAD_TRY(const std::string user, json::get_string(endpoint.properties, "user"));
  RAD_TRY(const std::string database, json::get_string(endpoint.properties, "database", ""));
  const std::string inside = plugin_.dirs.runtime.string();
  if (socket_dir != inside && !socket_dir.starts_with(inside + "/")) {
    return fail(Reason::plugin_protocol, fmt::format("plugin '{}' listens in '{}', outside of '{}'",
                                                     plugin_.name, printable(socket_dir), inside));
  }
  if (port == 0 || port > 65535) return fail(Reason::plugin_protocol, "field 'port' is no port");
  RAD_TRY(std::optional<Hold> hold, row());
  // Released meanwhile: keep() sees it at once.
  if (!hold || hold->state != HoldState::held) return {};
  hold->socket_dir = socket_dir;
  hold->port = static_cast<std::uint16_t>(port);
  hold->user = tame(user, "rad_reader");
  hold->database = tame(database, "postgres");
  RAD_CHECK(store_.put_hold(*hold));
  say("info", fmt::format("the instance answers until {}", format_rfc3339(hold->until)));
  return {};
}

asio::awaitable<Status> Holder::Impl::keep() {
  for (;;) {
    const bool telling = follow_store();
    const auto hold = row();
    if (hold && *hold) known_ = **hold;
    // A store that cannot be read for a while must not end the hold.
    const bool released = telling && hold && (!*hold || (*hold)->state != HoldState::held);
    if (stopping_ || released) {
      say("info", stopping_ ? "the holder was stopped" : "released");
      co_return Status{};
    }
    if (known_ && known_->until <= clock_.now()) {
      say("info", "its time is over");
      co_return Status{};
    }
    if (auto ended = plugin_.process->early_end()) {
      if (!last_error_.empty()) ended->message = last_error_;
      co_return *std::move(ended);
    }
    co_await wait(kLook);
  }
}

asio::awaitable<void> Holder::Impl::end_plugin() {
  if (!plugin_.process) co_return;
  if (plugin_.initialized && plugin_.process->alive()) {
    auto done = co_await plugin_.process->ask<protocol::CleanupResult>("cleanup", {}, kCleanup);
    if (!done) say("warning", done.error().message);
  }
  co_await plugin_.process->stop(5s);
  plugin_.process.reset();
}

asio::awaitable<Status> Holder::Impl::lose(Error why) {
  write_hold_failure(options_, run_id_, why.message);
  say("error", "lost: " + why.message);
  RAD_CO_TRY(std::optional<Hold> hold, row());
  if (!hold || hold->state != HoldState::held) co_return co_await remove_everything();
  hold->state = HoldState::lost;
  RAD_CO_CHECK(store_.put_hold(*hold));
  // Sockets and keyrings go at once; the data stays for a while.
  if (workspace_) RAD_CO_CHECK(co_await workspace_->keep(hold->until));
  co_return why;
}

asio::awaitable<Status> Holder::Impl::remove_everything() {
  RAD_CO_TRY(std::optional<Hold> hold, row());
  if (hold && hold->state == HoldState::held) {
    hold->state = HoldState::releasing;
    // On a disk that is full, what is removed here may be what makes room for the store.
    if (const Status told = store_.put_hold(*hold); !told) log::warning(told.error().message);
  }
  Status removed = co_await remove_ended(options_, store_, clock_, run_id_);
  if (!removed) {
    write_hold_failure(options_, run_id_, removed.error().message);
    say("error", removed.error().message);
    if (hold) {
      hold->state = HoldState::lost;
      RAD_CO_CHECK(store_.put_hold(*hold));
    }
    co_return removed;
  }
  log::info(fmt::format("hold of run {}: removed", run_id_));
  co_return Status{};
}

Holder::Holder(asio::any_io_executor executor, const AgentOptions& options, Store& store,
               const Clock& clock, std::string run_id)
    : impl_(std::make_shared<Impl>(std::move(executor), options, store, clock, std::move(run_id))) {
}
Holder::~Holder() = default;
asio::awaitable<Status> Holder::run() {
  return impl_->run();
}
void Holder::stop() {
  impl_->stop();
}

}  // namespace rad
