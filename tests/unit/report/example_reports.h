// Reports of every kind, for the tests of what is made of them.
#pragma once

#include "agent/model/run_report.h"

namespace rad::test {

/// Restore passed, with a finding and objectives.
RunReport passed_restore();
/// Verify failed: a partition cannot be decrypted; a check failed too, with details.
RunReport failed_verify();
/// Inconclusive at preflight: scratch full, no check ran.
RunReport inconclusive_restore();
/// Every text in it is an attack on a terminal, Markdown or a tracker.
RunReport hostile_report();
/// Still going on.
RunReport running_report();

}  // namespace rad::test
