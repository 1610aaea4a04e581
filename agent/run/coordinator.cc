#include "agent/run/coordinator.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/model/json.h"
#include "agent/run/run_machine.h"
#include "agent/run/run_plugins.h"
#include "agent/run/stage_limits.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::chrono::milliseconds between(TimePoint from, TimePoint to) {
  return to - from;
}

}  // namespace

std::string make_run_id(TimePoint now) {
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now);
  return fmt::format("{:%Y%m%dT%H%M%S}-{}", fmt::gmtime(seconds.time_since_epoch().count()),
                     random_hex(8));
}

Result<std::optional<Account>> plugin_account(const AgentOptions& options) {
  if (::geteuid() != 0) return std::optional<Account>{};
  RAD_TRY(Account account, find_account(options.plugin_user));
  if (account.uid == 0) {
    return fail(Reason::config_invalid, "agent.plugin_user is root",
                "name an account without rights of its own, e.g. rad-plugin");
  }
  return std::optional<Account>(std::move(account));
}

class Coordinator::Impl {
 public:
  Impl(RunServices services, RunRequest request, RunObserver* observer)
      : services_(services), request_(std::move(request)), observer_(observer) {}

  asio::awaitable<Result<RunReport>> run();
  void cancel(std::string why);

 private:
  asio::awaitable<Status> carry_out(Stage stage);
  asio::awaitable<Status> preflight();
  asio::awaitable<Status> start_and_preflight(RunPlugin& plugin);
  Status check_space(const std::string& plugin, std::uint64_t needed);
  asio::awaitable<Status> fetch();
  asio::awaitable<Status> restore();
  asio::awaitable<Status> recover();
  asio::awaitable<Status> check();
  asio::awaitable<Status> ask_checks(RunPlugin& plugin);
  asio::awaitable<Status> cleanup();
  asio::awaitable<Status> report_all();
  asio::awaitable<Error> first_cause(Stage stage, Error error);
  void capture_logs();
  void note_early_ends();
  void begin(TimePoint now);
  void record();
  RunPlugin* find(const std::string& name);
  CallLimits limits(Stage stage) const;
  void add_findings(std::vector<Finding> findings);

  RunServices services_;
  RunRequest request_;
  RunObserver* observer_;
  RunReport report_;
  std::optional<RunLock> lock_;
  std::optional<Workspace> workspace_;
  std::optional<Account> account_;
  std::vector<RunPlugin> plugins_;
  StageLimits stage_limits_;
  std::optional<Artifact> artifact_;
  std::optional<Endpoint> endpoint_;
  std::optional<std::string> cancelled_;
  std::optional<TimePoint> answering_at_;
  RunPlugin* active_ = nullptr;  ///< whose request is running
  bool cancellable_ = true;
};

void Coordinator::Impl::begin(TimePoint now) {
  report_.id = make_run_id(now);
  report_.target = request_.target.name;
  report_.schedule = request_.schedule;
  report_.depth = request_.depth;
  report_.requested_by = request_.requested_by;
  report_.request_note = request_.note;
  report_.host = host_name();
  report_.agent_version = RAD_VERSION;
  report_.created_at = now;
  report_.rto_target = request_.target.objectives.rto;
  report_.rpo_target = request_.target.objectives.rpo;
}

void Coordinator::Impl::record() {
  const Status written = services_.store.update_run(report_);
  if (!written) log::error(fmt::format("run {}: {}", report_.id, written.error().message));
}

RunPlugin* Coordinator::Impl::find(const std::string& name) {
  for (RunPlugin& plugin : plugins_) {
    if (plugin.name == name) return &plugin;
  }
  return nullptr;
}

CallLimits Coordinator::Impl::limits(Stage stage) const {
  CallLimits limits;
  limits.timeout = stage_limits_.at(stage);
  // A check of one large relation may rightly say nothing for longer than a stream may.
  if (stage != Stage::check) limits.stall = services_.options.stall_timeout;
  return limits;
}

void Coordinator::Impl::add_findings(std::vector<Finding> findings) {
  for (Finding& finding : findings) report_.findings.push_back(std::move(finding));
}

void Coordinator::Impl::cancel(std::string why) {
  if (cancelled_ || !cancellable_) return;
  cancelled_ = std::move(why);
  if (active_ != nullptr && active_->process) active_->process->cancel();
}

asio::awaitable<Result<RunReport>> Coordinator::Impl::run() {
  begin(services_.clock.now());
  RAD_CO_TRY(lock_, RunLock::take(services_.options.state_dir, report_.target, report_.id));
  RAD_CO_CHECK(services_.store.begin_run(report_));
  RunFilter filter;
  filter.target = report_.target;
  filter.depth = report_.depth;
  filter.ended_only = true;
  filter.limit = 5;
  const auto history = services_.store.list_runs(filter);
  stage_limits_ = stage_limits(request_.target, history ? *history : std::vector<RunReport>{});
  RunMachine machine(report_.depth, request_.target.instance.has_value());
  while (const auto stage = machine.stage()) {
    if (*stage == Stage::cleanup) cancellable_ = false;
    report_.stages.push_back(StageRecord{*stage, services_.clock.now(), {}, 0, 0, {}});
    if (observer_ != nullptr) observer_->stage_began(report_, *stage);
    record();
    Status status = co_await carry_out(*stage);
    StageRecord& row = report_.stages.back();
    row.ended_at = services_.clock.now();
    if (!status) {
      row.error = status.error();
      if (*stage != Stage::cleanup && *stage != Stage::report && !report_.cause) {
        report_.cause = co_await first_cause(*stage, std::move(status).error());
        row.error = report_.cause;
      }
    }
    if (*stage != Stage::report) record();
    machine.ended(status.has_value() && !cancelled_);
  }
  co_return report_;
}

asio::awaitable<Status> Coordinator::Impl::carry_out(Stage stage) {
  if (cancelled_ && stage != Stage::cleanup && stage != Stage::report) {
    co_return fail(Reason::cancelled, *cancelled_);
  }
  switch (stage) {
    case Stage::preflight:
      co_return co_await preflight();
    case Stage::fetch:
      co_return co_await fetch();
    case Stage::restore:
      co_return co_await restore();
    case Stage::recover:
      co_return co_await recover();
    case Stage::check:
      co_return co_await check();
    case Stage::cleanup:
      co_return co_await cleanup();
    case Stage::report:
      break;
  }
  co_return co_await report_all();
}

asio::awaitable<Status> Coordinator::Impl::preflight() {
  RAD_CO_TRY(account_, plugin_account(services_.options));
  plugins_ = plan_plugins(request_, services_.plugins);
  workspace_.emplace(services_.options, account_, services_.store, report_.id);
  RAD_CO_CHECK(workspace_->create());
  // The restore plugin comes first; the others are told which backup it has pinned.
  for (RunPlugin& plugin : plugins_) RAD_CO_CHECK(co_await start_and_preflight(plugin));
  co_return Status{};
}

asio::awaitable<Status> Coordinator::Impl::start_and_preflight(RunPlugin& plugin) {
  active_ = &plugin;
  const std::string account = account_ ? account_->name : "";
  RAD_CO_CHECK(co_await start_plugin(plugin, services_.executor, services_.options, *workspace_,
                                     report_, account, limits(Stage::preflight)));
  if (observer_ != nullptr) {
    plugin.process->on_log([this, name = plugin.name](const protocol::LogLine& line) {
      observer_->logged(name, line);
    });
  }
  plugin.process->on_progress([this](const protocol::Progress& progress) {
    report_.stages.back().bytes_done = progress.bytes_done;
    report_.stages.back().bytes_total = progress.bytes_total;
    if (observer_ != nullptr) observer_->progressed(progress);
  });
  if (cancelled_) co_return fail(Reason::cancelled, *cancelled_);
  auto result = co_await plugin.process->ask<protocol::PreflightResult>("preflight", {},
                                                                        limits(Stage::preflight));
  if (!result) co_return std::move(result).error();
  add_findings(std::move(result->findings));
  if (!result->isolation.empty()) {
    if (!report_.isolation.empty()) report_.isolation += "; ";
    report_.isolation += plugin.name + ": " + result->isolation;
  }
  if (!result->backup.name.empty()) report_.backup = std::move(result->backup);
  co_return check_space(plugin.name, result->scratch_bytes_needed);
}

Status Coordinator::Impl::check_space(const std::string& plugin, std::uint64_t needed) {
  RAD_TRY(const std::uint64_t free, workspace_->scratch_free());
  const std::uint64_t wanted = needed + services_.options.scratch_reserve;
  if (needed == 0 || wanted <= free) return {};
  return fail(
      Reason::scratch_full,
      fmt::format("plugin '{}' needs {} in '{}', where {} are free", plugin, format_bytes(wanted),
                  services_.options.scratch_dir.string(), format_bytes(free)),
      "free some space, or set agent.scratch_dir to a larger file system",
      services_.options.scratch_dir.string());
}

asio::awaitable<Status> Coordinator::Impl::fetch() {
  RunPlugin* plugin = find(request_.target.restore.plugin);
  active_ = plugin;
  const std::string method(to_string(report_.depth));
  auto result =
      co_await plugin->process->ask<protocol::ReadResult>(method, {}, limits(Stage::fetch));
  if (!result) co_return std::move(result).error();
  report_.bytes_read += result->bytes_read;
  add_findings(std::move(result->findings));
  co_return Status{};
}

asio::awaitable<Status> Coordinator::Impl::restore() {
  RunPlugin* plugin = find(request_.target.restore.plugin);
  active_ = plugin;
  auto result =
      co_await plugin->process->ask<protocol::RestoreResult>("restore", {}, limits(Stage::restore));
  if (!result) co_return std::move(result).error();
  report_.bytes_read += result->bytes_read;
  report_.bytes_restored += result->bytes_restored;
  add_findings(std::move(result->findings));
  const std::string inside = workspace_->scratch().string() + "/";
  if (result->artifact.path.rfind(inside, 0) != 0 ||
      result->artifact.path.find("/../") != std::string::npos) {
    co_return fail(Reason::plugin_protocol,
                   fmt::format("plugin '{}' restored to '{}', outside of the run's scratch '{}'",
                               plugin->name, result->artifact.path, inside));
  }
  artifact_ = std::move(result->artifact);
  co_return Status{};
}

asio::awaitable<Status> Coordinator::Impl::recover() {
  RunPlugin* plugin = find(request_.target.instance->plugin);
  active_ = plugin;
  boost::json::object params;
  params["artifact"] = to_json(*artifact_);
  auto result = co_await plugin->process->ask<protocol::StartResult>("start", std::move(params),
                                                                     limits(Stage::recover));
  if (!result) co_return std::move(result).error();
  endpoint_ = std::move(result->endpoint);
  report_.recovery = std::move(result->recovery);
  add_findings(std::move(result->findings));
  answering_at_ = services_.clock.now();
  report_.measured_rto = between(report_.created_at, *answering_at_);
  co_return Status{};
}

asio::awaitable<Status> Coordinator::Impl::check() {
  for (RunPlugin& plugin : plugins_) {
    if (!plugin.checks.empty()) RAD_CO_CHECK(co_await ask_checks(plugin));
  }
  co_return Status{};
}

asio::awaitable<Status> Coordinator::Impl::ask_checks(RunPlugin& plugin) {
  active_ = &plugin;
  protocol::CheckParams params;
  params.endpoint = endpoint_;
  params.checks = plugin.checks;
  auto result = co_await plugin.process->ask<protocol::CheckResult>(
      "check", protocol::to_json(params), limits(Stage::check));
  if (!result) co_return std::move(result).error();
  for (CheckOutcome& outcome : result->outcomes) {
    outcome.plugin = plugin.name;
    // A plugin cannot prove more with a check than it said it could.
    const auto schema = services_.plugins.find(plugin.name);
    Proof most = Proof::none;
    if (schema != services_.plugins.end()) {
      for (const PluginCheck& offered : schema->second.checks) {
        if (offered.type == outcome.check) most = offered.proof;
      }
    }
    outcome.proof = std::min(outcome.proof, most);
    report_.checks.push_back(std::move(outcome));
  }
  co_return Status{};
}

asio::awaitable<Error> Coordinator::Impl::first_cause(Stage stage, Error error) {
  if (cancelled_) {
    error.reason = Reason::cancelled;
    error.message = *cancelled_;
    co_return error;
  }
  RunPlugin* plugin = find(request_.target.restore.plugin);
  const bool others_fault = stage == Stage::recover || stage == Stage::check;
  if (!others_fault || plugin == nullptr || plugin == active_ || !plugin->initialized) {
    co_return error;
  }
  if (auto ended = plugin->process->early_end()) {
    report_.faults.push_back(std::move(error));
    co_return *std::move(ended);
  }
  boost::json::object question = protocol::to_json(protocol::DiagnoseParams{stage, error});
  const CallLimits quick{30s, 0s, 5s};
  auto known = co_await plugin->process->ask<protocol::DiagnoseResult>("diagnose",
                                                                       std::move(question), quick);
  if (!known && known.error().reason == Reason::plugin_crashed) {
    // It was dying already. What it had to hand over cannot be blamed on the backup any more.
    report_.faults.push_back(std::move(error));
    co_return std::move(known).error();
  }
  if (!known || !known->cause) co_return error;
  Error cause = std::move(*known->cause);
  report_.faults.push_back(std::move(error));
  co_return cause;
}

void Coordinator::Impl::capture_logs() {
  if (!report_.cause) return;
  const std::filesystem::path directory = services_.options.state_dir / "runs" / report_.id;
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  for (const RunPlugin& plugin : plugins_) {
    if (!plugin.process) continue;
    const std::string text = plugin.process->captured_log();
    if (text.empty()) continue;
    const Status written = write_file_atomic(directory / (plugin.name + ".log"), text, 0600);
    if (!written) log::warning(written.error().message);
  }
}

void Coordinator::Impl::note_early_ends() {
  for (const RunPlugin& plugin : plugins_) {
    if (!plugin.initialized || !plugin.process || report_.cause) continue;
    // All its answers are there, so it changes no verdict; but it must not pass unseen.
    if (const auto ended = plugin.process->early_end()) {
      report_.findings.push_back(
          {std::string(to_string(ended->reason)), ended->message, plugin.name});
    }
  }
}

asio::awaitable<Status> Coordinator::Impl::cleanup() {
  note_early_ends();
  fill_missing_outcomes(report_, plan_checks(request_, services_.plugins));
  conclude(report_);
  const bool passed = report_.verdict == Verdict::pass;
  const auto keep = passed ? request_.target.keep.on_pass : request_.target.keep.on_fail;
  const bool keeping = keep.count() > 0 && artifact_.has_value();
  Status first{};
  auto note = [&first](Status status) {
    if (!status && first) first = std::move(status);
  };
  for (auto plugin = plugins_.rbegin(); plugin != plugins_.rend(); ++plugin) {
    if (!plugin->process) continue;
    active_ = &*plugin;
    const bool keeps_artifact = keeping && plugin->name == request_.target.restore.plugin;
    if (keeps_artifact) {
      // Asked to clean up, or told to stop, it would remove what is to be kept.
      plugin->process->kill();
    } else if (plugin->initialized && plugin->process->alive()) {
      auto done = co_await plugin->process->ask<protocol::CleanupResult>("cleanup", {},
                                                                         limits(Stage::cleanup));
      if (!done) note(std::move(done).error());
    }
    co_await plugin->process->stop(5s);
  }
  active_ = nullptr;
  capture_logs();
  if (workspace_) {
    if (keeping) {
      report_.kept_until = services_.clock.now() + keep;
      report_.kept_path = workspace_->scratch().string();
      note(workspace_->keep(*report_.kept_until));
    } else {
      // What a plugin could not remove itself is removed here; only what then is left counts.
      first = workspace_->remove();
    }
  }
  plugins_.clear();
  report_.cleanup = !first    ? CleanupResult::failed
                    : keeping ? CleanupResult::kept
                              : CleanupResult::clean;
  if (!first) report_.cleanup_message = first.error().message;
  co_return first;
}

asio::awaitable<Status> Coordinator::Impl::report_all() {
  const auto proved = services_.store.last_pass(report_.target, report_.depth);
  report_.ended_at = services_.clock.now();
  // The age of what came back: the last transaction, else the end of the base backup.
  const auto newest = report_.recovery.last_transaction ? report_.recovery.last_transaction
                                                        : report_.backup.finished_at;
  if (newest && report_.depth == Depth::restore && endpoint_) {
    report_.measured_rpo = between(*newest, report_.created_at);
  }
  report_.stages.back().ended_at = report_.ended_at;
  // The run ends in the store only when everybody has been told: after a crash in between, the
  // sweep tells them again, and no reporter records a run twice.
  record();
  Status told_all{};
  for (const auto& reporter : services_.reporters) {
    Status told = reporter->report(report_, proved ? *proved : std::optional<TimePoint>{});
    if (told) continue;
    log::error(fmt::format("reporter '{}': {}", reporter->name(), told.error().message));
    const Status counted = services_.store.count_report_error(reporter->name());
    if (!counted) log::error(counted.error().message);
    if (told_all) told_all = std::move(told);
  }
  const Status written = services_.store.end_run(report_);
  if (!written) {
    log::error(fmt::format("run {}: {}", report_.id, written.error().message));
    co_return written;
  }
  co_return told_all;
}

Coordinator::Coordinator(RunServices services, RunRequest request, RunObserver* observer)
    : impl_(std::make_shared<Impl>(services, std::move(request), observer)) {}
Coordinator::~Coordinator() = default;
asio::awaitable<Result<RunReport>> Coordinator::run() {
  return impl_->run();
}
void Coordinator::cancel(std::string why) {
  impl_->cancel(std::move(why));
}

}  // namespace rad
