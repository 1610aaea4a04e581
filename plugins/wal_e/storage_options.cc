#include "plugins/wal_e/storage_options.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/sdk/options.h"

namespace rad::wal_e {
namespace {

constexpr std::chrono::milliseconds kLeastTimeout = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kMostTimeout = std::chrono::hours(1);
constexpr std::chrono::milliseconds kLongestStall = std::chrono::seconds(30);
constexpr std::int64_t kMostConnections = 32;
constexpr std::uint64_t kLeastRate = std::uint64_t{64} << 10U;

}  // namespace

std::vector<protocol::OptionInfo> known_storage_options() {
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
  return {
      option("storage_timeout", "duration", "2m",
             "how long a storage may bring nothing new, retries included, 1s to 1h"),
      option("storage_connections", "integer", "4", "ranges of one object read at once, 1 to 32"),
      option("read_rate_limit", "bytes", "0",
             "most bytes a second from a remote storage, all objects together; 0: no limit"),
      option("ca_file", "path", "", "PEM file of authorities to trust instead of the system's"),
      option("proxy", "string", "", "URL of a proxy; else https_proxy and no_proxy count"),
  };
}

Result<object_store::TransportOptions> understand_storage_options(
    const boost::json::object& options) {
  object_store::TransportOptions result;
  result.timeout = sdk::duration_option(options, "storage_timeout").value_or(result.timeout);
  if (result.timeout < kLeastTimeout || result.timeout > kMostTimeout) {
    return fail(Reason::config_invalid,
                fmt::format("option 'storage_timeout' is {}, allowed are 1s to 1h",
                            format_duration(result.timeout)));
  }
  result.stall = std::min(kLongestStall, result.timeout / 3);
  const auto connections =
      sdk::integer_option(options, "storage_connections").value_or(result.connections);
  if (connections < 1 || connections > kMostConnections) {
    return fail(Reason::config_invalid,
                fmt::format("option 'storage_connections' is {}, allowed are 1 to {}", connections,
                            kMostConnections));
  }
  result.connections = static_cast<unsigned>(connections);
  result.rate_limit = sdk::bytes_option(options, "read_rate_limit").value_or(0);
  if (result.rate_limit > 0 && result.rate_limit < kLeastRate) {
    return fail(Reason::config_invalid,
                fmt::format("option 'read_rate_limit' is {}, allowed are 0 or at least {}",
                            format_bytes(result.rate_limit), format_bytes(kLeastRate)));
  }
  result.ca_file = sdk::text_option(options, "ca_file").value_or("");
  result.proxy = sdk::text_option(options, "proxy").value_or("");
  return result;
}

std::vector<std::string> describe_storage(const object_store::StorageSummary& summary,
                                          const std::filesystem::path& gpg_home) {
  std::vector<std::string> lines{fmt::format("storage: {} ({})", summary.url, summary.kind)};
  if (!summary.endpoint.empty()) lines.push_back("endpoint: " + summary.endpoint);
  if (!summary.credentials.empty()) lines.push_back("credentials: " + summary.credentials);
  for (const std::string& note : summary.notes) lines.push_back("note: " + note);
  lines.push_back(gpg_home.empty() ? "keyring: none, so nothing encrypted can be read"
                                   : "keyring: " + gpg_home.string());
  return lines;
}

std::chrono::milliseconds patience_with(const object_store::TransportOptions& options) {
  constexpr std::chrono::milliseconds kLeast = std::chrono::minutes(2);
  return std::max(kLeast, options.timeout + 2 * options.stall + std::chrono::seconds(30));
}

}  // namespace rad::wal_e
