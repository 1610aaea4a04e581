// Giving up root at the start of a run.
#pragma once

#include "agent/base/error.h"
#include "plugins/protocol/messages.h"

namespace rad::sdk {

/// As root: hands the run's two directories to params.account and becomes it for good. Otherwise
/// nothing. Call it in Plugin::initialize(), after reading what only root can read.
/// \return config_invalid when the account is missing or is root itself, else host_unfit.
Status enter_account(const protocol::InitializeParams& params);

}  // namespace rad::sdk
