// The plugin `postgresql`: makes a test instance of a restored data directory and asks it
// questions.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plugins/postgresql/checks.h"
#include "plugins/postgresql/instance.h"
#include "plugins/sdk/plugin.h"

namespace rad::postgresql {

/// See sdk::Plugin for threads and life cycle.
class PostgresqlPlugin final : public sdk::Plugin {
 public:
  /// \param network  whether the process has a network namespace of its own
  explicit PostgresqlPlugin(Status network) : network_(std::move(network)) {}

  protocol::PluginInfo describe() const override;
  Status initialize(const protocol::InitializeParams& params, sdk::Context& context) override;
  Result<protocol::PreflightResult> preflight(sdk::Context& context) override;
  Result<protocol::StartResult> start(const Artifact& artifact, sdk::Context& context) override;
  Result<protocol::StartResult> hold(const Artifact& artifact, sdk::Context& context) override;
  Result<protocol::CheckResult> check(const protocol::CheckParams& params,
                                      sdk::Context& context) override;
  Result<protocol::CleanupResult> cleanup(sdk::Context& context) override;

 private:
  Status read_manifests();
  Status use_endpoint(const std::optional<Endpoint>& endpoint);
  void watch_held_server(sdk::Context& context);

  Status network_;
  protocol::InitializeParams params_;
  InstanceOptions options_;
  unsigned parallel_ = 1;
  std::map<std::string, RowManifest> manifests_;
  std::unique_ptr<Instance> instance_;
  std::unique_ptr<TableReader> reader_;
  std::jthread watch_;  ///< of a held instance; ends before it
};

}  // namespace rad::postgresql
