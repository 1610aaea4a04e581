#include "agent/report/issue_file.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad {
namespace {

constexpr std::string_view kFence = "---";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

bool plain_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.');
  });
}

std::string quoted(std::string_view text) {
  if (plain_word(text)) return std::string(text);
  return boost::json::serialize(boost::json::value(json::safe_string(text)));
}

/// People's editors put quotes round words, or change them.
std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"') {
    if (auto value = json::parse(text, "front matter"); value && value->is_string()) {
      return std::string(value->get_string());
    }
  }
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') {
    text = text.substr(1, text.size() - 2);
  }
  return std::string(text);
}

std::vector<std::string> parse_names(std::string_view text) {
  std::vector<std::string> names;
  auto value = json::parse(text, "front matter");
  if (value && value->is_array()) {
    for (const auto& name : value->get_array()) {
      if (name.is_string()) names.emplace_back(name.get_string());
    }
    return names;
  }
  // [a, b] or a, b as people write it.
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const auto first = word.find_first_not_of(" []\"'");
    if (first == std::string_view::npos) continue;
    names.emplace_back(word.substr(first, word.find_last_not_of(" []\"'") - first + 1));
  }
  return names;
}

std::uint64_t parse_count(std::string_view text) {
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

TimePoint parse_instant(std::string_view text) {
  const auto time = parse_time(unquoted(text));
  return time ? *time : TimePoint{};
}

}  // namespace

std::string IssueFile::run_mark(std::string_view run_id) {
  return fmt::format("<!-- rad-run: {} -->", printable(run_id, 100));
}

bool IssueFile::has_run(std::string_view run_id) const {
  return last_run == run_id || body.find(run_mark(run_id)) != std::string::npos;
}

std::optional<IssueFile> IssueFile::parse(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (trim(take_line(text)) != kFence) return std::nullopt;
  IssueFile file;
  file.state.clear();
  std::optional<Depth> depth;
  bool closed_fence = false;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (trim(line) == kFence) {
      closed_fence = true;
      break;
    }
    const std::size_t colon = line.find(':');
    const std::string_view key = trim(line.substr(0, colon));
    const std::string_view value =
        colon == std::string_view::npos ? std::string_view() : trim(line.substr(colon + 1));
    if (key == "target") {
      file.target = unquoted(value);
    } else if (key == "depth") {
      depth = parse_depth(unquoted(value));
    } else if (key == "state") {
      file.state = unquoted(value);
    } else if (key == "verdict") {
      file.verdict = unquoted(value);
    } else if (key == "reason") {
      file.reason = unquoted(value);
    } else if (key == "opened_at") {
      file.opened_at = parse_instant(value);
    } else if (key == "count") {
      file.count = parse_count(value);
    } else if (key == "last_run") {
      file.last_run = unquoted(value);
    } else if (key == "last_started_at") {
      file.last_started_at = parse_instant(value);
    } else if (key == "checks") {
      file.checks = parse_names(value);
    } else {
      file.other_lines.emplace_back(line);
    }
  }
  if (!closed_fence || file.target.empty() || !depth || file.state.empty()) return std::nullopt;
  file.depth = *depth;
  file.body = text;
  return file;
}

std::string IssueFile::text() const {
  boost::json::array names;
  for (const auto& name : checks) names.emplace_back(json::safe_string(name));
  std::string out = fmt::format(
      "{}\ntarget: {}\ndepth: {}\nstate: {}\nverdict: {}\nreason: {}\nopened_at: {}\ncount: {}\n"
      "last_run: {}\nlast_started_at: {}\nchecks: {}\n",
      kFence, quoted(target), to_string(depth), quoted(state), quoted(verdict), quoted(reason),
      format_rfc3339(opened_at), count, quoted(last_run), format_rfc3339(last_started_at),
      boost::json::serialize(names));
  for (const auto& line : other_lines) out += line + "\n";
  return out + fmt::format("{}\n{}", kFence, body);
}

}  // namespace rad
