// Keeps one test instance for a person, in a process that outlives the agent: started by the agent
// or by the service manager, not by people.
#include <cerrno>
#include <cstdio>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/cli/commands.h"
#include "agent/run/hold_files.h"
#include "agent/run/holder.h"
#include "agent/store/store.h"

namespace rad::cli {
namespace asio = boost::asio;
namespace {

constexpr int kLinePatienceMs = 10'000;
constexpr std::size_t kMaxLine = 128;

/// The id on the first line of standard input: what the agent writes to the service's socket.
Result<std::string> read_run_id() {
  std::string line;
  while (line.size() < kMaxLine) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, kLinePatienceMs) <= 0) break;
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || byte == '\n') break;
    line += byte;
  }
  if (is_run_id(line)) return line;
  return fail(Reason::config_invalid,
              fmt::format("'{}' on standard input is no id of a run", printable(line, 100)));
}

/// The caller's process ends; this one goes on without its session, terminal and parent.
Status leave_caller() {
  const pid_t child = ::fork();
  if (child > 0) ::_exit(kOk);
  if (child < 0 || ::setsid() < 0) {
    return fail(Reason::host_unfit, "cannot leave the caller's session");
  }
  return {};
}

asio::awaitable<void> stop_on_signal(asio::signal_set& signals, Holder& holder) {
  for (;;) {
    const auto [ec, signal] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    if (ec) co_return;
    log::info(fmt::format("ending the hold on signal {}", signal));
    holder.stop();
  }
}

Status hold(const Config& config, const std::string& run_id) {
  RAD_CHECK(prepare_state(config.agent));
  RAD_TRY(Store store, Store::open(config.agent.state_dir / "rad.db"));
  const SystemClock clock;
  asio::io_context context{1};
  Holder holder(context.get_executor(), config.agent, store, clock, run_id);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  asio::co_spawn(context, stop_on_signal(signals, holder), asio::detached);
  Status ended = fail(Reason::internal_error, "the holder ended without a word");
  asio::co_spawn(context, holder.run(), [&](std::exception_ptr error, Status status) {
    if (error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& what) {
        status = fail(Reason::internal_error, what.what(), "please report this");
      }
    }
    ended = std::move(status);
    context.stop();
  });
  context.run();
  return ended;
}

Status try_hold(const Config& config, const HoldOptions& options) {
  std::string run_id = options.run_id;
  if (run_id == "-") {
    RAD_TRY(run_id, read_run_id());
  }
  if (!is_run_id(run_id)) {
    return fail(Reason::config_invalid, fmt::format("'{}' is no id of a run", printable(run_id)),
                "radctl hold list shows what is held");
  }
  if (options.detach) RAD_CHECK(leave_caller());
  return hold(config, run_id);
}

}  // namespace

int hold_command(const CommonOptions& common, const HoldOptions& options) {
  const std::optional<Config> config = load_or_explain(common);
  if (!config) return kUsage;
  const Status done = try_hold(*config, options);
  if (done) return kOk;
  print_error(done.error());
  return done.error().reason == Reason::config_invalid ? kUsage : kInconclusive;
}

}  // namespace rad::cli
