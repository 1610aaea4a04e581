// The envdir that WAL-E itself is configured with: one file per variable; the value is the first
// line without trailing blanks, NUL stands for newline, an empty file unsets the variable.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "plugins/object_store/open_storage.h"

namespace rad::wal_e {

using Variables = object_store::Variables;

/// Reads every regular file whose name could be a variable's. Values may be secrets: they are never
/// put into a message. \return access_denied or config_invalid naming the directory or file.
Result<Variables> read_envdir(const std::filesystem::path& directory);

/// What this plugin takes from such an environment.
struct WalEEnvironment {
  std::string storage_url;          ///< of the first prefix that WAL-E would take
  std::filesystem::path gpg_home;   ///< GNUPGHOME, "" if not set
  bool expects_encryption = false;  ///< WALE_GPG_KEY_ID is set
};

/// \param storage_url  taken instead of the prefix if it is not "".
/// \return config_invalid when there is neither.
Result<WalEEnvironment> understand_environment(const Variables& values,
                                               const std::filesystem::path& directory,
                                               std::string_view storage_url = {});

}  // namespace rad::wal_e
