// One value of every message, with every field set.
#pragma once

#include "plugins/protocol/messages.h"

namespace rad::protocol::examples {

Error error();
PluginInfo plugin_info();
InitializeParams initialize_params();
PreflightResult preflight_result();
ReadResult read_result();
RestoreResult restore_result();
StartResult start_result();
BackupsResult backups_result();
CheckParams check_params();
CheckResult check_result();
DiagnoseParams diagnose_params();
DiagnoseResult diagnose_result();
CleanupResult cleanup_result();
GcParams gc_params();
GcResult gc_result();
Progress progress();
LogLine log_line();

}  // namespace rad::protocol::examples
