// The artifact postgresql_data_directory that this plugin hands to the instance plugin. The
// properties are specified in plugins/protocol/PROTOCOL.md, "Artifacts".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/model/artifact.h"
#include "agent/model/outcome.h"
#include "plugins/wal_e/backup_test.h"
#include "plugins/wal_e/pinned_backup.h"
#include "plugins/wal_e/wal_e_options.h"

namespace rad::wal_e {

struct MadeArtifact {
  Artifact artifact;
  std::vector<Finding> findings;  ///< `artifact_cut`: what had no room in it
};

/// \param restore_command  argv to which the server's file name and path are appended
MadeArtifact make_artifact(const RestoredBackup& restored, const PinnedBackup& pinned,
                           const RecoverTo& recover_to,
                           const std::vector<std::string>& restore_command);

}  // namespace rad::wal_e
