// Where the keys that sign come from.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/sigv4.h"

namespace rad::object_store {

/// The credentials of the machine's role, from its metadata service (IMDSv2; version 1 where there
/// is no other), kept until five minutes before they end. Thread-safe. Source: docs.aws.amazon.com,
/// "Use IMDSv2" and "Retrieve security credentials from metadata".
class InstanceProfile {
 public:
  InstanceProfile(std::shared_ptr<HttpTransport> transport, std::string endpoint);
  /// \return access_denied if the machine has no role or no metadata service.
  Result<AwsKeys> keys(std::stop_token stop);
  /// They have been refused: the next keys() asks again, at most once a minute.
  /// \return whether it will.
  bool forget();

 private:
  Result<AwsKeys> fetch(const std::stop_token& stop);
  Result<std::string> ask(std::string method, std::string path, const Fields& headers,
                          const std::stop_token& stop);

  std::shared_ptr<HttpTransport> transport_;
  std::string endpoint_;
  std::mutex mutex_;
  std::optional<AwsKeys> keys_;
  TimePoint expires_{};
  TimePoint fetched_{};
};

struct RoleCredentials {
  AwsKeys keys;
  TimePoint expires{};
};
/// \param json  the metadata service's answer. \return access_denied naming what is missing.
Result<RoleCredentials> parse_role_credentials(std::string_view json);

}  // namespace rad::object_store
