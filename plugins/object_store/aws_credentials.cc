#include "plugins/object_store/aws_credentials.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/object_store/transport_impl.h"

namespace rad::object_store {
namespace {

constexpr std::chrono::milliseconds kLimit = std::chrono::seconds(2);
constexpr unsigned kTries = 3;
constexpr std::chrono::minutes kRenewBefore{5};
constexpr std::chrono::minutes kAskAgainAfter{1};
constexpr std::string_view kRolePath = "/latest/meta-data/iam/security-credentials/";

Error no_role(std::string_view what) {
  Error error = fail(Reason::access_denied,
                     fmt::format("the instance profile gives no credentials: {}", what),
                     "attach a role to this machine, or set AWS_ACCESS_KEY_ID and "
                     "AWS_SECRET_ACCESS_KEY instead of AWS_INSTANCE_PROFILE");
  error.retryable = true;
  return error;
}

std::string text_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

Result<RoleCredentials> parse_role_credentials(std::string_view json) {
  boost::system::error_code code;
  const boost::json::value value = boost::json::parse(json, code);
  if (code || !value.is_object()) return no_role("its answer is no JSON object");
  const auto& object = value.get_object();
  const std::string state = text_of(object, "Code");
  if (!state.empty() && state != "Success") {
    return no_role(fmt::format("it says '{}'", printable(state, 60)));
  }
  RoleCredentials role;
  role.keys = {text_of(object, "AccessKeyId"), text_of(object, "SecretAccessKey"),
               text_of(object, "Token")};
  const auto expires = parse_time(text_of(object, "Expiration"));
  if (role.keys.access_key_id.empty() || role.keys.secret_access_key.empty() || !expires) {
    return no_role("its answer lacks a key or its end");
  }
  role.expires = *expires;
  return role;
}

InstanceProfile::InstanceProfile(std::shared_ptr<HttpTransport> transport, std::string endpoint)
    : transport_(std::move(transport)), endpoint_(std::move(endpoint)) {}

Result<AwsKeys> InstanceProfile::keys(std::stop_token stop) {
  const std::lock_guard lock(mutex_);
  if (keys_ && SystemClock().now() + kRenewBefore < expires_) return *keys_;
  auto fresh = fetch(stop);
  // What is still good for a while is better than nothing.
  if (!fresh && keys_ && SystemClock().now() < expires_) return *keys_;
  return fresh;
}

bool InstanceProfile::forget() {
  const std::lock_guard lock(mutex_);
  if (!keys_ || SystemClock().now() - fetched_ < kAskAgainAfter) return false;
  keys_.reset();
  return true;
}

Result<std::string> InstanceProfile::ask(std::string method, std::string path,
                                         const Fields& headers, const std::stop_token& stop) {
  HttpRequest request;
  request.method = std::move(method);
  request.base = endpoint_;
  request.path = std::move(path);
  request.headers = headers;
  request.no_proxy = true;
  request.max_answer = kMaxErrorBody;
  for (unsigned attempt = 1;; ++attempt) {
    const auto response = transport_->ask_once(request, kLimit, stop);
    if (response && response->status == 200) return response->body;
    if (!response && response.error().reason == Reason::cancelled) return response.error();
    const bool final = response && response->status < 500 && response->status != 429;
    if (final || attempt >= kTries) {
      return no_role(response ? fmt::format("{} answers {}", endpoint_, response->status)
                              : response.error().message);
    }
    if (!wait_for(attempt * transport_->options().first_pause, stop)) {
      return fail(Reason::cancelled, "reading was stopped");
    }
  }
}

Result<AwsKeys> InstanceProfile::fetch(const std::stop_token& stop) {
  Fields headers;
  const auto token =
      ask("PUT", "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}}, stop);
  if (token) headers.emplace_back("X-aws-ec2-metadata-token", *token);
  if (!token && token.error().reason == Reason::cancelled) return token.error();
  auto role = ask("GET", std::string(kRolePath), headers, stop);
  if (!role) return token ? std::move(role).error() : token.error();
  role->resize(std::min(role->find_first_of("\r\n"), role->size()));
  if (role->empty()) return no_role("this machine has no role");
  RAD_TRY(const std::string json,
          ask("GET", std::string(kRolePath) + percent_encode(*role), headers, stop));
  RAD_TRY(const RoleCredentials credentials, parse_role_credentials(json));
  keys_ = credentials.keys;
  expires_ = credentials.expires;
  fetched_ = SystemClock().now();
  return *keys_;
}

}  // namespace rad::object_store
