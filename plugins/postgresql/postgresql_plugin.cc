#include "plugins/postgresql/postgresql_plugin.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/isolation.h"
#include "agent/base/json.h"
#include "agent/base/pidfd.h"
#include "agent/base/text.h"
#include "plugins/postgresql/server_binaries.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

constexpr std::uint64_t kScratchBytes = 64U << 20U;  // log, configuration, shared memory files
constexpr int kWatchMs = 500;
constexpr std::size_t kMaxManifestBytes = 64U << 20U;

protocol::OptionInfo option(std::string key, std::string type, std::string summary,
                            std::string default_text) {
  protocol::OptionInfo info;
  info.key = std::move(key);
  info.type = std::move(type);
  info.summary = std::move(summary);
  info.default_text = std::move(default_text);
  return info;
}

Result<std::vector<std::string>> list_option(const boost::json::object& options,
                                             std::string_view key) {
  RAD_TRY(const auto items, json::get_array(options, key));
  std::vector<std::string> list;
  for (const auto& item : items) {
    if (!item.is_string()) {
      return fail(Reason::config_invalid, fmt::format("option '{}' is not a list of texts", key));
    }
    list.emplace_back(item.get_string());
  }
  return list;
}

const CheckType* find_type(const std::string& name) {
  const auto& types = check_types();
  const auto found =
      std::ranges::find_if(types, [&](const CheckType& type) { return type.info.type == name; });
  return found == types.end() ? nullptr : &*found;
}

unsigned cores() {
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

protocol::PluginInfo PostgresqlPlugin::describe() const {
  protocol::PluginInfo info;
  info.name = "postgresql";
  info.version = RAD_VERSION;
  info.roles = {Role::instance, Role::check};
  info.produces = {"postgresql"};
  info.consumes = {kArtifactKind, "postgresql"};
  info.options = {
      option("bin_dirs", "list", "directories of server programs; {major} stands for the version",
             fmt::format("{}", fmt::join(default_bin_dirs(), ", "))),
      option("shared_buffers", "bytes", "memory of the test instance for pages", "128MiB"),
      option("max_wal_size", "bytes", "log kept between restartpoints while recovering", "1GiB"),
      option("preload_libraries", "list", "libraries that the restored data cannot be used without",
             "none"),
      option("parallel", "integer", "connections that a check may use at once", "number of cores")};
  for (const CheckType& type : check_types()) info.checks.push_back(type.info);
  return info;
}

Status PostgresqlPlugin::initialize(const protocol::InitializeParams& params,
                                    sdk::Context& /*context*/) {
  params_ = params;
  RAD_TRY(options_.bin_dirs, list_option(params.options, "bin_dirs"));
  if (options_.bin_dirs.empty()) options_.bin_dirs = default_bin_dirs();
  RAD_TRY(options_.settings.preload_libraries, list_option(params.options, "preload_libraries"));
  const std::uint64_t buffers =
      sdk::bytes_option(params.options, "shared_buffers").value_or(128U << 20U);
  options_.settings.shared_buffers =
      fmt::format("{}kB", std::max<std::uint64_t>(buffers >> 10U, 128));
  options_.settings.max_wal_bytes =
      sdk::bytes_option(params.options, "max_wal_size").value_or(std::uint64_t{1} << 30U);
  parallel_ = static_cast<unsigned>(std::clamp<std::int64_t>(
      sdk::integer_option(params.options, "parallel").value_or(cores()), 1, 32));
  options_.scratch_dir = params.scratch_dir;
  options_.runtime_dir = params.runtime_dir;
  // Still with the rights of who started us: the files belong to the configuration.
  RAD_CHECK(read_manifests());
  if (::geteuid() != 0) return {};
  if (params.account.empty()) {
    return fail(Reason::config_invalid, "started as root without an account to become",
                "PostgreSQL refuses to run as root; name an unprivileged user");
  }
  RAD_TRY(const Account account, find_account(params.account));
  for (const std::string& directory : {params.scratch_dir, params.runtime_dir}) {
    if (directory.empty() || ::chown(directory.c_str(), account.uid, account.gid) == 0) continue;
    return fail(Reason::host_unfit, fmt::format("cannot give {} to {}: {}", directory, account.name,
                                                std::generic_category().message(errno)));
  }
  return give_up_root(account);
}

Status PostgresqlPlugin::read_manifests() {
  for (const protocol::CheckSpec& spec : params_.checks) {
    const auto path = sdk::text_option(spec.options, "manifest");
    if (spec.check != "row_counts" || !path) continue;
    const std::string what = fmt::format("check '{}': {}", spec.name, *path);
    RAD_TRY(const std::string text, read_file(*path, kMaxManifestBytes));
    RAD_TRY(manifests_[spec.name], parse_row_manifest(text, what));
  }
  return {};
}

Result<protocol::PreflightResult> PostgresqlPlugin::preflight(sdk::Context& /*context*/) {
  for (const protocol::CheckSpec& spec : params_.checks) {
    const CheckType* type = find_type(spec.check);
    if (type == nullptr || type->validate == nullptr) continue;
    if (auto valid = type->validate(spec); !valid) {
      return std::move(valid).error().within(fmt::format("check '{}'", spec.name));
    }
  }
  protocol::PreflightResult result;
  if (installed_majors(options_.bin_dirs).empty()) {
    return fail(Reason::tool_missing, "no PostgreSQL server programs are installed",
                "install those of the backup's major version (Debian: postgresql-NN)");
  }
  result.scratch_bytes_needed = params_.depth == Depth::restore ? kScratchBytes : 0;
  const char* isolation = std::getenv(kIsolationVariable);
  result.isolation = fmt::format("{}; network: {}", isolation == nullptr ? "none" : isolation,
                                 network_ ? "own namespace" : "shared with the host");
  if (!network_) {
    result.findings.push_back(
        {"network_shared",
         "the test instance shares the host's network, on a unix socket only: " +
             network_.error().message,
         ""});
  }
  return result;
}

Result<protocol::StartResult> PostgresqlPlugin::start(const Artifact& artifact,
                                                      sdk::Context& context) {
  if (instance_) return fail(Reason::plugin_protocol, "the instance has been started before");
  RAD_TRY(DataDirectory data, data_directory_from(artifact));
  RAD_TRY(instance_, Instance::start(std::move(data), options_, context));
  reader_ = std::make_unique<TableReader>(instance_->address(), parallel_);
  protocol::StartResult result;
  result.endpoint = instance_->endpoint();
  result.recovery = instance_->recovery().point;
  result.findings = instance_->findings();
  return result;
}

Result<protocol::StartResult> PostgresqlPlugin::hold(const Artifact& artifact,
                                                     sdk::Context& context) {
  if (instance_) return fail(Reason::plugin_protocol, "the instance has been started before");
  RAD_TRY(DataDirectory data, data_directory_from(artifact));
  RAD_TRY(instance_, Instance::hold(std::move(data), options_, context));
  protocol::StartResult result;
  result.endpoint = instance_->endpoint();
  result.findings = instance_->findings();
  watch_held_server(context);
  return result;
}

// Nothing is asked of a held instance, so nobody would notice its end. The plugin then ends as if
// it had been told to, and whoever holds it sees that.
void PostgresqlPlugin::watch_held_server(sdk::Context& context) {
  const auto pid = instance_->endpoint().properties.at("pid").to_number<pid_t>();
  watch_ = std::jthread([pid, &context](const std::stop_token& stop) {
    const UniqueFd server = open_pidfd(pid);
    pollfd end{server.get(), POLLIN, 0};
    while (!stop.stop_requested()) {
      if (server && ::poll(&end, 1, kWatchMs) == 0) continue;
      if (stop.stop_requested()) return;
      context.log("error", "the held server has ended by itself");
      ::kill(::getpid(), SIGTERM);
      return;
    }
  });
}

Status PostgresqlPlugin::use_endpoint(const std::optional<Endpoint>& endpoint) {
  if (reader_) return {};
  if (!endpoint) return fail(Reason::plugin_protocol, "there is no endpoint to check");
  if (endpoint->kind != "postgresql") {
    return fail(Reason::plugin_protocol,
                fmt::format("endpoint is of kind '{}', expected postgresql",
                            printable(endpoint->kind, 60)));
  }
  ServerAddress address;
  RAD_TRY(address.socket_dir, json::get_string(endpoint->properties, "socket_dir"));
  RAD_TRY(const std::int64_t port, json::get_int(endpoint->properties, "port", kPort));
  RAD_TRY(address.user, json::get_string(endpoint->properties, "user"));
  RAD_TRY(const std::int64_t major, json::get_int(endpoint->properties, "major", 0));
  address.port = static_cast<int>(std::clamp<std::int64_t>(port, 1, 65535));
  address.major = static_cast<int>(std::clamp<std::int64_t>(major, 0, 1000));
  reader_ = std::make_unique<TableReader>(std::move(address), parallel_);
  return {};
}

Result<protocol::CheckResult> PostgresqlPlugin::check(const protocol::CheckParams& params,
                                                      sdk::Context& context) {
  RAD_CHECK(use_endpoint(params.endpoint));
  CheckEnv env{instance_.get(), *reader_, manifests_, context};
  const SystemClock clock;
  std::map<std::string, CheckOutcome> outcomes;
  for (const CheckType& type : check_types()) {
    for (const protocol::CheckSpec& spec : params.checks) {
      if (spec.check != type.info.type) continue;
      if (context.stopping()) return fail(Reason::cancelled, "stopped on request");
      const SteadyPoint begin = clock.steady_now();
      CheckOutcome outcome = type.run(spec, env);
      outcome.duration =
          std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady_now() - begin);
      outcomes.insert_or_assign(spec.name, std::move(outcome));
    }
  }
  if (context.stopping()) return fail(Reason::cancelled, "stopped on request");
  protocol::CheckResult result;
  for (const protocol::CheckSpec& spec : params.checks) {
    const auto found = outcomes.find(spec.name);
    if (found != outcomes.end()) result.outcomes.push_back(std::move(found->second));
  }
  return result;
}

Result<protocol::CleanupResult> PostgresqlPlugin::cleanup(sdk::Context& /*context*/) {
  watch_ = {};
  reader_.reset();
  instance_.reset();
  protocol::CleanupResult result;
  if (options_.scratch_dir.empty()) return result;
  for (const auto& path : {options_.scratch_dir / "conf", options_.scratch_dir / "server.log",
                           options_.runtime_dir / "s"}) {
    result.removed_bytes += tree_bytes(path);
    RAD_CHECK(remove_tree(path));
  }
  return result;
}

}  // namespace rad::postgresql
