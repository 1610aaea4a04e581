#include "plugins/fake/fake_plugin.h"

#include <fmt/format.h>

#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/model/json.h"
#include "plugins/protocol/codec.h"
#include "plugins/sdk/account.h"
#include "plugins/sdk/options.h"

namespace rad::fake {
namespace {

namespace bj = boost::json;
using namespace std::chrono_literals;

constexpr std::uint64_t kDefaultSize = 64U << 10U;
constexpr char kFile[] = "fake.bin";

/// What the "backup" holds: the same bytes in every run.
std::string content(std::uint64_t size) {
  std::string bytes(size, '\0');
  for (std::uint64_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i % 23);
  return bytes;
}

}  // namespace

FakePlugin::FakePlugin(int raw_stdout) {
  stage_.raw_stdout = raw_stdout;
}

protocol::PluginInfo FakePlugin::describe() const {
  protocol::PluginInfo info;
  info.name = "fake";
  info.version = RAD_VERSION;
  info.roles = {Role::restore, Role::instance, Role::check};
  info.produces = {"directory"};
  info.consumes = {"directory"};
  const auto option = [](std::string key, std::string type, std::string summary) {
    protocol::OptionInfo made;
    made.key = std::move(key);
    made.type = std::move(type);
    made.summary = std::move(summary);
    return made;
  };
  info.options = {
      option("script", "path", "file that says what to do, see plugins/fake/README.md"),
      option("delay", "duration", "time that inspect, verify, restore, start and check take"),
      option("size", "bytes", "size of the backup that is made up"),
      option("token_file", "path", "a secret that is read and never used"),
  };
  info.options[1].default_text = "0s";
  info.options[2].default_text = "64KiB";
  info.options[2].max = double{1U << 28U};
  info.options[3].secret = true;
  const auto check = [&](std::string type, std::vector<Depth> depths, Proof proof) {
    protocol::CheckInfo made;
    made.type = std::move(type);
    made.depths = std::move(depths);
    made.proof = proof;
    made.by_default = true;
    made.summary = fmt::format("proves {}", to_string(proof));
    return made;
  };
  info.checks = {
      check("fake_metadata", {Depth::inspect, Depth::verify, Depth::restore}, Proof::metadata),
      check("fake_bytes", {Depth::verify, Depth::restore}, Proof::bytes),
      check("fake_data", {Depth::restore}, Proof::data),
  };
  return info;
}

template <class T, class Honest>
Result<T> FakePlugin::play(std::string_view method, sdk::Context& context, Honest honest) {
  const bj::object act = script_.next(method);
  RAD_CHECK(perform(act, stage_, context));
  Result<T> result = honest();
  RAD_TRY(const bj::object fields, json::get_object(act, "result"));
  if (!result || fields.empty()) return result;
  bj::object whole = protocol::to_json(*result);
  for (const auto& [key, value] : fields) whole[key] = value;
  return protocol::from_json<T>(whole);
}

Status FakePlugin::initialize(const protocol::InitializeParams& params, sdk::Context& context) {
  params_ = params;
  if (const auto path = sdk::text_option(params.options, "script")) {
    RAD_TRY(script_, Script::load(*path));
  }
  if (const auto path = sdk::text_option(params.options, "token_file")) {
    RAD_TRY(const std::string token, read_file(*path));
    if (token.empty()) return fail(Reason::config_invalid, "the token file is empty");
  }
  size_ = sdk::bytes_option(params.options, "size").value_or(kDefaultSize);
  delay_ = sdk::duration_option(params.options, "delay").value_or(0ms);
  stage_.scratch = params.scratch_dir;
  stage_.runtime = params.runtime_dir;
  RAD_CHECK(sdk::enter_account(params));
  return perform(script_.next("initialize"), stage_, context);
}

Result<protocol::PreflightResult> FakePlugin::preflight(sdk::Context& context) {
  return play<protocol::PreflightResult>(
      "preflight", context, [&]() -> Result<protocol::PreflightResult> {
        protocol::PreflightResult result;
        result.backup.name = "fake_backup";
        result.backup.finished_at = SystemClock().now();
        result.backup.stored_bytes = size_;
        result.backup.expanded_bytes = size_;
        result.backup.version = "1";
        result.scratch_bytes_needed = params_.depth == Depth::restore ? size_ : 0;
        result.isolation = sdk::isolation_in_force();
        return result;
      });
}

Result<protocol::ReadResult> FakePlugin::inspect(sdk::Context& context) {
  return play<protocol::ReadResult>("inspect", context, [&]() -> Result<protocol::ReadResult> {
    RAD_CHECK(wait(delay_, context));
    return protocol::ReadResult();
  });
}

Result<protocol::ReadResult> FakePlugin::verify(sdk::Context& context) {
  return play<protocol::ReadResult>("verify", context, [&]() -> Result<protocol::ReadResult> {
    RAD_CHECK(wait(delay_, context));
    bytes_read_ = content(size_).size();
    context.progress(bytes_read_, size_, "read");
    protocol::ReadResult result;
    result.bytes_read = bytes_read_;
    return result;
  });
}

Result<protocol::RestoreResult> FakePlugin::restore(sdk::Context& context) {
  return play<protocol::RestoreResult>("restore", context,
                                       [&]() -> Result<protocol::RestoreResult> {
                                         const auto path = stage_.scratch / "data";
                                         std::error_code ec;
                                         std::filesystem::create_directory(path, ec);
                                         stage_.made.push_back(path);
                                         RAD_CHECK(wait(delay_, context));
                                         RAD_CHECK(write_file_atomic(path / kFile, content(size_)));
                                         bytes_read_ = size_;
                                         context.progress(size_, size_, "written");
                                         protocol::RestoreResult result;
                                         result.artifact = Artifact{"directory", path.string(), {}};
                                         result.bytes_read = size_;
                                         result.bytes_restored = size_;
                                         return result;
                                       });
}

Result<protocol::StartResult> FakePlugin::start(const Artifact& artifact, sdk::Context& context) {
  return play<protocol::StartResult>("start", context, [&]() -> Result<protocol::StartResult> {
    if (artifact.kind != "directory") {
      return fail(Reason::config_invalid,
                  fmt::format("the artifact is a '{}', expected a 'directory'", artifact.kind));
    }
    RAD_CHECK(wait(delay_, context));
    protocol::StartResult result;
    result.endpoint.kind = "directory";
    result.endpoint.properties["path"] = artifact.path;
    result.recovery.last_transaction = SystemClock().now();
    return result;
  });
}

Result<protocol::BackupsResult> FakePlugin::backups(sdk::Context& context) {
  return play<protocol::BackupsResult>("backups", context,
                                       [&]() -> Result<protocol::BackupsResult> {
                                         protocol::ListedBackup backup;
                                         backup.name = "fake_backup";
                                         backup.finished_at = SystemClock().now();
                                         backup.stored_bytes = size_;
                                         backup.version = "1";
                                         backup.complete = true;
                                         protocol::BackupsResult result;
                                         result.backups = {backup};
                                         return result;
                                       });
}

Result<protocol::StartResult> FakePlugin::hold(const Artifact& artifact, sdk::Context& context) {
  return play<protocol::StartResult>("hold", context, [&]() -> Result<protocol::StartResult> {
    protocol::StartResult result;
    result.endpoint.kind = "directory";
    result.endpoint.properties["path"] = artifact.path;
    return result;
  });
}

CheckOutcome FakePlugin::answer(const protocol::CheckSpec& spec,
                                const std::optional<Endpoint>& endpoint) const {
  CheckOutcome outcome;
  outcome.name = spec.name;
  outcome.check = spec.check;
  outcome.outcome = Outcome::pass;
  if (spec.check == "fake_metadata") {
    outcome.proof = Proof::metadata;
    outcome.message = "the made-up backup has a name";
  } else if (spec.check == "fake_bytes") {
    outcome.proof = Proof::bytes;
    outcome.message = "every made-up byte was read";
    outcome.measured = fmt::format("{} bytes", bytes_read_);
    outcome.expected = fmt::format("{} bytes", size_);
    if (bytes_read_ != size_) outcome.outcome = Outcome::inconclusive;
  } else {
    outcome.proof = Proof::data;
    const auto path =
        endpoint ? sdk::text_option(endpoint->properties, "path") : std::optional<std::string>();
    const auto bytes = read_file(std::filesystem::path(path.value_or("")) / kFile, 1U << 28U);
    const bool same = bytes && *bytes == content(size_);
    outcome.message = same ? "the restored file is as it was made" : "the restored file differs";
    outcome.object = kFile;
    if (!same) outcome.outcome = Outcome::fail;
  }
  return outcome;
}

Result<protocol::CheckResult> FakePlugin::check(const protocol::CheckParams& params,
                                                sdk::Context& context) {
  return play<protocol::CheckResult>("check", context, [&]() -> Result<protocol::CheckResult> {
    RAD_CHECK(wait(delay_, context));
    protocol::CheckResult result;
    for (const protocol::CheckSpec& spec : params.checks) {
      bj::object whole = to_json(answer(spec, params.endpoint));
      for (const auto& [key, value] : script_.outcome(spec.name, spec.check)) whole[key] = value;
      RAD_TRY(CheckOutcome outcome, check_outcome_from_json(whole));
      result.outcomes.push_back(std::move(outcome));
    }
    return result;
  });
}

Result<protocol::DiagnoseResult> FakePlugin::diagnose(const protocol::DiagnoseParams& /*params*/,
                                                      sdk::Context& context) {
  return play<protocol::DiagnoseResult>("diagnose", context, [] {
    return Result<protocol::DiagnoseResult>(protocol::DiagnoseResult());
  });
}

Result<protocol::CleanupResult> FakePlugin::cleanup(sdk::Context& context) {
  return play<protocol::CleanupResult>(
      "cleanup", context, [&]() -> Result<protocol::CleanupResult> {
        protocol::CleanupResult result;
        while (!stage_.made.empty()) {
          auto path = stage_.made.back();
          result.removed_bytes += tree_bytes(path);
          RAD_CHECK(remove_tree(path));
          stage_.made.pop_back();
          // Directories that an act made on the way to its file.
          for (path = path.parent_path(); path != stage_.scratch && path != stage_.runtime;
               path = path.parent_path()) {
            std::error_code ec;
            if (!path.has_relative_path() || !std::filesystem::remove(path, ec)) break;
          }
        }
        return result;
      });
}

Result<protocol::GcResult> FakePlugin::gc(const protocol::GcParams& /*params*/,
                                          sdk::Context& context) {
  return play<protocol::GcResult>("gc", context,
                                  [] { return Result<protocol::GcResult>(protocol::GcResult()); });
}

}  // namespace rad::fake
