// The options of a target's `restore:` section that say how its storage is reached.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/protocol/messages.h"

namespace rad::wal_e {

std::vector<protocol::OptionInfo> known_storage_options();

/// \return config_invalid naming option, value and range.
Result<object_store::TransportOptions> understand_storage_options(
    const boost::json::object& options);

/// For check-config: kind, place, credentials and keyring in sentences.
std::vector<std::string> describe_storage(const object_store::StorageSummary& summary,
                                          const std::filesystem::path& gpg_home);

/// How long gpg may be silent: longer than the storage may take to say that it gives up.
std::chrono::milliseconds patience_with(const object_store::TransportOptions& options);

}  // namespace rad::wal_e
