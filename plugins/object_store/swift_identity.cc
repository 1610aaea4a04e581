#include "plugins/object_store/swift_identity.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/metadata_token.h"

namespace rad::object_store {
namespace {

using boost::json::object;

constexpr std::chrono::hours kLongest{31 * 24};

Error no_token() {
  return fail(Reason::access_denied, "the identity service's answer holds no usable token",
              "check SWIFT_AUTHURL and SWIFT_AUTH_VERSION");
}

/// {"id": ...} or {"name": ...}
object named(const SwiftSettings::Named& what) {
  return what.id.empty() ? object{{"name", what.name}} : object{{"id", what.id}};
}

object v2_body(const SwiftSettings& settings) {
  object credentials{{"password", settings.password}};
  if (settings.user.id.empty()) {
    credentials["username"] = settings.user.name;
  } else {
    credentials["userId"] = settings.user.id;
  }
  object auth{{"passwordCredentials", std::move(credentials)}};
  if (!settings.project.id.empty()) {
    auth["tenantId"] = settings.project.id;
  } else if (!settings.project.name.empty()) {
    auth["tenantName"] = settings.project.name;
  }
  return object{{"auth", std::move(auth)}};
}

object v3_body(const SwiftSettings& settings) {
  object user = named(settings.user);
  if (settings.user.id.empty()) user["domain"] = named(settings.user_domain);
  user["password"] = settings.password;
  object auth{{"identity", object{{"methods", boost::json::array{"password"}},
                                  {"password", object{{"user", std::move(user)}}}}}};
  if (!settings.project.empty()) {
    object project = named(settings.project);
    if (settings.project.id.empty()) project["domain"] = named(settings.project_domain);
    auth["scope"] = object{{"project", std::move(project)}};
  }
  return object{{"auth", std::move(auth)}};
}

std::string with_suffix(std::string path, std::string_view suffix) {
  while (path.ends_with('/')) path.pop_back();
  if (!path.ends_with(suffix)) path += suffix;
  return path;
}

/// What the catalogue offers that was not asked for, for the message.
struct Offers {
  std::set<std::string> regions;
  std::set<std::string> interfaces;
};

Error not_in_catalogue(const SwiftSettings& settings, const Offers& offers) {
  if (offers.regions.empty() && offers.interfaces.empty()) {
    return fail(Reason::config_invalid, "the identity service's catalogue has no object storage",
                settings.project.empty()
                    ? "set SWIFT_TENANT (or SWIFT_PROJECT_NAME): without one there is no catalogue"
                    : "check that the project has object storage");
  }
  return fail(Reason::config_invalid,
              fmt::format("the catalogue has no object storage in region '{}' with endpoint type "
                          "'{}'; it has the regions {} and the types {}",
                          printable(settings.region, 60), printable(settings.endpoint_type, 60),
                          printable(fmt::format("{}", fmt::join(offers.regions, ", ")), 200),
                          printable(fmt::format("{}", fmt::join(offers.interfaces, ", ")), 200)),
              "set SWIFT_REGION and SWIFT_ENDPOINT_TYPE to what there is");
}

Result<std::string> place_in_v2(const SwiftSettings& settings, const object& access) {
  RAD_TRY(const auto catalogue, json::get_array(access, "serviceCatalog"));
  Offers offers;
  for (const auto& service : catalogue) {
    if (!service.is_object()) continue;
    RAD_TRY(const std::string type, json::get_string(service.get_object(), "type", ""));
    if (type != "object-store") continue;
    RAD_TRY(const auto endpoints, json::get_array(service.get_object(), "endpoints"));
    for (const auto& endpoint : endpoints) {
      if (!endpoint.is_object()) continue;
      const auto& fields = endpoint.get_object();
      RAD_TRY(const std::string region, json::get_string(fields, "region", ""));
      RAD_TRY(std::string url, json::get_string(fields, settings.endpoint_type, ""));
      if (!url.empty() && (settings.region.empty() || settings.region == region)) return url;
      offers.regions.insert(region);
      for (const auto& field : fields) {
        if (field.key().ends_with("URL")) offers.interfaces.insert(field.key());
      }
    }
  }
  return not_in_catalogue(settings, offers);
}

Result<std::string> place_in_v3(const SwiftSettings& settings, const object& token) {
  RAD_TRY(const auto catalogue, json::get_array(token, "catalog"));
  Offers offers;
  for (const auto& service : catalogue) {
    if (!service.is_object()) continue;
    RAD_TRY(const std::string type, json::get_string(service.get_object(), "type", ""));
    if (type != "object-store") continue;
    RAD_TRY(const auto endpoints, json::get_array(service.get_object(), "endpoints"));
    for (const auto& endpoint : endpoints) {
      if (!endpoint.is_object()) continue;
      const auto& fields = endpoint.get_object();
      RAD_TRY(const std::string region, json::get_string(fields, "region_id", ""));
      RAD_TRY(const std::string old_region, json::get_string(fields, "region", ""));
      RAD_TRY(const std::string interface, json::get_string(fields, "interface", ""));
      RAD_TRY(std::string url, json::get_string(fields, "url", ""));
      const bool here =
          settings.region.empty() || settings.region == region || settings.region == old_region;
      if (here && interface == settings.interface() && !url.empty()) return url;
      offers.regions.insert(region);
      offers.interfaces.insert(interface);
    }
  }
  return not_in_catalogue(settings, offers);
}

/// "" where it is missing or something else.
std::string text_of(const object& fields, std::string_view key) {
  const auto text = json::get_string(fields, key, "");
  return text ? *text : std::string();
}

/// A catalogue that cannot be read is not the same as one without storage.
Result<std::string> place_or_no_token(Result<std::string> place) {
  if (!place && place.error().reason != Reason::config_invalid) return no_token();
  return place;
}

SteadyPoint expiry(std::string_view text, TimePoint now, SteadyPoint steady_now) {
  const auto time = parse_time(text);
  if (!time) return SteadyPoint::max();
  const TimePoint end = std::clamp(*time, now, now + kLongest);
  return steady_now + (end - now);
}

Result<AccessToken> read_v1(const HttpResponse& answer, SteadyPoint steady_now) {
  AccessToken token;
  token.value = answer.header("x-auth-token");
  if (token.value.empty()) token.value = answer.header("x-storage-token");
  token.place = answer.header("x-storage-url");
  if (token.value.empty() || token.place.empty()) return no_token();
  const std::string_view seconds = answer.header("x-auth-token-expires");
  std::uint32_t life = 0;
  const auto read = std::from_chars(seconds.data(), seconds.data() + seconds.size(), life);
  if (!seconds.empty() && read.ec == std::errc{}) {
    token.expires =
        steady_now + std::min<std::chrono::seconds>(std::chrono::seconds(life), kLongest);
  }
  return token;
}

}  // namespace

Result<SwiftSettings> SwiftSettings::from(const Variables& variables) {
  SwiftSettings settings;
  const auto get = [&](std::string_view name) { return value_of(variables, name); };
  std::string version = get("SWIFT_AUTH_VERSION");
  if (version.empty()) version = "2";
  if (version != "1" && version != "1.0" && version != "2" && version != "2.0" && version != "3" &&
      version != "3.0") {
    return fail(Reason::config_invalid,
                fmt::format("SWIFT_AUTH_VERSION is '{}'", printable(version, 40)),
                "it is 1, 2 or 3");
  }
  settings.version = static_cast<unsigned>(version.front() - '0');
  for (const char* name : {"SWIFT_AUTHURL", "SWIFT_PASSWORD"}) {
    if (get(name).empty()) {
      return fail(Reason::config_invalid, fmt::format("{} is not set", name),
                  "WAL-E's envdir for Swift has SWIFT_AUTHURL, SWIFT_USER and SWIFT_PASSWORD");
    }
  }
  RAD_TRY(const EndpointUrl url, parse_endpoint(get("SWIFT_AUTHURL"), "SWIFT_AUTHURL"));
  settings.base = url.base;
  settings.path = url.path;
  settings.password = get("SWIFT_PASSWORD");
  settings.region = get("SWIFT_REGION");
  if (const auto type = get("SWIFT_ENDPOINT_TYPE"); !type.empty()) settings.endpoint_type = type;
  settings.user = {.id = get("SWIFT_USER_ID"), .name = get("SWIFT_USER")};
  settings.project = {.id = get("SWIFT_PROJECT_ID"), .name = get("SWIFT_PROJECT_NAME")};
  if (settings.project.empty()) {
    settings.project = {.id = get("SWIFT_TENANT_ID"), .name = get("SWIFT_TENANT")};
  }
  if (settings.user.empty()) {
    return fail(Reason::config_invalid, "SWIFT_USER is not set");
  }
  // "tenant:user", as v1 writes it, names the tenant too.
  const std::size_t colon = settings.user.name.find(':');
  if (settings.version == 2 && settings.project.empty() && colon != std::string::npos) {
    settings.project.name = settings.user.name.substr(0, colon);
    settings.user.name.erase(0, colon + 1);
  }
  const auto domain = [&](std::string_view kind) {
    Named found{.id = get(fmt::format("SWIFT_{}_ID", kind)),
                .name = get(fmt::format("SWIFT_{}_NAME", kind))};
    if (found.empty()) found = {.id = get("SWIFT_DOMAIN_ID"), .name = get("SWIFT_DOMAIN_NAME")};
    if (found.empty()) found.id = "default";
    return found;
  };
  settings.user_domain = domain("USER_DOMAIN");
  settings.project_domain = domain("PROJECT_DOMAIN");
  return settings;
}

std::string SwiftSettings::interface() const {
  const std::string_view type = endpoint_type;
  return std::string(type.ends_with("URL") ? type.substr(0, type.size() - 3) : type);
}

HttpRequest swift_auth_request(const SwiftSettings& settings) {
  HttpRequest request;
  request.base = settings.base;
  request.path = settings.path.empty() ? "/" : settings.path;
  request.headers.emplace_back("Accept", "application/json");
  if (settings.version == 1) {
    const auto& user = settings.user;
    request.headers.emplace_back("X-Auth-User", user.name.empty() ? user.id : user.name);
    request.headers.emplace_back("X-Auth-Key", settings.password);
    return request;
  }
  request.method = "POST";
  request.headers.emplace_back("Content-Type", "application/json");
  if (settings.version == 2) {
    request.path = with_suffix(request.path, "/tokens");
    request.body = boost::json::serialize(v2_body(settings));
  } else {
    request.path = with_suffix(request.path, "/auth/tokens");
    request.body = boost::json::serialize(v3_body(settings));
  }
  return request;
}

Result<AccessToken> read_swift_token(const SwiftSettings& settings, const HttpResponse& answer,
                                     TimePoint now, SteadyPoint steady_now) {
  if (settings.version == 1) return read_v1(answer, steady_now);
  const auto document =
      json::parse(answer.body, "the identity service's answer", Reason::access_denied);
  if (!document || !document->is_object()) return no_token();
  AccessToken token;
  if (settings.version == 2) {
    const auto access = json::get_object(document->get_object(), "access");
    if (!access) return no_token();
    const auto ticket = json::get_object(*access, "token");
    if (!ticket) return no_token();
    token.value = text_of(*ticket, "id");
    token.expires = expiry(text_of(*ticket, "expires"), now, steady_now);
    if (token.value.empty()) return no_token();
    RAD_TRY(token.place, place_or_no_token(place_in_v2(settings, *access)));
  } else {
    const auto ticket = json::get_object(document->get_object(), "token");
    token.value = answer.header("x-subject-token");
    if (!ticket || token.value.empty()) return no_token();
    token.expires = expiry(text_of(*ticket, "expires_at"), now, steady_now);
    RAD_TRY(token.place, place_or_no_token(place_in_v3(settings, *ticket)));
  }
  return token;
}

Error judge_swift_identity(const HttpResponse& response) {
  Error error = error_of_status(response);
  if (error.reason == Reason::access_denied) {
    error.message = fmt::format("the identity service denies access (HTTP {})", response.status);
    error.hint =
        "check SWIFT_USER, SWIFT_PASSWORD, SWIFT_TENANT or SWIFT_PROJECT_*, and the domains";
  } else if (!error.retryable) {
    error.reason = Reason::config_invalid;
    error.message =
        fmt::format("there is no identity service at SWIFT_AUTHURL (HTTP {})", response.status);
    error.hint =
        "check SWIFT_AUTHURL (with its version: /v3, /v2.0, /auth/v1.0) and "
        "SWIFT_AUTH_VERSION";
  }
  return error;
}

}  // namespace rad::object_store
