// pg_checksums wants a stopped server, so this check is done after all others and leaves the server
// running again. It reads every page as it lies on disk, also those that no query would touch.
#include <charconv>
#include <set>

#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/postgresql/page_report.h"
#include "plugins/postgresql/tool_lines.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

// Each run of the tool walks all directories; past this many relations one full run is cheaper.
constexpr std::size_t kMaxSingleRuns = 20;

std::filesystem::path tool_of(const Instance& instance) {
  const auto name = instance.data().major >= 12 ? "pg_checksums" : "pg_verify_checksums";
  return instance.files().bin_dir / name;
}

std::set<std::string> suspect_filenodes(const DataDirectory& data) {
  std::set<std::string> filenodes;
  for (const SuspectPage& page : data.suspects) {
    const std::string name = std::filesystem::path(page.path).filename().string();
    const std::string digits = name.substr(0, name.find_first_not_of("0123456789"));
    if (!digits.empty()) filenodes.insert(digits);
  }
  return filenodes;
}

Status run_once(CheckEnv& env, const std::string& filenode, PageReport& report) {
  const Instance& instance = *env.instance;
  ChildSpec spec;
  spec.program = tool_of(instance);
  spec.args = {"-D", instance.data().path.string()};
  if (instance.data().major >= 12) spec.args.insert(spec.args.begin(), {"--check", "--progress"});
  if (!filenode.empty()) {
    spec.args.emplace_back(instance.data().major >= 12 ? "-f" : "-r");
    spec.args.push_back(filenode);
  }
  spec.environment = std::map<std::string, std::string>{{"LC_ALL", "C"}};
  RAD_TRY(const ExitStatus status,
          run_tool_lines(spec, env.context.stop_token(), [&](std::string_view line) {
            if (const auto mib = report.take(line, instance.data().path.string())) {
              env.context.progress(mib->first << 20U, mib->second << 20U, "reading every page");
            }
          }));
  if (!status.ok() && report.bad_pages == 0) {
    return fail(Reason::check_error, fmt::format("pg_checksums could not do its work ({}): {}",
                                                 status.text(), report.last_error));
  }
  return {};
}

Status read_pages(CheckEnv& env, bool all, PageReport& report) {
  const std::set<std::string> filenodes = suspect_filenodes(env.instance->data());
  if (all || filenodes.size() > kMaxSingleRuns) return run_once(env, "", report);
  for (const std::string& filenode : filenodes) RAD_CHECK(run_once(env, filenode, report));
  return {};
}

CheckOutcome conclude(const protocol::CheckSpec& spec, bool all, PageReport report) {
  CheckOutcome outcome =
      pass(spec, all ? Proof::data : Proof::metadata,
           all ? "every page matches its checksum" : "no suspect page is damaged after recovery");
  if (report.bad_pages > 0) {
    outcome = from_error(
        spec, fail(Reason::checksum_mismatch, report.lines.front(), "", report.first_file));
    add_details(outcome, std::move(report.lines));
  }
  outcome.measured =
      fmt::format("{} bad of {} pages in {} files", report.bad_pages, report.blocks, report.files);
  outcome.expected = "0 bad";
  return outcome;
}

}  // namespace

CheckOutcome check_page_checksums(const protocol::CheckSpec& spec, CheckEnv& env) {
  if (env.instance == nullptr) {
    return from_error(spec,
                      fail(Reason::check_error,
                           "the instance is not this plugin's own: its files are out of reach"));
  }
  CheckOutcome outcome = pass(spec, Proof::none, "");
  if (!env.instance->control().data_checksums) {
    outcome.outcome = Outcome::not_applicable;
    outcome.message = "the cluster was made without data checksums";
    return outcome;
  }
  // With a cut list a page that is not named may be suspect as well.
  const bool cut = env.instance->data().suspects_cut;
  const bool all = cut || sdk::text_option(spec.options, "scope").value_or("suspects") == "all";
  if (!all && env.instance->data().suspects.empty()) {
    outcome.message = "no page was suspect when the backup was read";
    outcome.measured = "0 suspect pages";
    return outcome;
  }
  if (::access(tool_of(*env.instance).c_str(), X_OK) != 0) {
    return from_error(spec,
                      fail(Reason::tool_missing,
                           fmt::format("{} is not installed", tool_of(*env.instance).string())));
  }
  if (const auto stopped = env.instance->stop_for_maintenance(); !stopped) {
    return from_error(spec, stopped.error());
  }
  PageReport report;
  const Status done = read_pages(env, all, report);
  outcome = done ? conclude(spec, all, std::move(report)) : from_error(spec, done.error());
  if (cut) outcome.details.push_back("every page was read: not all suspect pages are named");
  if (const auto started = env.instance->start_again(env.context); !started) {
    outcome.details.push_back("the instance did not start again: " + started.error().message);
  }
  return outcome;
}

}  // namespace rad::postgresql
