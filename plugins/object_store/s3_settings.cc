#include "plugins/object_store/s3_settings.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";
constexpr std::size_t kMaxBucket = 255;  // 63 today, 255 in us-east-1 long ago

std::string trim_slashes(std::string_view text) {
  while (!text.empty() && text.front() == '/') text.remove_prefix(1);
  while (!text.empty() && text.back() == '/') text.remove_suffix(1);
  return std::string(text);
}

bool host_characters(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']' || c == '_';
  });
}

/// As WAL-E has it: what is no label of a host name, or would break the certificate's wildcard.
bool needs_path_style(std::string_view bucket) {
  return bucket.size() < 3 || bucket.size() > 63 || bucket.front() == '-' || bucket.back() == '-' ||
         !std::all_of(bucket.begin(), bucket.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

/// "us-west-2" of "s3-us-west-2.amazonaws.com" and "s3.us-west-2.amazonaws.com"; "" of others.
std::string region_of_host(std::string_view host) {
  constexpr std::string_view kDomain = ".amazonaws.com";
  const auto domain = host.find(kDomain);
  if (domain == std::string_view::npos) return {};
  host = host.substr(0, domain);
  const auto s3 = host.rfind("s3");
  if (s3 == std::string_view::npos || s3 + 3 > host.size()) return {};
  host.remove_prefix(s3 + 3);
  if (host.starts_with("dualstack.")) host.remove_prefix(10);
  return host.find('.') == std::string_view::npos ? std::string(host) : std::string();
}

std::string aws_host(std::string_view region) {
  return fmt::format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

Error bad_endpoint(std::string_view text) {
  return fail(Reason::config_invalid, fmt::format("WALE_S3_ENDPOINT is '{}'", printable(text, 200)),
              "write http or https, +path, +virtualhost or +subdomain, and the host: "
              "https+path://host:port");
}

Status read_endpoint(std::string_view text, S3Settings& settings) {
  const auto separator = text.find("://");
  if (separator == std::string_view::npos) return bad_endpoint(text);
  std::string_view protocol = text.substr(0, separator);
  std::string host(text.substr(separator + 3));
  while (!host.empty() && host.back() == '/') host.pop_back();
  const auto plus = protocol.find('+');
  const std::string_view style =
      plus == std::string_view::npos ? "path" : protocol.substr(plus + 1);
  protocol = protocol.substr(0, plus);
  if ((protocol != "http" && protocol != "https") || !host_characters(host)) {
    return bad_endpoint(text);
  }
  if (style == "path") {
    settings.style = S3Style::path;
  } else if (style == "subdomain") {
    settings.style = S3Style::subdomain;
  } else if (style == "virtualhost") {
    settings.style = S3Style::virtualhost;
  } else {
    return bad_endpoint(text);
  }
  settings.scheme = protocol;
  settings.endpoint = host;
  return {};
}

Status read_keys(const Variables& variables, S3Settings& settings) {
  settings.keys.access_key_id = value_of(variables, "AWS_ACCESS_KEY_ID");
  settings.keys.secret_access_key = value_of(variables, "AWS_SECRET_ACCESS_KEY");
  settings.keys.session_token = value_of(variables, "AWS_SECURITY_TOKEN");
  if (settings.keys.session_token.empty()) {
    settings.keys.session_token = value_of(variables, "AWS_SESSION_TOKEN");
  }
  const bool id = !settings.keys.access_key_id.empty();
  const bool secret = !settings.keys.secret_access_key.empty();
  const bool profile = !value_of(variables, "AWS_INSTANCE_PROFILE").empty();
  if (id != secret) {
    return fail(
        Reason::config_invalid,
        fmt::format("{} is set, but {} is not", id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                    id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID"),
        "set both, or AWS_INSTANCE_PROFILE instead");
  }
  if (!id && !profile) {
    return fail(Reason::config_invalid, "there are no credentials for S3",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_INSTANCE_PROFILE, in the "
                "envdir");
  }
  settings.instance_profile = profile;
  if (profile && id) {
    settings.notes.emplace_back("AWS_INSTANCE_PROFILE is set: the static keys are not used");
    settings.keys = {};
  }
  return {};
}

}  // namespace

Result<BucketUrl> parse_bucket_url(std::string_view url) {
  const auto separator = url.find("://");
  const std::string_view rest =
      separator == std::string_view::npos ? std::string_view() : url.substr(separator + 3);
  const auto slash = std::min(rest.find('/'), rest.size());
  BucketUrl result{std::string(rest.substr(0, slash)), trim_slashes(rest.substr(slash))};
  if (result.bucket.empty() || result.bucket.size() > kMaxBucket ||
      result.bucket.find_first_of("?#@\\ \n\r") != std::string::npos) {
    return fail(Reason::config_invalid,
                fmt::format("storage '{}' names no bucket", printable(url, 200)),
                "write it as WAL-E does: s3://bucket/prefix");
  }
  return result;
}

std::string S3Settings::base() const {
  switch (style) {
    case S3Style::path:
      return fmt::format("{}://{}", scheme, endpoint);
    case S3Style::subdomain:
      return fmt::format("{}://{}.{}", scheme, bucket, endpoint);
    case S3Style::virtualhost:
      break;
  }
  const auto port = endpoint.rfind(':');
  return fmt::format("{}://{}{}", scheme, bucket,
                     port == std::string::npos ? "" : endpoint.substr(port));
}

std::string S3Settings::bucket_path() const {
  return style == S3Style::path ? "/" + percent_encode(bucket) : "/";
}

std::string S3Settings::object_path(std::string_view key) const {
  std::string path = style == S3Style::path ? "/" + percent_encode(bucket) + "/" : "/";
  if (!prefix.empty()) path += percent_encode(prefix, true) + "/";
  return path + percent_encode(key, true);
}

Result<S3Settings> understand_s3(std::string_view url, const Variables& variables) {
  RAD_TRY(const BucketUrl place, parse_bucket_url(url));
  S3Settings settings;
  settings.bucket = place.bucket;
  settings.prefix = place.prefix;
  RAD_CHECK(read_keys(variables, settings));
  settings.region = value_of(variables, "AWS_REGION");
  if (settings.region.empty()) settings.region = value_of(variables, "AWS_DEFAULT_REGION");
  if (!settings.region.empty() && !host_characters(settings.region)) {
    return fail(Reason::config_invalid,
                fmt::format("AWS_REGION is '{}'", printable(settings.region, 100)),
                "a region looks like us-east-1");
  }
  const std::string endpoint = value_of(variables, "WALE_S3_ENDPOINT");
  if (!endpoint.empty()) {
    RAD_CHECK(read_endpoint(endpoint, settings));
    if (settings.region.empty()) settings.region = region_of_host(settings.endpoint);
  }
  if (settings.region.empty()) {
    settings.region = kDefaultRegion;
    if (endpoint.empty()) {
      settings.notes.push_back(fmt::format("AWS_REGION is not set: {} is taken", kDefaultRegion));
    }
  }
  if (endpoint.empty()) {
    settings.endpoint = aws_host(settings.region);
    settings.style = needs_path_style(settings.bucket) ? S3Style::path : S3Style::subdomain;
  }
  if (settings.style != S3Style::path && !host_characters(settings.bucket)) {
    return fail(Reason::config_invalid,
                fmt::format("bucket '{}' cannot be a host's name", printable(settings.bucket, 100)),
                "use +path in WALE_S3_ENDPOINT");
  }
  const std::string metadata = value_of(variables, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (!metadata.empty()) {
    settings.metadata_endpoint = metadata;
    while (settings.metadata_endpoint.ends_with('/')) settings.metadata_endpoint.pop_back();
  }
  return settings;
}

}  // namespace rad::object_store
