// The checks that this plugin offers. They read nothing: the stages before have gathered evidence.
#pragma once

#include <vector>

#include "agent/base/clock.h"
#include "agent/model/outcome.h"
#include "plugins/protocol/messages.h"
#include "plugins/wal_e/evidence.h"

namespace rad::wal_e {

std::vector<protocol::CheckInfo> known_checks();

/// One outcome for `spec`; its options have been checked against known_checks().
CheckOutcome answer_check(const protocol::CheckSpec& spec, const Evidence& evidence, TimePoint now);

}  // namespace rad::wal_e
