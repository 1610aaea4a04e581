// A plugin that does something small and honest, or what a script says. See README.md.
#pragma once

#include <cstdint>
#include <string>

#include "plugins/fake/act.h"
#include "plugins/fake/script.h"
#include "plugins/sdk/plugin.h"

namespace rad::fake {

/// Not thread-safe: the SDK calls it from one thread.
class FakePlugin final : public sdk::Plugin {
 public:
  /// \param raw_stdout  a copy of descriptor 1 from before serve(); borrowed.
  explicit FakePlugin(int raw_stdout);

  protocol::PluginInfo describe() const override;
  Status initialize(const protocol::InitializeParams& params, sdk::Context& context) override;
  Result<protocol::PreflightResult> preflight(sdk::Context& context) override;
  Result<protocol::ReadResult> inspect(sdk::Context& context) override;
  Result<protocol::ReadResult> verify(sdk::Context& context) override;
  Result<protocol::RestoreResult> restore(sdk::Context& context) override;
  Result<protocol::StartResult> start(const Artifact& artifact, sdk::Context& context) override;
  Result<protocol::BackupsResult> backups(sdk::Context& context) override;
  Result<protocol::StartResult> hold(const Artifact& artifact, sdk::Context& context) override;
  Result<protocol::CheckResult> check(const protocol::CheckParams& params,
                                      sdk::Context& context) override;
  Result<protocol::DiagnoseResult> diagnose(const protocol::DiagnoseParams& params,
                                            sdk::Context& context) override;
  Result<protocol::CleanupResult> cleanup(sdk::Context& context) override;
  Result<protocol::GcResult> gc(const protocol::GcParams& params, sdk::Context& context) override;

 private:
  /// Performs the method's act, then lays its `result` over what `honest` returns.
  template <class T, class Honest>
  Result<T> play(std::string_view method, sdk::Context& context, Honest honest);
  CheckOutcome answer(const protocol::CheckSpec& spec,
                      const std::optional<Endpoint>& endpoint) const;

  Stage stage_;
  Script script_;
  protocol::InitializeParams params_;
  std::uint64_t size_ = 0;
  std::chrono::milliseconds delay_{0};
  std::uint64_t bytes_read_ = 0;
};

}  // namespace rad::fake
