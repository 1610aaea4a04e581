// The restore plugin `wal_e`: one pinned backup through the life of one plugin process.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugins/object_store/storage.h"
#include "plugins/sdk/plugin.h"
#include "plugins/wal_e/backup_test.h"
#include "plugins/wal_e/evidence.h"
#include "plugins/wal_e/keyring.h"
#include "plugins/wal_e/wal_e_options.h"
#include "plugins/wal_e/wal_fetch_server.h"

namespace rad::wal_e {

class WalEPlugin final : public sdk::Plugin {
 public:
  WalEPlugin() = default;
  ~WalEPlugin() override;
  WalEPlugin(const WalEPlugin&) = delete;
  WalEPlugin& operator=(const WalEPlugin&) = delete;

  protocol::PluginInfo describe() const override;
  Result<std::vector<std::string>> explain(const boost::json::object& options) override;
  Status initialize(const protocol::InitializeParams& params, sdk::Context& context) override;
  Result<protocol::PreflightResult> preflight(sdk::Context& context) override;
  Result<protocol::ReadResult> inspect(sdk::Context& context) override;
  Result<protocol::ReadResult> verify(sdk::Context& context) override;
  Result<protocol::RestoreResult> restore(sdk::Context& context) override;
  Result<protocol::BackupsResult> backups(sdk::Context& context) override;
  Result<protocol::CheckResult> check(const protocol::CheckParams& params,
                                      sdk::Context& context) override;
  Result<protocol::DiagnoseResult> diagnose(const protocol::DiagnoseParams& params,
                                            sdk::Context& context) override;
  Result<protocol::CleanupResult> cleanup(sdk::Context& context) override;
  Result<protocol::GcResult> gc(const protocol::GcParams& params, sdk::Context& context) override;

 private:
  Status pin(sdk::Context& context);
  Status check_tools() const;
  /// When recovery did not ask for the last segment, finds out why.
  Status look_into_recovery(sdk::Context& context);
  DecodeContext decode_context(sdk::Context& context) const;
  TestRequest test_request(sdk::Context& context) const;
  std::uint64_t scratch_needed() const;
  Status serve_wal(const RestoredBackup& restored, const std::filesystem::path& socket);

  protocol::InitializeParams params_;
  WalEOptions options_;
  std::filesystem::path gnupg_;
  std::unique_ptr<object_store::Storage> storage_;
  std::optional<Keyring> keyring_;
  Evidence evidence_;
  std::unique_ptr<WalFetchServer> server_;
};

}  // namespace rad::wal_e
