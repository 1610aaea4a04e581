#include "plugins/wal_e/wal_e_plugin.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"
#include "agent/base/isolation.h"
#include "agent/base/text.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/sdk/account.h"
#include "plugins/wal_e/artifact.h"
#include "plugins/wal_e/backup_list.h"
#include "plugins/wal_e/checks.h"
#include "plugins/wal_e/storage_options.h"
#include "plugins/wal_e/wal_validate.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMarginBytes = std::uint64_t{256} << 20U;
constexpr std::uint64_t kKeptSegments = 16;  // what recovery keeps in pg_wal between restartpoints
constexpr std::uint64_t kWindowSegments = 10;  // wal_validate.cc: a window of 128 MiB and its seams

/// Beside the plugin's own folder: build/…/plugins.d and …/libexec, or /usr/lib/rad-agent/….
fs::path fetch_program() {
  std::error_code code;
  const auto self = fs::read_symlink("/proc/self/exe", code);
  return code ? fs::path() : self.parent_path().parent_path() / "libexec" / "rad-wal-fetch";
}

}  // namespace

WalEPlugin::~WalEPlugin() {
  // Data that is kept on purpose outlives the plugin; keys and sockets never do.
  server_.reset();
  if (!gnupg_.empty()) Keyring::remove(gnupg_);
}

protocol::PluginInfo WalEPlugin::describe() const {
  protocol::PluginInfo info;
  info.name = "wal_e";
  info.version = RAD_VERSION;
  info.roles = {Role::restore, Role::check};
  info.produces = {"postgresql_data_directory"};
  info.options = known_options();
  info.checks = known_checks();
  return info;
}

Result<std::vector<std::string>> WalEPlugin::explain(const boost::json::object& options) {
  RAD_TRY(const WalEOptions understood, understand_options(options));
  RAD_TRY(const auto opened,
          object_store::open_storage(understood.storage_url, understood.variables,
                                     understood.transport));
  return describe_storage(opened.summary, understood.gpg_home);
}

Status WalEPlugin::initialize(const protocol::InitializeParams& params, sdk::Context&) {
  params_ = params;
  evidence_.depth = params.depth;
  // The envdir and the keyring may be root's alone, so they are read before root is given up.
  RAD_TRY(options_, understand_options(params.options));
  if (!options_.gpg_home.empty()) {
    const char* apart = ::getenv(kSecretsVariable);
    gnupg_ = fs::path(apart != nullptr && *apart == '/' ? apart : params.runtime_dir) / "gnupg";
    RAD_CHECK(Keyring::copy(options_.gpg_home, gnupg_, params.account));
    keyring_.emplace(gnupg_);
  }
  RAD_TRY(auto opened,
          object_store::open_storage(options_.storage_url, options_.variables, options_.transport));
  storage_ = std::move(opened.storage);
  options_.variables.clear();
  RAD_CHECK(sdk::enter_account(params));
  return {};
}

DecodeContext WalEPlugin::decode_context(sdk::Context& context) const {
  DecodeContext result;
  result.gnupg_home = gnupg_;
  result.decoders = 1;
  result.patience = patience_with(options_.transport);
  result.stop = context.stop_token();
  return result;
}

TestRequest WalEPlugin::test_request(sdk::Context& context) const {
  return {
      .storage = *storage_,
      .context = decode_context(context),
      .options = options_,
      .scratch = params_.scratch_dir,
      .on_progress = [&context](std::uint64_t done, std::uint64_t total, std::string_view note) {
        context.progress(done, total, note);
      }};
}

Status WalEPlugin::pin(sdk::Context& context) {
  if (evidence_.pinned) return {};
  const auto decode = decode_context(context);
  const PinRequest request{.storage = *storage_,
                           .context = decode,
                           .options = options_,
                           .keyring = keyring_ ? &*keyring_ : nullptr,
                           .now = SystemClock().now()};
  RAD_TRY(evidence_.pinned, pin_backup(request));
  return {};
}

Status WalEPlugin::check_tools() const {
  if (evidence_.pinned->keys.any_encrypted()) RAD_CHECK(find_program("gpg"));
  if (params_.depth != Depth::restore) return {};
  if (::access(fetch_program().c_str(), X_OK) != 0) {
    return fail(Reason::tool_missing,
                fmt::format("'{}' is missing or not executable", fetch_program().string()),
                "install the package rad-agent again", fetch_program().string());
  }
  const auto& major = evidence_.pinned->major;
  if (major && !find_waldump(options_.postgresql_bin, *major)) {
    return fail(Reason::version_unsupported,
                fmt::format("the backup is of PostgreSQL {}, which this host does not have",
                            evidence_.pinned->version_text),
                fmt::format("install postgresql-{}, or set restore.postgresql_bin",
                            evidence_.pinned->version_text),
                evidence_.pinned->name());
  }
  return {};
}

std::uint64_t WalEPlugin::scratch_needed() const {
  const PinnedBackup& pinned = *evidence_.pinned;
  const std::uint64_t segments = std::max<std::uint64_t>(1, pinned.path.steps.size());
  switch (params_.depth) {
    case Depth::inspect:
      return 0;
    case Depth::verify:
      return std::min(segments + 1, kWindowSegments) * pinned.segment_bytes;
    case Depth::restore:
      break;
  }
  const std::uint64_t expanded =
      pinned.chosen.sentinel.expanded_bytes.value_or(pinned.chosen.backup.stored_bytes() * 10);
  return expanded + expanded / 20 + std::min(segments, kKeptSegments) * pinned.segment_bytes +
         kMarginBytes;
}

Result<protocol::PreflightResult> WalEPlugin::preflight(sdk::Context& context) {
  RAD_CHECK(pin(context));
  RAD_CHECK(check_tools());
  const PinnedBackup& pinned = *evidence_.pinned;
  protocol::PreflightResult result;
  result.backup.name = pinned.name();
  result.backup.finished_at = pinned.finished_at;
  result.backup.stored_bytes = pinned.chosen.backup.stored_bytes();
  result.backup.expanded_bytes = pinned.chosen.sentinel.expanded_bytes.value_or(0);
  result.backup.version = pinned.version_text;
  if (!pinned.path.steps.empty()) {
    result.backup.archive_end = to_string(pinned.path.name(pinned.path.steps.back()));
  }
  result.scratch_bytes_needed = scratch_needed();
  const char* isolation = std::getenv(kIsolationVariable);
  result.isolation = isolation != nullptr ? printable(isolation, 200) : "none";
  result.findings = pinned.findings;
  return result;
}

Result<protocol::ReadResult> WalEPlugin::inspect(sdk::Context& context) {
  RAD_CHECK(pin(context));
  protocol::ReadResult result;
  result.bytes_read = evidence_.pinned->bytes_read;
  return result;
}

Result<protocol::ReadResult> WalEPlugin::verify(sdk::Context& context) {
  RAD_CHECK(pin(context));
  auto read = verify_backup(test_request(context), *evidence_.pinned);
  if (!read) {
    evidence_.failure = read.error();
    return std::move(read).error();
  }
  evidence_.read = *std::move(read);
  protocol::ReadResult result;
  result.bytes_read = evidence_.read->bytes_read;
  result.findings = evidence_.read->findings;
  return result;
}

Status WalEPlugin::serve_wal(const RestoredBackup& restored, const fs::path& socket) {
  const PinnedBackup& pinned = *evidence_.pinned;
  WalSource source;
  source.storage = storage_.get();
  source.listing = &pinned.listing.wal;
  source.path = &pinned.path;
  source.keys = &pinned.keys;
  source.context.gnupg_home = gnupg_;
  source.context.patience = patience_with(options_.transport);
  source.system_identifier = restored.evidence.facts.control.system_identifier;
  source.scratch = params_.scratch_dir;
  source.last_number = pinned.path.steps.back().number;
  RAD_TRY(server_, WalFetchServer::start(std::move(source), socket));
  return {};
}

Result<protocol::RestoreResult> WalEPlugin::restore(sdk::Context& context) {
  RAD_CHECK(pin(context));
  auto restored = restore_backup(test_request(context), *evidence_.pinned);
  if (!restored) {
    evidence_.failure = restored.error();
    return std::move(restored).error();
  }
  const fs::path socket = fs::path(params_.runtime_dir) / "wal.sock";
  RAD_CHECK(serve_wal(*restored, socket));
  evidence_.read = restored->evidence;
  protocol::RestoreResult result;
  MadeArtifact made = make_artifact(*restored, *evidence_.pinned, options_.recover_to,
                                    {fetch_program().string(), socket.string()});
  result.artifact = std::move(made.artifact);
  result.bytes_read = evidence_.read->bytes_read;
  result.bytes_restored = evidence_.read->content.written_bytes;
  result.findings = evidence_.read->findings;
  result.findings.insert(result.findings.end(), made.findings.begin(), made.findings.end());
  return result;
}

Result<protocol::BackupsResult> WalEPlugin::backups(sdk::Context&) {
  auto objects = storage_->list(kBackupsPrefix);
  if (!objects) {
    Error error = std::move(objects).error();
    // A root that is not there says nothing of the backups: a mount may be missing.
    if (error.reason == Reason::missing_object) error.reason = Reason::storage_unreachable;
    return error;
  }
  protocol::BackupsResult result;
  result.backups = list_backups(arrange(*objects, {}));
  return result;
}

Status WalEPlugin::look_into_recovery(sdk::Context& context) {
  if (!server_ || !evidence_.read || options_.recover_to.kind != "latest") return {};
  evidence_.to_archive_end = true;
  evidence_.last_served = server_->last_served();
  const auto& chain = evidence_.read->chain;
  const bool arrived = evidence_.last_served >= evidence_.pinned->path.steps.back().number;
  if (arrived || !chain || chain->damage) return {};
  auto proved = prove_wal_around(test_request(context), *evidence_.pinned, *evidence_.read,
                                 evidence_.last_served);
  if (proved) {
    evidence_.read->chain->damage = std::move(proved->damage);
  } else if (info(proved.error().reason).blame == Blame::cancelled) {
    return std::move(proved).error();
  } else {
    evidence_.read->chain->damage = std::move(proved).error();
  }
  return {};
}

Result<protocol::CheckResult> WalEPlugin::check(const protocol::CheckParams& params,
                                                sdk::Context& context) {
  protocol::CheckResult result;
  RAD_CHECK(look_into_recovery(context));
  const auto now = SystemClock().now();
  for (const auto& spec : params.checks) {
    result.outcomes.push_back(answer_check(spec, evidence_, now));
  }
  return result;
}

Result<protocol::DiagnoseResult> WalEPlugin::diagnose(const protocol::DiagnoseParams& params,
                                                      sdk::Context& context) {
  protocol::DiagnoseResult result;
  if (!server_ || !evidence_.read) return result;
  result.cause = server_->first_fault();
  const bool recovery =
      params.stage == Stage::recover && info(params.error.reason).blame == Blame::backup;
  if (result.cause || !recovery || server_->last_served() == 0) return result;
  // Whole segments were handed over, so the damage is inside a record of the last of them.
  auto proved = prove_wal_around(test_request(context), *evidence_.pinned, *evidence_.read,
                                 server_->last_served());
  if (proved) {
    result.cause = std::move(proved->damage);
  } else if (info(proved.error().reason).blame == Blame::backup) {
    result.cause = std::move(proved).error();
  }
  return result;
}

Result<protocol::CleanupResult> WalEPlugin::cleanup(sdk::Context&) {
  protocol::CleanupResult result;
  server_.reset();
  if (!gnupg_.empty()) Keyring::remove(gnupg_);
  if (params_.scratch_dir.empty()) return result;
  const fs::path scratch = params_.scratch_dir;
  for (const char* name : {"data", "tablespaces", "wal-check"}) {
    const auto bytes = tree_bytes(scratch / name);
    RAD_CHECK(remove_tree(scratch / name));
    result.removed_bytes += bytes;
  }
  return result;
}

Result<protocol::GcResult> WalEPlugin::gc(const protocol::GcParams&, sdk::Context&) {
  // Everything lies in the run's own directories, which the agent sweeps.
  return protocol::GcResult{};
}

}  // namespace rad::wal_e
