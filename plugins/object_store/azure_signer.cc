#include "plugins/object_store/azure_signer.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "plugins/object_store/base64.h"

namespace rad::object_store {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

/// Line ends inside a value become one space, and blanks around it go.
std::string one_line(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

std::string azure_string_to_sign(const HttpRequest& request, std::string_view account) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) headers[lower(name)] = one_line(value);
  if (!request.body.empty()) headers["content-length"] = std::to_string(request.body.size());
  constexpr std::array kSigned{"content-encoding",
                               "content-language",
                               "content-length",
                               "content-md5",
                               "content-type",
                               "date",
                               "if-modified-since",
                               "if-match",
                               "if-none-match",
                               "if-unmodified-since",
                               "range"};
  // The date is x-ms-date's.
  if (headers.contains("x-ms-date")) headers.erase("date");
  std::string text = request.method + '\n';
  for (const char* name : kSigned) {
    if (const auto header = headers.find(name); header != headers.end()) text += header->second;
    text += '\n';
  }
  for (const auto& [name, value] : headers) {
    if (name.starts_with("x-ms-")) text.append(name).append(":").append(value).append("\n");
  }
  text.append("/").append(account).append(request.path);
  std::map<std::string, std::vector<std::string>> query;
  for (const auto& [name, value] : request.query) query[lower(name)].push_back(value);
  for (auto& [name, values] : query) {
    std::sort(values.begin(), values.end());
    text.append("\n").append(name).append(":");
    for (std::size_t i = 0; i < values.size(); ++i)
      text.append(i == 0 ? "" : ",").append(values[i]);
  }
  return text;
}

std::string azure_shared_key(const HttpRequest& request, std::string_view account,
                             std::string_view key) {
  const std::string signature = base64(hmac_sha256(key, azure_string_to_sign(request, account)));
  return "SharedKey " + std::string(account) + ':' + signature;
}

Result<Fields> parse_sas_token(std::string_view token) {
  if (token.starts_with('?')) token.remove_prefix(1);
  Fields fields;
  bool is_signed = false;
  while (!token.empty()) {
    const std::size_t end = std::min(token.find('&'), token.size());
    const std::string_view field = token.substr(0, end);
    token.remove_prefix(std::min(end + 1, token.size()));
    if (field.empty()) continue;
    const std::size_t equals = std::min(field.find('='), field.size());
    const auto name = percent_decode(field.substr(0, equals));
    const auto value = percent_decode(field.substr(std::min(equals + 1, field.size())));
    if (!name || !value) {
      return fail(Reason::config_invalid, "the SAS token is not percent-encoded as it must be",
                  "copy the token once more, whole");
    }
    is_signed = is_signed || (*name == "sig" && !value->empty());
    fields.emplace_back(*name, *value);
  }
  if (!is_signed) {
    return fail(Reason::config_invalid, "the SAS token has no signature (sig=...)",
                "copy the token once more, whole");
  }
  return fields;
}

}  // namespace rad::object_store
