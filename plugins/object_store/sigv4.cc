#include "plugins/object_store/sigv4.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

namespace rad::object_store {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// Without blanks at the ends, and runs of blanks as one.
std::string collapsed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string basic_time(TimePoint time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - days));
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  unsigned size = digest.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string canonical_request_v4(const HttpRequest& request, std::string_view payload_hash,
                                 std::string& signed_headers) {
  Fields query;
  for (const auto& [name, value] : request.query) {
    query.emplace_back(percent_encode(name), percent_encode(value));
  }
  std::sort(query.begin(), query.end());
  std::string text = request.method + '\n' + request.path + '\n';
  for (std::size_t i = 0; i < query.size(); ++i) {
    text += fmt::format("{}{}={}", i == 0 ? "" : "&", query[i].first, query[i].second);
  }
  text += '\n';
  std::map<std::string, std::string> headers{{"host", request.host()}};
  for (const auto& [name, value] : request.headers) {
    std::string& all = headers[lower(name)];
    if (!all.empty()) all += ',';
    all += collapsed(value);
  }
  signed_headers.clear();
  for (const auto& [name, value] : headers) {
    text += fmt::format("{}:{}\n", name, value);
    if (!signed_headers.empty()) signed_headers += ';';
    signed_headers += name;
  }
  return fmt::format("{}\n{}\n{}", text, signed_headers, payload_hash);
}

void sign_v4(HttpRequest& request, const AwsKeys& keys, const AwsScope& scope, TimePoint now) {
  const std::string time = basic_time(now);
  const std::string date = time.substr(0, 8);
  const std::string payload_hash = sha256_hex(request.body);
  if (scope.service == "s3") request.headers.emplace_back("X-Amz-Content-Sha256", payload_hash);
  request.headers.emplace_back("X-Amz-Date", time);
  if (!keys.session_token.empty()) {
    request.headers.emplace_back("X-Amz-Security-Token", keys.session_token);
  }
  std::string signed_headers;
  const std::string canonical = canonical_request_v4(request, payload_hash, signed_headers);
  const std::string place = fmt::format("{}/{}/{}/aws4_request", date, scope.region, scope.service);
  const std::string to_sign =
      fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, place, sha256_hex(canonical));
  std::string key = hmac_sha256("AWS4" + keys.secret_access_key, date);
  key = hmac_sha256(key, scope.region);
  key = hmac_sha256(key, scope.service);
  key = hmac_sha256(key, "aws4_request");
  request.headers.emplace_back(
      "Authorization",
      fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                  keys.access_key_id, place, signed_headers, hex(hmac_sha256(key, to_sign))));
}

}  // namespace rad::object_store
