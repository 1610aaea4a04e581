// The direction of dependency, read off the #include lines; see docs/design.md, "Layout".
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rad {
namespace {

namespace fs = std::filesystem;
using Folders = std::set<std::string>;

struct Line {
  std::string file;  ///< relative to the source tree
  int number = 0;
  std::string text;  ///< without a line comment
};

std::string place(const Line& line) {
  return line.file + ":" + std::to_string(line.number);
}

std::vector<Line> read_lines() {
  std::vector<Line> lines;
  for (const char* top : {"agent", "plugins"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(RAD_SOURCE_DIR) / top)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      std::ifstream file(entry.path());
      Line line{
          .file = fs::relative(entry.path(), RAD_SOURCE_DIR).string(), .number = 0, .text = {}};
      while (std::getline(file, line.text)) {
        ++line.number;
        line.text.resize(std::min(line.text.size(), line.text.find("//")));
        lines.push_back(line);
      }
    }
  }
  return lines;
}

const std::vector<Line>& all_lines() {
  static const std::vector<Line> lines = read_lines();
  return lines;
}

/// "agent/base/text.h" -> "agent/base"
std::string folder_of(const std::string& path) {
  return path.substr(0, path.find('/', path.find('/') + 1));
}

/// What is included, e.g. "agent/base/text.h" or "fmt/format.h"; "" if the line includes nothing.
std::string included(const Line& line, char open) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::smatch match;
  if (line.text.find("include") == std::string::npos) return {};
  if (!std::regex_search(line.text, match, kInclude)) return {};
  return match.str(1).front() == open ? match.str(2) : std::string();
}

/// Each folder with what it may include besides itself. What is not listed here is a plugin.
const std::map<std::string, Folders>& allowed_folders() {
  static const std::map<std::string, Folders> table = [] {
    const Folders model{"agent/base", "agent/model"};
    const auto with = [](Folders base, const Folders& more) {
      base.insert(more.begin(), more.end());
      return base;
    };
    const Folders config = with(model, {"agent/config"});
    const Folders protocol = with(model, {"plugins/protocol"});
    const Folders parts = with(with(config, protocol), {"agent/schedule", "agent/plugin_host",
                                                        "agent/store", "agent/report"});
    const Folders run = with(parts, {"agent/run"});
    return std::map<std::string, Folders>{
        {"agent/base", {}},
        {"agent/model", {"agent/base"}},
        {"agent/config", model},
        {"agent/schedule", config},
        {"agent/plugin_host", with(config, protocol)},
        {"agent/store", config},
        {"agent/report", config},
        {"agent/run", parts},
        {"agent/control", run},
        {"agent/cli", run},
        {"agent/main", with(run, {"agent/control", "agent/cli"})},
        {"plugins/protocol", model},
        {"plugins/sdk", protocol},
        {"plugins/object_store", protocol},
    };
  }();
  return table;
}

const Folders& allowed_in(const std::string& folder) {
  static const Folders kPlugin{"agent/base", "agent/model", "plugins/protocol", "plugins/sdk",
                               "plugins/object_store"};
  const auto row = allowed_folders().find(folder);
  return row == allowed_folders().end() ? kPlugin : row->second;
}

TEST(IncludeRules, SourcesAreFoundAtAll) {
  EXPECT_GT(all_lines().size(), 2000U);
  EXPECT_TRUE(std::any_of(all_lines().begin(), all_lines().end(), [](const Line& line) {
    return included(line, '"') == "agent/base/error.h";
  }));
}

TEST(IncludeRules, GoOneWayOnly) {
  for (const Line& line : all_lines()) {
    const std::string path = included(line, '"');
    if (path.empty()) continue;
    const std::string from = folder_of(line.file);
    const std::string to = folder_of(path);
    EXPECT_TRUE(from == to || allowed_in(from).contains(to))
        << place(line) << ": " << from << " must not include " << to;
    EXPECT_TRUE(fs::exists(fs::path(RAD_SOURCE_DIR) / path))
        << place(line) << ": '" << path << "' is not a full path from the root of the sources";
  }
}

TEST(IncludeRules, EveryAgentFolderHasItsRow) {
  for (const auto& entry : fs::directory_iterator(fs::path(RAD_SOURCE_DIR) / "agent")) {
    const std::string folder = "agent/" + entry.path().filename().string();
    EXPECT_TRUE(!entry.is_directory() || allowed_folders().contains(folder)) << folder;
  }
}

/// The files whose includes begin with `prefix`.
std::set<std::string> users_of(const std::string& prefix) {
  std::set<std::string> files;
  for (const Line& line : all_lines()) {
    if (included(line, '<').starts_with(prefix)) files.insert(line.file);
  }
  return files;
}

void expect_only_below(const std::string& library, const std::vector<std::string>& places) {
  for (const std::string& file : users_of(library)) {
    EXPECT_TRUE(std::any_of(places.begin(), places.end(),
                            [&](const std::string& where) { return file.starts_with(where); }))
        << file << " must not include <" << library << "...>";
  }
}

TEST(IncludeRules, EachLibraryHasItsOnlyUser) {
  expect_only_below("yaml-cpp/", {"agent/config/"});
  expect_only_below("prometheus/", {"agent/report/"});
  expect_only_below("libpq-fe.h", {"plugins/postgresql/", "agent/store/"});
  expect_only_below("sqlite3.h", {"agent/store/"});
  expect_only_below("spdlog/", {"agent/base/log.cc"});
  expect_only_below("boost/process", {"agent/plugin_host/"});
  expect_only_below("archive", {"plugins/"});
  expect_only_below("lzo/", {"plugins/"});
  EXPECT_LE(users_of("boost/beast").size(), 2U) << "Beast is dear to compile";
  // Guards the test itself: a library that is certainly used must be seen.
  EXPECT_TRUE(users_of("spdlog/").contains("agent/base/log.cc"));
}

/// Whether `word` stands in the line and is not the end of a longer one.
bool says(const std::string& text, const std::string& word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const unsigned char before = at == 0 ? ' ' : static_cast<unsigned char>(text[at - 1]);
    if (std::isalnum(before) == 0 && before != '_') return true;
  }
  return false;
}

TEST(BannedWords, StayInBase) {
  for (const Line& line : all_lines()) {
    const std::string folder = folder_of(line.file);
    if (folder == "agent/base") continue;
    EXPECT_FALSE(says(line.text, "system_clock::now")) << place(line) << ": take a Clock";
    EXPECT_FALSE(says(line.text, "sleep_for")) << place(line) << ": wait for something";
    EXPECT_FALSE(says(line.text, "popen(")) << place(line) << ": use ChildProcess";
    if (!folder.starts_with("agent/")) continue;
    EXPECT_FALSE(says(line.text, "std::thread") || says(line.text, "std::jthread"))
        << place(line) << ": use the event loop";
    EXPECT_TRUE(folder == "agent/main" || !says(line.text, "getenv("))
        << place(line) << ": main reads the environment";
  }
}

}  // namespace
}  // namespace rad
