// What a report says, in words and rows, before it is dressed for a terminal or as Markdown. All
// text may hold untrusted parts: the caller makes it printable or escapes it. For agent/report and
// agent/cli.
#pragma once

#include <string>
#include <vector>

#include "agent/model/run_report.h"

namespace rad {

using Row = std::vector<std::string>;

/// "an object of the backup cannot be decrypted although the key works (decrypt_failed)"; for a
/// pass what was proved at this depth.
std::string verdict_sentence(const RunReport& report);
/// "part_00000001.tar.lzo, byte 1048576" or "".
std::string object_words(const Error& error);
/// Page below runbooks/ for the cause, without ".md"; "" for a pass.
std::string runbook_page(const RunReport& report);
/// "base_…, ended 2026-11-20T18:44:51.000Z, 12.3 MiB as stored" or "".
std::string backup_words(const RunReport& report);
/// "0/721B598 on timeline 1, last transaction 2026-…" or "".
std::string recovery_words(const RunReport& report);
/// "schedule daily, by root: after the migration, on host restore1".
std::string request_words(const RunReport& report);
/// "2026-11-20T18:44:51.715Z, took 3m 12s".
std::string time_words(const RunReport& report);
/// "clean: nothing of the run is left on the host".
std::string cleanup_words(const RunReport& report);

/// Header row first; only the header when there is nothing.
std::vector<Row> check_rows(const RunReport& report);
std::vector<Row> stage_rows(const RunReport& report);
/// Empty where neither a value nor a target is known.
std::vector<Row> objective_rows(const RunReport& report);
/// Whether a check deserves a paragraph of its own: it did not pass and was meant to.
bool needs_words(const CheckOutcome& check);
/// The same, but not for checks that nobody asked because a stage before them had failed: the cause
/// stands at the top already.
bool needs_paragraph(const RunReport& report, const CheckOutcome& check);

}  // namespace rad
