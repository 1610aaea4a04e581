#include "agent/run/holds.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/run/hold_files.h"
#include "agent/run/workspace.h"

namespace rad {
using namespace std::chrono_literals;

namespace {

/// Time for a called holder to take its lock.
constexpr auto kCallPatience = 90s;

std::string_view state_word(const Hold& hold) {
  switch (hold.state) {
    case HoldState::held:
      return hold.socket_dir.empty() ? "starting" : "ready";
    case HoldState::releasing:
      return "releasing";
    case HoldState::lost:
      break;
  }
  return "failed";
}

}  // namespace

Holds::Holds(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

void Holds::call(const AgentOptions& options, const std::filesystem::path& config,
                 const Hold& hold) {
  called_[hold.run_id] = clock_.steady_now();
  const Status called = call_holder(options, config, hold.run_id);
  if (!called) log::error(called.error().message);
}

void Holds::look(const AgentOptions& options, const std::filesystem::path& config) {
  const auto holds = store_.list_holds();
  if (!holds) return;  // told by whoever writes
  for (Hold hold : *holds) {
    const auto called = called_.find(hold.run_id);
    if (RunLock::alive(options.state_dir, hold.run_id)) {
      // Once it has come, its lock tells at once when it goes.
      if (called != called_.end()) called->second.reset();
      continue;
    }
    // A run that was killed before it ended is the sweep's, and its hold with it.
    const auto run = store_.load_run(hold.run_id);
    if (!run || (*run && !(*run)->ended_at)) continue;
    const bool awaited = called != called_.end() && called->second &&
                         clock_.steady_now() - *called->second < kCallPatience;
    if (awaited) continue;
    const bool is_new = hold.state == HoldState::held && hold.socket_dir.empty() &&
                        called == called_.end() && hold.until > clock_.now();
    const bool over = hold.state == HoldState::releasing || hold.until <= clock_.now();
    if (is_new || over) {
      call(options, config, hold);
    } else if (hold.state == HoldState::held) {
      hold.state = HoldState::lost;
      const std::string why = "the process that held it has ended";
      write_hold_failure(options, hold.run_id, why);
      log::warning(fmt::format("hold of run {} for {}: {}", hold.run_id, hold.owner, why));
      if (const Status put = store_.put_hold(hold); !put) log::error(put.error().message);
    }
  }
  std::erase_if(called_, [&](const auto& entry) {
    return std::ranges::find(*holds, entry.first, &Hold::run_id) == holds->end();
  });
}

Result<Hold> Holds::find(const std::string& run_id) const {
  RAD_TRY(const std::vector<Hold> holds, store_.list_holds());
  const auto found = std::ranges::find(holds, run_id, &Hold::run_id);
  if (found != holds.end()) return *found;
  return fail(Reason::config_invalid, fmt::format("run '{}' is not held", run_id),
              "radctl hold list shows what is");
}

Status Holds::release(const std::string& run_id) {
  RAD_TRY(Hold hold, find(run_id));
  hold.state = HoldState::releasing;
  called_.erase(run_id);
  return store_.put_hold(hold);
}

std::vector<HoldView> Holds::views(const AgentOptions& options) const {
  std::vector<HoldView> views;
  const auto holds = store_.list_holds();
  if (!holds) return views;
  for (const Hold& hold : *holds) {
    HoldView view;
    view.run_id = hold.run_id;
    view.target = hold.target;
    view.owner = hold.owner;
    view.note = hold.note;
    view.since = hold.since;
    view.until = hold.until;
    view.state = state_word(hold);
    if (hold.state == HoldState::lost) view.detail = read_hold_failure(options, hold.run_id);
    if (view.state == "ready") view.command = psql_line(hold);
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace rad
