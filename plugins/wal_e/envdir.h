// The envdir that WAL-E itself is configured with: one file per variable; the value is the first
// line without trailing blanks, NUL stands for newline, an empty file unsets the variable.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "agent/base/error.h"

namespace rad::wal_e {

/// Reads every regular file whose name could be a variable's. Values may be secrets: they are never
/// put into a message. \return access_denied or config_invalid naming the directory or file.
Result<std::map<std::string, std::string>> read_envdir(const std::filesystem::path& directory);

/// What this plugin takes from such an environment.
struct WalEEnvironment {
  std::string storage_url;
  std::filesystem::path gpg_home;   ///< GNUPGHOME, "" if not set
  bool expects_encryption = false;  ///< WALE_GPG_KEY_ID is set
};

/// \return config_invalid when there is no prefix, or one of a storage not supported.
Result<WalEEnvironment> understand_environment(const std::map<std::string, std::string>& values,
                                               const std::filesystem::path& directory);

}  // namespace rad::wal_e
