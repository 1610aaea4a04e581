// The report of a run as Markdown (GitLab's and GitHub's flavour), for issues and files.
//
// Everything from a backup, a plugin, gpg or PostgreSQL is hostile: it is escaped so that it can
// neither mention people, run quick actions, link, embed HTML or images, nor break out of a table
// or code block, and it is cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/model/run_report.h"

namespace rad {

/// One line of text as literal Markdown; newlines become spaces. Safe anywhere in a line, at its
/// start and inside a table cell.
std::string escape_markdown(std::string_view text, std::size_t max_bytes = 500);
/// Text as an inline code span that it cannot leave; "" gives "". Safe in a table cell.
std::string markdown_code(std::string_view text, std::size_t max_bytes = 300);
/// Text of several lines as a fenced block that it cannot leave, newline at the end.
std::string markdown_block(std::string_view text, std::size_t max_bytes = 4000);

struct MarkdownOptions {
  unsigned heading_level = 1;  ///< of the title; 1 to 4
  std::size_t max_rows = 100;  ///< rows of one table, and lines of details of one check
  std::string runbook_base;    ///< URL or path before "<page>.md"; "" gives "runbooks/"
};

/// "customers-db: restore failed: decrypt_failed", one line of plain text, not escaped.
std::string report_title(const RunReport& report);
/// Title, verdict in plain words, what to do next, checks, stages, findings, recovery objectives,
/// cleanup. Ends in a newline. At most about 200 KiB.
std::string render_markdown(const RunReport& report, const MarkdownOptions& options = {});

}  // namespace rad
