#include "plugins/wal_e/envdir.h"

#include <algorithm>
#include <array>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/base/files.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxValueBytes = 64U << 10U;

bool is_variable_name(std::string_view name) {
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '_';
         });
}

std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.pop_back();
  }
  std::replace(text.begin(), text.end(), '\0', '\n');
  return text;
}

}  // namespace

Result<Variables> read_envdir(const fs::path& directory) {
  std::error_code code;
  fs::directory_iterator entries(directory, code);
  if (code) {
    const bool denied = code == std::errc::permission_denied;
    return fail(
        denied ? Reason::access_denied : Reason::config_invalid,
        fmt::format("envdir '{}' cannot be read: {}", directory.string(), code.message()),
        denied ? "let the agent's user read it" : "set restore.envdir to WAL-E's own envdir",
        directory.string());
  }
  Variables values;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!is_variable_name(name) || !entry.is_regular_file(code)) continue;
    RAD_TRY(std::string text, read_file(entry.path(), kMaxValueBytes));
    if (text.empty()) continue;
    values.emplace(name, first_line(std::move(text)));
  }
  return values;
}

Result<WalEEnvironment> understand_environment(const Variables& values, const fs::path& directory,
                                               std::string_view storage_url) {
  // WAL-E takes the first of these that is set.
  constexpr std::array kPrefixes{"WALE_FILE_PREFIX", "WALE_GS_PREFIX", "WALE_S3_PREFIX",
                                 "WALE_SWIFT_PREFIX", "WALE_WABS_PREFIX"};
  const auto value = [&](const char* key) { return object_store::value_of(values, key); };
  WalEEnvironment result;
  result.storage_url = storage_url;
  for (const char* key : kPrefixes) {
    if (!result.storage_url.empty()) break;
    result.storage_url = value(key);
  }
  if (result.storage_url.empty()) {
    return fail(
        Reason::config_invalid,
        fmt::format("envdir '{}' has none of {}", directory.string(), fmt::join(kPrefixes, ", ")),
        "set restore.envdir to the directory that WAL-E is run with, or restore.storage to "
        "the URL of the store",
        directory.string());
  }
  result.gpg_home = value("GNUPGHOME");
  result.expects_encryption = !value("WALE_GPG_KEY_ID").empty();
  return result;
}

}  // namespace rad::wal_e
