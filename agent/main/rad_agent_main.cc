// rad-agent: the daemon, and the same run in the foreground.

#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/cli/commands.h"
#include "agent/main/serve.h"

namespace {

using namespace rad;

std::string user_name() {
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return sudo;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::getuid());
}

constexpr const char* kExitStatuses =
    "Exit status: 0 pass, or the question was answered; 1 fail: the backup is at fault; 2 usage or "
    "configuration; 3 inconclusive: it could not be told; 6 cancelled; 7 passed but cleanup "
    "failed, "
    "so data is left on the host; 130 interrupted.";

}  // namespace

int main(int argc, char** argv) {
  // Plugins die while they are written to, and readers of our output go away: that is told by
  // EPIPE.
  ::signal(SIGPIPE, SIG_IGN);
  cli::CommonOptions common;
  cli::RunOptions run;
  std::error_code ec;
  common.executable = std::filesystem::read_symlink("/proc/self/exe", ec);
  common.allow_colour = std::getenv("NO_COLOR") == nullptr &&
                        std::string(std::getenv("TERM") ? std::getenv("TERM") : "") != "dumb";
  if (const char* path = std::getenv("RAD_CONFIG")) common.config = path;
  run.requested_by = user_name();

  CLI::App app{"rad-agent proves that backups can be restored.", "rad-agent"};
  app.footer(kExitStatuses);
  app.set_version_flag("--version", "rad-agent " RAD_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--config,-c", common.config, "Configuration file")->capture_default_str();
  app.add_flag("--json", common.json, "One JSON object on stdout, every field present");

  std::string depth = "restore";
  auto* run_app =
      app.add_subcommand("run", "Test the backups of one target now, in the foreground");
  run_app->footer(kExitStatuses);
  run_app->add_option("target", run.target, "Name of the target")->required();
  run_app->add_option("--depth,-d", depth, "How far to go")
      ->check(CLI::IsMember({"inspect", "verify", "restore"}))
      ->capture_default_str();
  run_app->add_option("--backup", run.backup, "Name of a backup, or 'latest'");
  run_app->add_option("--recover-to", run.recover_to, "latest, immediate, time=…, lsn=… or name=…");
  run_app->add_option("--reason", run.note, "Why, for the record");
  run_app->add_option("--format", run.format, "How the result is printed")
      ->check(CLI::IsMember({"terminal", "json", "markdown"}))
      ->capture_default_str();
  run_app->add_option("--if-busy", run.if_busy, "When the target is being tested already")
      ->check(CLI::IsMember({"queue", "refuse"}))
      ->capture_default_str();
  run_app->add_flag("--quiet,-q", run.quiet, "No progress");

  auto* serve_app = app.add_subcommand("serve", "Run the schedules and serve metrics");
  bool no_plugins = false;
  auto* check_app = app.add_subcommand("check-config", "Find every mistake in the configuration");
  check_app->add_flag("--no-plugins", no_plugins, "Do not start the plugins to ask them");
  std::string key;
  auto* explain_app = app.add_subcommand("explain", "What a configuration key means");
  explain_app->add_option("key", key, "Key or prefix, e.g. targets.keep; all of them without one");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    cli::write_out(stderr, fmt::format("error: {}\nhint: rad-agent --help\n", error.what()));
    return cli::kUsage;
  }
  log::init(log::Level::info);
  run.depth = *parse_depth(depth);
  if (run.format == "json") common.json = true;
  if (*run_app) return cli::run_command(common, run);
  if (*serve_app) return serve(common);
  if (*check_app) return cli::check_config_command(common, !no_plugins);
  if (*explain_app) return cli::explain_command(common, key);
  return cli::kUsage;
}
