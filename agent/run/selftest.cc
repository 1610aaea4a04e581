#include "agent/run/selftest.h"

#include <algorithm>

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "agent/run/coordinator.h"
#include "agent/run/list_backups.h"
#include "agent/run/run_stages.h"
#include "agent/run/run_state.h"
#include "agent/run/sample.h"
#include "agent/run/workspace.h"

namespace rad {
namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr CallLimits kQuick{60s, 0s, 5s};
const std::vector<std::unique_ptr<Reporter>> kNobody;

/// The depth that a run of the target would have at most.
Depth deepest(const Config& config, const TargetConfig& target) {
  std::optional<Depth> depth;
  const auto take = [&depth](Depth one) { depth = depth ? std::max(*depth, one) : one; };
  for (const ScheduleConfig& schedule : target.schedules) take(schedule.depth);
  for (const RotationConfig& rotation : config.rotations) {
    if (std::ranges::count(rotation.members, target.name) > 0) take(rotation.depth);
  }
  return depth.value_or(Depth::restore);
}

std::string list_findings(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("; {}: {}", finding.code, finding.message);
  }
  return text;
}

/// What the host lacks to read the sample itself says nothing of how it reads the target.
bool sample_cannot_be_read(const RunReport& report) {
  return report.cause && (report.cause->reason == Reason::tool_missing ||
                          report.cause->reason == Reason::version_unsupported);
}

}  // namespace

std::string_view to_string(StepOutcome value) noexcept {
  switch (value) {
    case StepOutcome::ok:
      return "ok";
    case StepOutcome::failed:
      return "failed";
    case StepOutcome::not_tried:
      break;
  }
  return "not_tried";
}

class Selftest::Impl {
 public:
  Impl(SelftestServices services, const TargetConfig& target)
      : services_(std::move(services)),
        options_(services_.config.agent),
        target_(target),
        id_(make_run_id(services_.clock.now())),
        began_(services_.clock.steady_now()) {}

  asio::awaitable<void> run();
  void cancel();

 private:
  void tell(SelftestStep step);
  void ok(std::string step, std::string subject, std::string message);
  void failed(std::string step, std::string subject, const Error& error);
  void not_tried(std::string step, std::string subject, std::string why, bool needed = true,
                 std::string hint = {});

  Status make_workspace();
  Status look_at_scratch();
  bool look_at_plugins();
  asio::awaitable<void> look_at_storage();
  asio::awaitable<void> preflight();
  void tell_preflight(const RunState& run, const Status& done, Depth depth);
  asio::awaitable<void> end_plugins(std::vector<RunPlugin>& plugins);
  asio::awaitable<void> try_samples();
  Status prepare_samples(AgentOptions& apart);
  asio::awaitable<void> try_case(const Sample& sample, const SampleCase& one,
                                 const AgentOptions& apart, Store& store);
  void judge(const SampleCase& one, const RunReport& report);
  const char* lacking(const SampleCase& one, const TargetConfig& target) const;
  asio::awaitable<void> remove_workspace();

  SelftestServices services_;
  const AgentOptions& options_;
  const TargetConfig& target_;
  std::string id_;
  SteadyPoint began_;
  std::optional<RunLock> lock_;
  std::optional<Account> account_;
  std::optional<Workspace> workspace_;
  fs::path runtime_;  ///< short, for the runs on samples
  bool cancelled_ = false;
  Coordinator* coordinator_ = nullptr;  ///< of the run on a sample that goes on
  RunState* preflight_ = nullptr;
};

void Selftest::Impl::tell(SelftestStep step) {
  const SteadyPoint now = services_.clock.steady_now();
  step.took = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_);
  began_ = now;
  services_.tell(step);
}

void Selftest::Impl::ok(std::string step, std::string subject, std::string message) {
  tell({.step = std::move(step), .subject = std::move(subject), .message = std::move(message)});
}

void Selftest::Impl::failed(std::string step, std::string subject, const Error& error) {
  tell({.step = std::move(step),
        .subject = std::move(subject),
        .outcome = StepOutcome::failed,
        .message = error.message,
        .hint = error.hint,
        .reason = error.reason});
}

void Selftest::Impl::not_tried(std::string step, std::string subject, std::string why, bool needed,
                               std::string hint) {
  tell({.step = std::move(step),
        .subject = std::move(subject),
        .outcome = StepOutcome::not_tried,
        .needed = needed,
        .message = std::move(why),
        .hint = std::move(hint)});
}

void Selftest::Impl::cancel() {
  cancelled_ = true;
  if (coordinator_ != nullptr) coordinator_->cancel("the selftest was interrupted");
  if (preflight_ != nullptr) {
    preflight_->cancelled = "the selftest was interrupted";
    if (preflight_->active != nullptr && preflight_->active->process) {
      preflight_->active->process->cancel();
    }
  }
}

Status Selftest::Impl::make_workspace() {
  // Its directories are in the ledger; the lock keeps the sweep away while it goes on.
  RAD_TRY(lock_, RunLock::take_run(options_.state_dir, id_));
  RAD_TRY(account_, plugin_account(options_));
  workspace_.emplace(options_, account_, services_.store, id_);
  RAD_CHECK(workspace_->create());
  RAD_TRY(const PluginDirs dirs, workspace_->add_plugin("selftest"));
  runtime_ = dirs.runtime.parent_path() / "s";
  return {};
}

Status Selftest::Impl::look_at_scratch() {
  struct stat info {};
  if (::stat(options_.scratch_dir.c_str(), &info) != 0) {
    return fail(Reason::host_unfit,
                fmt::format("'{}' cannot be looked at", options_.scratch_dir.string()));
  }
  if ((info.st_mode & 0066U) != 0) {
    return fail(
        Reason::host_unfit,
        fmt::format("others may list or change '{}' (mode {:04o}), which holds restored "
                    "data",
                    options_.scratch_dir.string(), info.st_mode & 07777U),
        fmt::format("chmod {} {}", account_ ? "0711" : "0700", options_.scratch_dir.string()));
  }
  RAD_TRY(const std::uint64_t free, workspace_->scratch_free());
  if (free < options_.scratch_reserve) {
    return fail(
        Reason::scratch_full,
        fmt::format("{} are free in '{}', and agent.scratch_reserve is {}", format_bytes(free),
                    options_.scratch_dir.string(), format_bytes(options_.scratch_reserve)),
        "free some space, or set agent.scratch_dir to a larger file system");
  }
  ok("scratch", "",
     fmt::format("{}: written, owner {}, mode {:04o}, {} free", options_.scratch_dir.string(),
                 info.st_uid, info.st_mode & 07777U, format_bytes(free)));
  return {};
}

bool Selftest::Impl::look_at_plugins() {
  bool all = true;
  for (const std::string& name : plugins_of(target_, services_.catalog.schemas)) {
    const auto schema = services_.catalog.schemas.find(name);
    if (schema != services_.catalog.schemas.end()) {
      const auto command = find_plugin(name, options_);
      const bool behind_socket = command && !command->socket.empty();
      ok("plugin", name,
         fmt::format("version {}, {}", schema->second.version,
                     behind_socket ? "behind " + command->socket.string()
                                   : "in " + options_.plugin_dir.string()));
      continue;
    }
    all = false;
    const auto broken = services_.catalog.broken.find(name);
    failed("plugin", name,
           broken != services_.catalog.broken.end()
               ? broken->second
               : fail(Reason::tool_missing, fmt::format("plugin '{}' is not there", name)));
  }
  return all;
}

asio::awaitable<void> Selftest::Impl::look_at_storage() {
  const std::string& name = target_.restore.plugin;
  const auto listed = co_await list_backups(services_.executor, options_, target_, services_.store,
                                            services_.clock);
  if (!listed && listed.error().reason == Reason::config_invalid) {
    not_tried("storage", name, listed.error().message, false, listed.error().hint);
  } else if (!listed) {
    failed("storage", name, listed.error());
  } else {
    const auto newest =
        std::ranges::find_if(*listed, [](const auto& backup) { return backup.complete; });
    ok("storage", name,
       newest == listed->end()
           ? fmt::format("can be listed: {} backups, none of them complete", listed->size())
           : fmt::format("can be listed: {} backups, the newest complete one is {}", listed->size(),
                         newest->name));
  }
}

asio::awaitable<void> Selftest::Impl::end_plugins(std::vector<RunPlugin>& plugins) {
  for (auto plugin = plugins.rbegin(); plugin != plugins.rend(); ++plugin) {
    if (!plugin->process) continue;
    if (plugin->initialized && plugin->process->alive()) {
      (void)co_await plugin->process->ask<protocol::CleanupResult>("cleanup", {}, kQuick);
    }
    co_await plugin->process->stop(2s);
  }
}

void Selftest::Impl::tell_preflight(const RunState& run, const Status& done, Depth depth) {
  bool reached = false;
  for (const RunPlugin& plugin : run.plugins) {
    const bool stopped_here = !done && run.active == &plugin;
    if (reached) {
      not_tried("preflight", plugin.name, "the one before it failed");
      continue;
    }
    reached = stopped_here;
    if (stopped_here) {
      failed("preflight", plugin.name, done.error());
    } else if (plugin.name == target_.restore.plugin) {
      const BackupRef& backup = run.report.backup;
      ok("preflight", plugin.name,
         fmt::format("depth {}: {}{}{}", to_string(depth),
                     backup.name.empty() ? "no backup named" : backup.name,
                     backup.version.empty() ? "" : " of version " + backup.version,
                     list_findings(run.report.findings)));
    } else {
      ok("preflight", plugin.name, fmt::format("depth {}", to_string(depth)));
    }
  }
  if (!done && !reached) failed("preflight", target_.restore.plugin, done.error());
  if (!run.report.isolation.empty()) ok("isolation", "", run.report.isolation);
}

asio::awaitable<void> Selftest::Impl::preflight() {
  const Depth depth = deepest(services_.config, target_);
  const RunServices services{services_.executor, options_,        services_.catalog.schemas,
                             services_.store,    services_.clock, kNobody};
  RunState run{.services = services, .request = {.target = target_, .depth = depth}};
  run.report.id = make_run_id(services_.clock.now());
  run.report.target = target_.name;
  run.report.depth = depth;
  run.report.stages.push_back(StageRecord{Stage::preflight, services_.clock.now(), {}, 0, 0, {}});
  run.stage_limits = stage_limits(target_, {});
  auto lock = RunLock::take_run(options_.state_dir, run.report.id);
  if (!lock) {
    failed("preflight", target_.restore.plugin, lock.error());
    co_return;
  }
  preflight_ = &run;
  const Status done = co_await preflight_stage(run);
  preflight_ = nullptr;
  tell_preflight(run, done, depth);
  co_await end_plugins(run.plugins);
  if (run.workspace) {
    const Status removed = co_await run.workspace->remove();
    if (!removed) failed("cleanup", "preflight", removed.error());
  }
}

/// The runs on samples have directories and a store of their own, all of it below what the real
/// ledger knows: a killed selftest is swept like a killed run.
Status Selftest::Impl::prepare_samples(AgentOptions& apart) {
  std::error_code ec;
  apart = options_;
  apart.state_dir = workspace_->scratch() / "state";
  apart.scratch_dir = workspace_->scratch();
  apart.runtime_dir = runtime_;
  apart.scratch_reserve = 0;
  fs::create_directory(apart.state_dir, ec);
  fs::create_directory(apart.runtime_dir, ec);
  if (account_) {
    fs::permissions(apart.runtime_dir, fs::perms{0711}, ec);
  }
  const Remover remover = remover_of(options_);
  if (!remover.socket.empty()) {
    fs::create_symlink(remover.socket, apart.runtime_dir / "remove.sock", ec);
  }
  if (ec) return fail(Reason::host_unfit, "cannot prepare the sample: " + ec.message());
  return {};
}

const char* Selftest::Impl::lacking(const SampleCase& one, const TargetConfig& target) const {
  if (one.depth == Depth::restore && !target_.instance) return "the target has no instance";
  for (const CheckConfig& check : target.checks) {
    const bool offered =
        std::ranges::any_of(services_.catalog.schemas, [&check](const auto& schema) {
          return std::ranges::any_of(schema.second.checks, [&check](const PluginCheck& known) {
            return known.type == check.check;
          });
        });
    if (!offered) return "no plugin here offers a check that it needs";
  }
  return nullptr;
}

void Selftest::Impl::judge(const SampleCase& one, const RunReport& report) {
  const Verdict verdict = report.verdict.value_or(Verdict::inconclusive);
  const std::optional<Reason> reason =
      report.cause ? std::optional(report.cause->reason) : std::nullopt;
  const auto words = [](Verdict said, std::optional<Reason> why) {
    return why ? fmt::format("{} ({})", to_string(said), to_string(*why))
               : std::string(to_string(said));
  };
  const std::string found = words(verdict, reason);
  if (verdict == one.verdict && reason == one.reason) {
    if (report.cleanup == CleanupResult::clean) {
      ok("sample", one.name, fmt::format("{}: {}", one.about, found));
    } else {
      failed("sample", one.name, fail(Reason::host_unfit, report.cleanup_message));
    }
    return;
  }
  if (verdict == Verdict::inconclusive && sample_cannot_be_read(report)) {
    not_tried("sample", one.name, report.cause->message, true, report.cause->hint);
    return;
  }
  Error error = fail(Reason::internal_error,
                     fmt::format("{}: the verdict is {}, and must be {}", one.about, found,
                                 words(one.verdict, one.reason)),
                     "do not trust verdicts of this host before this is understood");
  if (report.cause) {
    error.message += ": " + report.cause->message;
    if (!report.cause->hint.empty()) error.hint = report.cause->hint;
  }
  failed("sample", one.name, error);
}

asio::awaitable<void> Selftest::Impl::try_case(const Sample& sample, const SampleCase& one,
                                               const AgentOptions& apart, Store& store) {
  const fs::path copy = workspace_->scratch() / ("sample-" + one.name);
  const TargetConfig target = on_sample(target_, sample, one, copy);
  if (const char* what = lacking(one, target)) {
    not_tried("sample", one.name, fmt::format("{}: {}", one.about, what), false);
    co_return;
  }
  if (const Status laid = lay_out(sample, one, copy); !laid) {
    failed("sample", one.name, laid.error());
    co_return;
  }
  const RunServices services{services_.executor, apart,  services_.catalog.schemas, store,
                             services_.clock,    kNobody};
  RunRequest request;
  request.target = target;
  request.depth = one.depth;
  request.schedule = "selftest";
  Coordinator coordinator(services, std::move(request), nullptr);
  coordinator_ = &coordinator;
  const auto report = co_await coordinator.run();
  coordinator_ = nullptr;
  if (cancelled_) {
    not_tried("sample", one.name, "the selftest was interrupted");
  } else if (report) {
    judge(one, *report);
  } else {
    failed("sample", one.name, report.error());
  }
  (void)remove_tree(copy);
}

asio::awaitable<void> Selftest::Impl::try_samples() {
  const std::string& plugin = target_.restore.plugin;
  const auto sample = load_sample(services_.sample_dir, plugin);
  if (!sample) {
    failed("sample", plugin, sample.error());
    co_return;
  }
  if (!*sample) {
    not_tried("sample", plugin,
              fmt::format("plugin '{}' brings no sample: it is not proved that a bad backup would "
                          "be found",
                          plugin),
              true, "its author can add one: see the plugin author's guide");
    co_return;
  }
  AgentOptions apart;
  const Status prepared = prepare_samples(apart);
  auto store = prepared ? Store::open(apart.state_dir / "rad.db") : prepared.error();
  if (!store) {
    failed("sample", plugin, store.error());
    co_return;
  }
  for (const SampleCase& one : (*sample)->cases) {
    if (cancelled_) {
      not_tried("sample", one.name, "the selftest was interrupted");
    } else {
      co_await try_case(**sample, one, apart, *store);
    }
  }
}

asio::awaitable<void> Selftest::Impl::remove_workspace() {
  const Status removed = co_await workspace_->remove();
  if (!removed) failed("cleanup", "", removed.error());
}

asio::awaitable<void> Selftest::Impl::run() {
  Status made = make_workspace();
  if (made) made = look_at_scratch();
  if (!made) failed("scratch", "", made.error());
  const bool whole = look_at_plugins();
  const std::string why = !whole             ? "a plugin is missing"
                          : runtime_.empty() ? "there is nothing to work in"
                                             : "the selftest was interrupted";
  const bool go_on = whole && !runtime_.empty();
  if (go_on && !cancelled_) {
    co_await look_at_storage();
  } else {
    not_tried("storage", target_.restore.plugin, why);
  }
  if (go_on && !cancelled_) {
    co_await preflight();
  } else {
    not_tried("preflight", target_.restore.plugin, why);
  }
  if (go_on && !cancelled_) {
    co_await try_samples();
  } else {
    not_tried("sample", target_.restore.plugin, why);
  }
  if (workspace_) co_await remove_workspace();
}

Selftest::Selftest(SelftestServices services, const TargetConfig& target)
    : impl_(std::make_unique<Impl>(std::move(services), target)) {}
Selftest::~Selftest() = default;
asio::awaitable<void> Selftest::run() {
  return impl_->run();
}
void Selftest::cancel() {
  impl_->cancel();
}

}  // namespace rad
