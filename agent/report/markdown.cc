#include "agent/report/markdown.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/report/report_words.h"

namespace rad {
namespace {

/// Details are left out beyond this; with the tables, whose rows are bounded, the whole stays small
/// enough for the trackers (GitLab takes 1 MiB).
constexpr std::size_t kDetailBudget = 150'000;
/// Between two characters that a tracker would join into a reference; takes no room on the screen.
constexpr std::string_view kBreak = "\u200b";

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0;
}

/// Text of one line: what would end a line or move the cursor becomes a space or '?'.
std::string one_line(std::string_view text, std::size_t max_bytes) {
  std::string line(text.substr(0, max_bytes * 4));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return printable(line, max_bytes);
}

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

/// Whether `text[i]` would begin a list, heading, quote, rule or quick action at the start of a
/// line.
bool begins_block(std::string_view text, std::size_t i) {
  if (i == 0) return is_one_of(text[0], "-+=/:");
  const bool digits = std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  const bool ends_word = i + 1 == text.size() || text[i + 1] == ' ';
  return digits && ends_word && is_one_of(text[i], ".)");
}

std::size_t longest_run_of_backticks(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

}  // namespace

std::string escape_markdown(std::string_view text, std::size_t max_bytes) {
  std::string line = one_line(text, max_bytes);
  line.erase(0, std::min(line.find_first_not_of(' '), line.size()));
  std::string out;
  out.reserve(line.size() + 16);
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const char next = i + 1 < line.size() ? line[i + 1] : ' ';
    const bool inside_word = i != 0 && is_word(line[i - 1]) && is_word(next);
    const bool syntax = is_one_of(c, "\\`*[]<>|~#!$&^@{}") || (c == '_' && !inside_word);
    if (syntax || begins_block(line, i)) out += '\\';
    out += c;
    // Trackers look for references in the text that Markdown leaves behind, where the backslash is
    // gone: @user, #1, !2, %milestone, ~label, $snippet, &epic, ^alert, scheme://, www.
    const bool reference = is_one_of(c, "@#!%~$&^") && !is_one_of(next, " ,;)'");
    const bool scheme = c == ':' && next == '/';
    const bool www = next == '.' && (c == 'w' || c == 'W');
    if (reference || scheme || www) out += kBreak;
  }
  return out;
}

std::string markdown_code(std::string_view text, std::size_t max_bytes) {
  std::string line = one_line(text, max_bytes);
  if (line.empty()) return {};
  // A table splits its cells before it knows of code.
  std::string safe;
  for (const char c : line) {
    if (c == '|') {
      safe += "¦";
    } else {
      safe += c;
    }
  }
  const std::string fence(longest_run_of_backticks(safe) + 1, '`');
  const bool pad = safe.front() == '`' || safe.back() == '`' || safe.front() == ' ';
  const std::string_view space = pad ? " " : "";
  return fmt::format("{}{}{}{}{}", fence, space, safe, space, fence);
}

std::string markdown_block(std::string_view text, std::size_t max_bytes) {
  std::string body;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const std::string shown = printable(line);
    if (body.size() + shown.size() > max_bytes) {
      body += "…\n";
      break;
    }
    body += shown + "\n";
  }
  const std::string fence(std::max<std::size_t>(3, longest_run_of_backticks(body) + 1), '`');
  return fmt::format("{}text\n{}{}\n", fence, body, fence);
}

std::string report_title(const RunReport& report) {
  std::string what = "is running";
  if (report.verdict) {
    switch (*report.verdict) {
      case Verdict::pass:
        what = "passed";
        break;
      case Verdict::fail:
        what = "failed";
        break;
      case Verdict::inconclusive:
        what = "could not be tested";
        break;
      case Verdict::cancelled:
        what = "was cancelled";
        break;
    }
  }
  std::string title = fmt::format("{}: {} {}", report.target, to_string(report.depth), what);
  if (report.cause &&
      (report.verdict == Verdict::fail || report.verdict == Verdict::inconclusive)) {
    title += fmt::format(": {}", to_string(report.cause->reason));
  }
  return one_line(title, 200);
}

namespace {

/// Builds the text; one object per report.
class MarkdownReport {
 public:
  MarkdownReport(const RunReport& report, const MarkdownOptions& options)
      : report_(report), options_(options) {}

  std::string render() {
    heading(0, escape_markdown(report_title(report_)));
    verdict();
    checks();
    table("Stages", stage_rows(report_));
    further_faults();
    findings();
    table("Objectives", objective_rows(report_));
    heading(1, "Cleanup");
    out_ += fmt::format("**{}**: {}\n", to_string(report_.cleanup),
                        escape_markdown(cleanup_words(report_)));
    return std::move(out_);
  }

 private:
  void heading(unsigned below, const std::string& text) {
    if (!out_.empty()) out_ += '\n';
    const unsigned level = std::clamp(options_.heading_level + below, 1U, 6U);
    out_ += fmt::format("{} {}\n\n", std::string(level, '#'), text);
  }

  void item(std::string_view name, const std::string& text) {
    if (!text.empty()) out_ += fmt::format("- {}: {}\n", name, text);
  }

  void verdict() {
    const std::string_view word = report_.verdict ? to_string(*report_.verdict) : "running";
    out_ += fmt::format("**{}** at depth {}: {}\n\n", word, to_string(report_.depth),
                        escape_markdown(verdict_sentence(report_)));
    if (report_.cause && report_.verdict != Verdict::pass) {
      item("what", escape_markdown(report_.cause->message, 2000));
      item("object", markdown_code(object_words(*report_.cause)));
      item("hint", escape_markdown(report_.cause->hint, 2000));
      item("runbook", runbook());
    }
    item("backup", markdown_code(backup_words(report_)));
    item("recovery", escape_markdown(recovery_words(report_)));
    item("run", markdown_code(report_.id));
    item("asked", escape_markdown(request_words(report_)));
    item("time", time_words(report_));
    item("isolation", escape_markdown(report_.isolation));
    if (report_.bytes_read != 0 || report_.bytes_restored != 0) {
      item("bytes",
           fmt::format("{} read from storage, {} restored", format_bytes(report_.bytes_read),
                       format_bytes(report_.bytes_restored)));
    }
    if (report_.cause && !report_.cause->detail.empty()) {
      out_ += "\nWhat the tool said:\n\n" + markdown_block(report_.cause->detail);
    }
  }

  std::string runbook() const {
    const std::string page = runbook_page(report_) + ".md";
    if (options_.runbook_base.empty()) return markdown_code("runbooks/" + page);
    const std::string_view slash = options_.runbook_base.ends_with('/') ? "" : "/";
    return fmt::format("[{0}]({1}{2}{0})", page, options_.runbook_base, slash);
  }

  void table(const std::string& title, const std::vector<Row>& rows) {
    if (rows.size() < 2) return;
    heading(1, title);
    std::size_t number = 0;
    for (const auto& row : rows) {
      if (number == options_.max_rows + 1) {
        out_ += fmt::format("\n…and {} more.\n", rows.size() - number);
        return;
      }
      out_ += '|';
      for (const auto& cell : row) out_ += fmt::format(" {} |", escape_markdown(cell, 200));
      out_ += '\n';
      if (number++ != 0) continue;
      out_ += '|';
      for (std::size_t i = 0; i < row.size(); ++i) out_ += "---|";
      out_ += '\n';
    }
  }

  void checks() {
    if (report_.checks.empty()) {
      heading(1, "Checks");
      out_ += "None ran.\n";
      return;
    }
    table("Checks", check_rows(report_));
    std::size_t explained = 0;
    for (const auto& check : report_.checks) {
      if (needs_paragraph(report_, check) && explained++ < options_.max_rows) explain(check);
    }
  }

  void explain(const CheckOutcome& check) {
    if (out_.size() > kDetailBudget) return;
    heading(2, escape_markdown(check.name, 100));
    item("what", escape_markdown(check.message, 2000));
    item("object", markdown_code(check.object));
    item("hint", escape_markdown(check.hint, 2000));
    if (check.details.empty()) return;
    std::string lines;
    std::size_t shown = 0;
    for (const auto& line : check.details) {
      if (shown == options_.max_rows) break;
      lines += one_line(line, 300) + "\n";
      ++shown;
    }
    out_ += "\n" + markdown_block(lines, 40'000);
    if (shown < check.details.size()) {
      out_ += fmt::format("\n…and {} more.\n", check.details.size() - shown);
    }
  }

  void further_faults() {
    if (report_.faults.empty()) return;
    std::vector<Row> rows{{"reason", "what", "object"}};
    for (const auto& fault : report_.faults) {
      rows.push_back({std::string(to_string(fault.reason)), fault.message, object_words(fault)});
    }
    table("Also found", rows);
  }

  void findings() {
    if (report_.findings.empty()) return;
    std::vector<Row> rows{{"finding", "what", "object"}};
    for (const auto& finding : report_.findings) {
      rows.push_back({finding.code, finding.message, finding.object});
    }
    table("Findings", rows);
  }

  const RunReport& report_;
  const MarkdownOptions& options_;
  std::string out_;
};

}  // namespace

std::string render_markdown(const RunReport& report, const MarkdownOptions& options) {
  return MarkdownReport(report, options).render();
}

}  // namespace rad
