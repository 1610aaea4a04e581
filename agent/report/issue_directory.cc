#include "agent/report/issue_directory.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <tuple>

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "agent/report/issue_file.h"
#include "agent/report/markdown.h"
#include "agent/report/report_words.h"

namespace rad {
namespace {

namespace fs = std::filesystem;

constexpr int kLockTries = 200;
constexpr int kLockPauseMs = 50;
/// A file beyond this is somebody else's; it is neither read nor touched.
constexpr std::size_t kLargestFile = 8U << 20U;
/// Beyond this only one line a run is added.
constexpr std::size_t kLongBody = 512U << 10U;

struct FoundIssue {
  fs::path path;
  IssueFile file;
};

/// Targets and run ids are made of harmless characters by those who make them; a name that is not
/// must still not leave the directory.
std::string file_word(std::string_view text) {
  std::string word;
  for (const char c : text.substr(0, 80)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte < 0x80 && (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.');
    word += plain ? c : '_';
  }
  if (word.empty() || word.front() == '.') word.insert(0, "_");
  return word;
}

Result<UniqueFd> lock_directory(const fs::path& directory) {
  const fs::path path = directory / ".lock";
  for (int i = 0;; ++i) {
    auto lock = lock_file(path);
    if (lock || lock.error().reason != Reason::target_busy) return lock;
    if (i == kLockTries) {
      Error error =
          fail(Reason::target_busy,
               fmt::format("issue directory '{}' is locked by another process", directory.string()),
               fmt::format("`fuser -v {}` shows which", path.string()), path.string());
      error.retryable = true;
      return error;
    }
    ::poll(nullptr, 0, kLockPauseMs);
  }
}

Status make_directory(const fs::path& directory) {
  std::error_code error;
  if (fs::create_directories(directory, error)) ::chmod(directory.c_str(), 0750);
  if (error) {
    return fail(
        Reason::host_unfit,
        fmt::format("issue directory '{}' cannot be made: {}", directory.string(), error.message()),
        "make it, owned by the agent's user", directory.string());
  }
  return {};
}

/// All issues that can be read, by name. Files of other kinds and names are none of ours.
Result<std::vector<FoundIssue>> read_issues(const fs::path& directory) {
  std::vector<FoundIssue> issues;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  if (error == std::errc::no_such_file_or_directory) return issues;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->path().extension() != ".md" ||
        !fs::is_regular_file(entry->symlink_status(ignored))) {
      continue;
    }
    auto text = read_file(entry->path(), kLargestFile);
    if (!text) continue;
    if (auto file = IssueFile::parse(*text)) issues.push_back({entry->path(), *std::move(file)});
  }
  if (error) {
    return fail(Reason::access_denied,
                fmt::format("issue directory '{}' cannot be listed: {}", directory.string(),
                            error.message()),
                "give the agent's user read and write access to it", directory.string());
  }
  std::sort(issues.begin(), issues.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return issues;
}

IssueChange change_of(IssueAction action, const fs::path& path, const IssueFile& file) {
  return {.action = action,
          .path = path,
          .target = file.target,
          .depth = file.depth,
          .open = file.open(),
          .opened_at = file.opened_at,
          .count = file.count,
          .reason = file.reason};
}

std::vector<std::string> troubled_checks(const RunReport& report) {
  std::vector<std::string> names;
  for (const auto& check : report.checks) {
    if (check.outcome == Outcome::fail || check.outcome == Outcome::inconclusive) {
      names.push_back(check.name);
    }
  }
  return names;
}

/// A check that was left out, skipped or has been taken out of the configuration proves nothing.
bool all_passed(const std::vector<std::string>& names, const RunReport& report) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(report.checks.begin(), report.checks.end(), [&](const CheckOutcome& check) {
      return check.name == name && check.outcome == Outcome::pass;
    });
  });
}

void note_failure(IssueFile& file, const RunReport& report) {
  ++file.count;
  file.verdict = report.verdict ? to_string(*report.verdict) : "";
  file.reason = report.cause ? to_string(report.cause->reason) : "";
  file.last_run = report.id;
  file.last_started_at = std::max(file.last_started_at, report.created_at);
  for (auto& name : troubled_checks(report)) {
    if (std::find(file.checks.begin(), file.checks.end(), name) == file.checks.end()) {
      file.checks.push_back(std::move(name));
    }
  }
}

std::string closing_rule(const IssueFile& file) {
  std::string rule =
      fmt::format("It closes by itself with the next pass at depth {}{}", to_string(file.depth),
                  file.depth == Depth::restore ? "" : " or deeper");
  if (!file.checks.empty()) {
    rule +=
        " in which the failed checks pass (the list `checks` above; take a name out of it when "
        "the check was removed from the configuration)";
  }
  return rule + ". To close it by hand, write `state: closed` above.";
}

std::string opening_body(const IssueFile& file, const RunReport& report,
                         const IssueContext& context) {
  const std::string page = runbook_page(report);
  const std::string good =
      context.last_good_proof
          ? fmt::format("{} ({} before this run)", format_rfc3339(*context.last_good_proof),
                        format_duration(std::max(report.created_at - *context.last_good_proof,
                                                 std::chrono::milliseconds(0))))
          : "never, as far as the agent remembers";
  std::string body = fmt::format("{}\n\n# {}\n\n", IssueFile::run_mark(report.id),
                                 escape_markdown(report_title(report)));
  body += fmt::format("**What is wrong:** {}.", escape_markdown(verdict_sentence(report)));
  if (report.cause) body += fmt::format(" {}.", escape_markdown(report.cause->message, 2000));
  body += fmt::format("\n\n**Since:** {}. **Last good proof at this depth:** {}.\n\n",
                      format_rfc3339(report.created_at), good);
  body += "**What to do next:** ";
  if (report.cause && !report.cause->hint.empty()) {
    body += escape_markdown(report.cause->hint, 2000) + ". ";
  }
  if (!page.empty()) {
    const std::string base = context.runbook_base.empty() ? "runbooks" : context.runbook_base;
    body += fmt::format("Runbook: {}{}{}.md", base, base.ends_with('/') ? "" : "/", page);
  }
  return body + "\n\n" + closing_rule(file) + "\n\n" +
         render_markdown(report, {.heading_level = 2, .runbook_base = context.runbook_base});
}

std::string repetition_body(const IssueFile& file, const RunReport& report,
                            const IssueContext& context) {
  std::string body = "\n" + IssueFile::run_mark(report.id) + "\n";
  if (file.body.size() > kLongBody) {
    return body + fmt::format("- again: {}, {}\n", format_rfc3339(report.created_at),
                              escape_markdown(report_title(report)));
  }
  return body + "\n" +
         render_markdown(report, {.heading_level = 2, .runbook_base = context.runbook_base});
}

std::string closing_body(const IssueFile& file, const RunReport& report) {
  return fmt::format(
      "\n{}\n\n## Closed\n\nRun {} passed at depth {} on {}; {} before it had found it wrong.\n",
      IssueFile::run_mark(report.id), markdown_code(report.id), to_string(report.depth),
      format_rfc3339(report.ended_at.value_or(report.created_at)),
      file.count == 1 ? std::string("one run") : fmt::format("{} runs", file.count));
}

void append(IssueFile& file, const std::string& text) {
  if (!file.body.empty() && file.body.back() != '\n') file.body += '\n';
  file.body += text;
}

Status write_issue(const FoundIssue& issue) {
  return write_file_atomic(issue.path, issue.file.text(), 0640);
}

Result<IssueChange> record_trouble(const fs::path& directory, std::vector<FoundIssue>& issues,
                                   const RunReport& report, const IssueContext& context) {
  for (auto& issue : issues) {
    if (!issue.file.open() || issue.file.target != report.target ||
        issue.file.depth != report.depth) {
      continue;
    }
    append(issue.file, repetition_body(issue.file, report, context));
    note_failure(issue.file, report);
    RAD_CHECK(write_issue(issue));
    return change_of(IssueAction::appended, issue.path, issue.file);
  }
  FoundIssue issue;
  issue.file.target = report.target;
  issue.file.depth = report.depth;
  issue.file.opened_at = report.ended_at.value_or(report.created_at);
  note_failure(issue.file, report);
  issue.file.body = "\n" + opening_body(issue.file, report, context);
  issue.path = directory / fmt::format("{}-{}-{}.md", file_word(report.target),
                                       to_string(report.depth), file_word(report.id));
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(issue.path, ignored))) {
    // Its name holds this run, so it was made for it, and people have changed it beyond reading.
    return change_of(IssueAction::already_recorded, issue.path, issue.file);
  }
  RAD_CHECK(write_issue(issue));
  return change_of(IssueAction::opened, issue.path, issue.file);
}

Result<std::vector<IssueChange>> record_pass(std::vector<FoundIssue>& issues,
                                             const RunReport& report) {
  std::vector<IssueChange> changes;
  for (auto& issue : issues) {
    IssueFile& file = issue.file;
    const bool answers = file.open() && file.target == report.target &&
                         report.depth >= file.depth && report.created_at > file.last_started_at;
    // One that has the run already and is open was opened again by hand.
    if (!answers || file.has_run(report.id) || !all_passed(file.checks, report)) continue;
    append(file, closing_body(file, report));
    file.state = "closed";
    RAD_CHECK(write_issue(issue));
    changes.push_back(change_of(IssueAction::closed, issue.path, file));
  }
  return changes;
}

}  // namespace

std::string_view to_string(IssueAction value) noexcept {
  switch (value) {
    case IssueAction::none:
      return "none";
    case IssueAction::opened:
      return "opened";
    case IssueAction::appended:
      return "appended";
    case IssueAction::closed:
      return "closed";
    case IssueAction::already_recorded:
      return "already_recorded";
  }
  return "none";
}

IssueDirectory::IssueDirectory(fs::path directory) : directory_(std::move(directory)) {}

Result<std::vector<IssueChange>> IssueDirectory::record(const RunReport& report,
                                                        const IssueContext& context) {
  const bool trouble = report.verdict == Verdict::fail ||
                       (report.verdict == Verdict::inconclusive && context.open_on_inconclusive);
  if (!trouble && report.verdict != Verdict::pass) return std::vector<IssueChange>{};

  RAD_CHECK(make_directory(directory_));
  RAD_TRY(const UniqueFd lock, lock_directory(directory_));
  RAD_TRY(auto issues, read_issues(directory_));
  if (!trouble) return record_pass(issues, report);
  for (const auto& issue : issues) {
    if (issue.file.target == report.target && issue.file.has_run(report.id)) {
      return std::vector{change_of(IssueAction::already_recorded, issue.path, issue.file)};
    }
  }
  RAD_TRY(auto change, record_trouble(directory_, issues, report, context));
  return std::vector{std::move(change)};
}

Result<std::vector<IssueChange>> IssueDirectory::open_issues() const {
  RAD_TRY(const auto issues, read_issues(directory_));
  std::vector<IssueChange> open;
  for (const auto& issue : issues) {
    if (issue.file.open()) {
      open.push_back(change_of(IssueAction::none, issue.path, issue.file));
    }
  }
  std::stable_sort(open.begin(), open.end(), [](const auto& a, const auto& b) {
    return std::tie(a.target, a.depth) < std::tie(b.target, b.depth);
  });
  return open;
}

}  // namespace rad
