// The options of a target's `restore:` section, understood.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/protocol/messages.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

/// How far recovery is to go. `kind` is latest, immediate, time, lsn or name.
struct RecoverTo {
  std::string kind = "latest";
  std::string value;
};
/// "latest", "immediate", "time=…", "lsn=…", "name=…".
/// \return config_invalid naming the text and the forms that are allowed.
Result<RecoverTo> parse_recover_to(std::string_view text);

struct WalEOptions {
  std::string storage_url;
  object_store::Variables variables;  ///< of the envdir; with secrets in them
  object_store::TransportOptions transport;
  std::filesystem::path gpg_home;  ///< to copy the keyring from; "": none
  bool expects_encryption = false;
  std::string backup = "latest";
  RecoverTo recover_to;
  unsigned parallel = 1;  ///< partitions or segments at once
  std::chrono::milliseconds unfinished_after = std::chrono::hours(24);
  std::string postgresql_bin;  ///< with "{major}" in it
};

std::vector<protocol::OptionInfo> known_options();

/// Reads the envdir when one is named, so it needs the rights to do so.
/// \return config_invalid, access_denied.
Result<WalEOptions> understand_options(const boost::json::object& options);

}  // namespace rad::wal_e
