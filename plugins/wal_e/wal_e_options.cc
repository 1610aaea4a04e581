#include "plugins/wal_e/wal_e_options.h"

#include <algorithm>
#include <array>
#include <thread>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/sdk/options.h"
#include "plugins/wal_e/envdir.h"
#include "plugins/wal_e/storage_options.h"

namespace rad::wal_e {
namespace {

constexpr std::string_view kDefaultBin = "/usr/lib/postgresql/{major}/bin";
constexpr std::int64_t kMaxParallel = 64;

Error bad_target(std::string_view text, std::string_view why) {
  return fail(
      Reason::config_invalid,
      fmt::format("option 'recover_to' is '{}': {}", printable(text, 100), why),
      "use latest, immediate, time=2026-11-20T18:45:00Z, lsn=0/5000028 or name=RESTORE_POINT");
}

}  // namespace

Result<RecoverTo> parse_recover_to(std::string_view text) {
  if (text == "latest" || text == "immediate") return RecoverTo{std::string(text), ""};
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return bad_target(text, "this is no recovery target");
  const auto kind = text.substr(0, equals);
  const auto value = text.substr(equals + 1);
  if (kind == "time") {
    if (auto time = parse_time(value); !time) return bad_target(text, time.error().message);
  } else if (kind == "lsn") {
    if (!parse_lsn(value)) return bad_target(text, "an LSN looks like 0/5000028");
  } else if (kind == "name") {
    constexpr std::size_t kMaxName = 63;
    const bool odd = std::any_of(value.begin(), value.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (value.empty() || value.size() > kMaxName || odd) {
      return bad_target(text, "a restore point has 1 to 63 printable bytes");
    }
  } else {
    return bad_target(text, "this is no recovery target");
  }
  return RecoverTo{std::string(kind), std::string(value)};
}

std::vector<protocol::OptionInfo> known_options() {
  const auto option = [](std::string key, std::string type, std::string fallback,
                         std::string summary) {
    return protocol::OptionInfo{.key = std::move(key),
                                .type = std::move(type),
                                .required = false,
                                .secret = false,
                                .default_text = std::move(fallback),
                                .allowed = {},
                                .summary = std::move(summary)};
  };
  std::vector<protocol::OptionInfo> all{
      option("envdir", "path", "", "the envdir that WAL-E itself is run with"),
      option("storage", "string", "",
             "URL of the store's prefix, e.g. file:///var/backups/pg; before the envdir's"),
      option("gpg_home", "path", "", "directory with the secret keys; copied, never written to"),
      option("backup", "string", "latest", "which base backup: latest, or its name"),
      option("recover_to", "string", "latest",
             "how far to recover: latest, immediate, time=..., lsn=..., name=..."),
      option("parallel", "integer", "0", "partitions read at once; 0: as many as there are cores"),
      option("unfinished_after", "duration", "24h",
             "a newer backup without sentinel is being pushed until it is so old"),
      option("postgresql_bin", "string", std::string(kDefaultBin),
             "where the server's programs are; {major} stands for 15, 9.6, ..."),
  };
  const auto more = known_storage_options();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Result<WalEOptions> understand_options(const boost::json::object& options) {
  WalEOptions result;
  const auto envdir = sdk::text_option(options, "envdir");
  const auto storage = sdk::text_option(options, "storage");
  if (!envdir && !storage) {
    return fail(Reason::config_invalid, "neither 'envdir' nor 'storage' is set",
                "set envdir: /etc/wal-e.d/env, or storage: file:///var/backups/pg");
  }
  if (envdir) {
    RAD_TRY(result.variables, read_envdir(*envdir));
    // With a URL of its own the envdir is asked for credentials and keyring only.
    RAD_TRY(const auto environment,
            understand_environment(result.variables, *envdir, storage.value_or("")));
    result.storage_url = environment.storage_url;
    result.gpg_home = environment.gpg_home;
    result.expects_encryption = environment.expects_encryption;
  } else {
    result.storage_url = *storage;
  }
  RAD_TRY(result.transport, understand_storage_options(options));
  if (const auto home = sdk::text_option(options, "gpg_home")) result.gpg_home = *home;
  result.backup = sdk::text_option(options, "backup").value_or("latest");
  if (result.backup != "latest" && !parse_backup_name(result.backup)) {
    return fail(Reason::config_invalid,
                fmt::format("option 'backup' is '{}', which is no backup's name",
                            printable(result.backup, 100)),
                "use latest, or a name such as base_000000010000000000000003_00000040");
  }
  RAD_TRY(result.recover_to,
          parse_recover_to(sdk::text_option(options, "recover_to").value_or("latest")));
  const auto parallel = sdk::integer_option(options, "parallel").value_or(0);
  if (parallel < 0 || parallel > kMaxParallel) {
    return fail(Reason::config_invalid, fmt::format("option 'parallel' is {}, allowed are 0 to {}",
                                                    parallel, kMaxParallel));
  }
  result.parallel = parallel > 0 ? static_cast<unsigned>(parallel)
                                 : std::max(1U, std::thread::hardware_concurrency());
  result.unfinished_after =
      sdk::duration_option(options, "unfinished_after").value_or(std::chrono::hours(24));
  result.postgresql_bin =
      sdk::text_option(options, "postgresql_bin").value_or(std::string(kDefaultBin));
  return result;
}

}  // namespace rad::wal_e
