#include "agent/report/terminal.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/model/json.h"
#include "agent/report/layout.h"
#include "agent/report/report_words.h"

namespace rad {
namespace {

constexpr std::size_t kNarrowest = 60;
constexpr std::size_t kCellBytes = 200;
constexpr std::size_t kLabelColumns = 9;
constexpr std::size_t kDetailLines = 12;

constexpr std::string_view kRed = "\033[1;31m";
constexpr std::string_view kGreen = "\033[1;32m";
constexpr std::string_view kYellow = "\033[1;33m";
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kReset = "\033[0m";

std::string_view colour_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return kGreen;
    case Verdict::fail:
      return kRed;
    case Verdict::inconclusive:
    case Verdict::cancelled:
      return kYellow;
  }
  return {};
}

std::string_view colour_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::fail:
      return kRed;
    case Outcome::inconclusive:
    case Outcome::skipped:
      return kYellow;
    case Outcome::pass:
    case Outcome::not_applicable:
      return {};
  }
  return {};
}

/// Splits text of a tool into lines of which the last few are kept: the cause stands at the end.
std::vector<std::string> last_lines(std::string_view text, std::size_t limit) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty()) lines.push_back(printable(line));
  }
  if (lines.size() > limit) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(limit));
  }
  return lines;
}

/// Builds the text; one object per report.
class TerminalReport {
 public:
  TerminalReport(const RunReport& report, const TerminalStyle& style)
      : report_(report), colour_(style.colour), width_(std::max(style.width, kNarrowest)) {}

  std::string render() {
    verdict();
    facts();
    checks();
    table("Stages", stage_rows(report_));
    further_faults();
    findings();
    table("Objectives", objective_rows(report_));
    cleanup();
    return std::move(out_);
  }

 private:
  std::string paint(std::string_view text, std::string_view colour) const {
    if (!colour_ || colour.empty()) return std::string(text);
    return fmt::format("{}{}{}", colour, text, kReset);
  }

  void heading(std::string_view text) { out_ += "\n" + paint(text, kBold) + "\n"; }

  void label(std::string_view name, const std::string& text) {
    if (!text.empty()) out_ += labelled(name, printable(text), kLabelColumns, width_);
  }

  void verdict() {
    std::string word = "RUNNING";
    std::string_view colour;
    if (report_.verdict) {
      word = to_string(*report_.verdict);
      std::transform(word.begin(), word.end(), word.begin(),
                     [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
      colour = colour_of(*report_.verdict);
    }
    out_ += fmt::format("{}  {} at depth {}: {}\n", paint(word, colour), printable(report_.target),
                        to_string(report_.depth), printable(verdict_sentence(report_)));
  }

  void facts() {
    if (report_.cause && report_.verdict != Verdict::pass) {
      label("what", report_.cause->message);
      label("object", object_words(*report_.cause));
      label("hint", report_.cause->hint);
      label("runbook", fmt::format("runbooks/{}.md", runbook_page(report_)));
      for (const auto& line : last_lines(report_.cause->detail, kDetailLines)) {
        label("output", line);
      }
    }
    label("backup", backup_words(report_));
    label("recovery", recovery_words(report_));
    label("run", report_.id);
    label("asked", request_words(report_));
    label("time", time_words(report_));
    label("isolation", report_.isolation);
    if (report_.bytes_read != 0 || report_.bytes_restored != 0) {
      label("bytes",
            fmt::format("{} read from storage, {} restored", format_bytes(report_.bytes_read),
                        format_bytes(report_.bytes_restored)));
    }
  }

  void table(std::string_view title, std::vector<Row> rows,
             const std::vector<std::string_view>& colours = {}) {
    if (rows.size() < 2) return;
    heading(title);
    for (auto& row : rows) {
      for (auto& cell : row) cell = printable(cell, kCellBytes);
    }
    const auto lines = layout_table(rows, width_);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      out_ += paint(lines[i], i < colours.size() ? colours[i] : std::string_view()) + "\n";
    }
  }

  void checks() {
    if (report_.checks.empty()) {
      heading("Checks");
      out_ += "  none ran\n";
      return;
    }
    std::vector<std::string_view> colours{""};
    for (const auto& check : report_.checks) colours.push_back(colour_of(check.outcome));
    table("Checks", check_rows(report_), colours);
    for (const auto& check : report_.checks) {
      if (needs_paragraph(report_, check)) explain(check);
    }
  }

  void explain(const CheckOutcome& check) {
    out_ += "\n  " + paint(printable(check.name, kCellBytes), colour_of(check.outcome)) + "\n";
    label("what", check.message);
    label("object", check.object);
    label("hint", check.hint);
    std::size_t shown = 0;
    for (const auto& line : check.details) {
      if (shown++ == kDetailLines) {
        label("", fmt::format("and {} more: see --json", check.details.size() - kDetailLines));
        break;
      }
      label(shown == 1 ? "details" : "", line);
    }
  }

  void further_faults() {
    if (report_.faults.empty()) return;
    heading("Also found");
    std::size_t shown = 0;
    for (const auto& fault : report_.faults) {
      if (shown++ == kDetailLines) {
        out_ += fmt::format("  and {} more: see --json\n", report_.faults.size() - kDetailLines);
        break;
      }
      out_ += labelled(to_string(fault.reason), printable(fault.message), 18, width_);
    }
  }

  void findings() {
    if (report_.findings.empty()) return;
    heading("Findings (they do not change the verdict)");
    for (const auto& finding : report_.findings) {
      std::string text = finding.message;
      if (!finding.object.empty()) text += fmt::format(" [{}]", finding.object);
      out_ += labelled(printable(finding.code, 40), printable(text), 18, width_);
    }
  }

  void cleanup() {
    heading("Cleanup");
    const bool bad = report_.cleanup == CleanupResult::failed;
    const std::string text = labelled(to_string(report_.cleanup), printable(cleanup_words(report_)),
                                      kLabelColumns, width_);
    out_ += bad ? paint(text.substr(0, text.size() - 1), kRed) + "\n" : text;
  }

  const RunReport& report_;
  bool colour_;
  std::size_t width_;
  std::string out_;
};

}  // namespace

TerminalStyle terminal_style(int fd, bool allow_colour) {
  TerminalStyle style;
  if (::isatty(fd) != 1) return style;
  style.colour = allow_colour;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) style.width = size.ws_col;
  return style;
}

std::string render_terminal(const RunReport& report, const TerminalStyle& style) {
  return TerminalReport(report, style).render();
}

std::string render_json(const RunReport& report) {
  return json::pretty(to_json(report));
}

}  // namespace rad
