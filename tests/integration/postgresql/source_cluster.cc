#include "tests/integration/postgresql/source_cluster.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include <sys/stat.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"
#include "agent/base/json.h"
#include "tests/integration/postgresql/plugin_driver.h"

namespace rad::test {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;

void run(const fs::path& program, const std::vector<std::string>& args) {
  ChildSpec spec;
  spec.program = program;
  spec.args = args;
  const ToolOutput output = run_tool(spec).value();
  if (!output.status.ok()) {
    throw std::runtime_error(program.string() + ": " + output.status.text() + ": " + output.err);
  }
}

void give_away(const fs::path& path) {
  if (!work_account().empty()) run("chown", {"-hR", work_account(), path.string()});
}

}  // namespace

SourceCluster& SourceCluster::instance() {
  static SourceCluster cluster;
  return cluster;
}

SourceCluster::SourceCluster() {
  ::chmod(dir_.path().c_str(), 0755);
  run(RAD_SOURCE_DIR "/tests/integration/postgresql/make-source", {path().string()});
  facts_ = json::parse(read_file(path() / "facts.json").value(), "facts.json").value().as_object();
}

std::string SourceCluster::fact(const char* key) const {
  return std::string(facts_.at(key).as_string());
}

RestoredCopy::RestoredCopy() {
  const SourceCluster& source = SourceCluster::instance();
  ::chmod(dir_.path().c_str(), 0755);
  run("cp", {"-a", (source.path() / "base").string(), data().string()});
  run("cp", {"-a", (source.path() / "base_ts").string(), (dir_ / "ts").string()});
  const fs::path link = data() / "pg_tblspc" / source.fact("tablespace");
  fs::remove(link);
  fs::create_directory_symlink(dir_ / "ts", link);
  std::ofstream(data() / "tablespace_map")
      << source.fact("tablespace") << " " << (dir_ / "ts").string() << "\n";
  fill_archive("archive");
  set_fetch("exec cp " + archive().string() + "/\"$1\" \"$2\" 2>/dev/null");
  give_away(data());
}

void RestoredCopy::fill_archive(const char* name) {
  fs::remove_all(archive());
  fs::create_directory(archive());
  for (const auto& entry : fs::directory_iterator(SourceCluster::instance().path() / name)) {
    fs::create_symlink(entry.path(), archive() / entry.path().filename());
  }
}

void RestoredCopy::use_branch() {
  fill_archive("archive2");
  branch_ = true;
}

RestoredCopy::RestoredCopy(Odd) : odd_(true) {
  ::chmod(dir_.path().c_str(), 0755);
  run("cp", {"-a", (SourceCluster::instance().path() / "odd").string(), data().string()});
}

fs::path RestoredCopy::own_segment(const std::string& name) {
  const fs::path path = archive() / name;
  fs::remove(path);
  fs::copy_file(SourceCluster::instance().path() / "archive" / name, path);
  ::chmod(path.c_str(), 0644);
  return path;
}

void RestoredCopy::set_fetch(const std::string& script) {
  const fs::path path = dir_ / "fetch it";  // a blank, for the quoting
  std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
  ::chmod(path.c_str(), 0755);
}

bj::object RestoredCopy::artifact(const bj::object& changes) const {
  const SourceCluster& source = SourceCluster::instance();
  bj::object properties{{"major", 15},
                        {"system_identifier", ""},
                        {"tablespaces", bj::array{}},
                        {"restore_command", bj::array{}},
                        {"backup_start_lsn", ""},
                        {"backup_stop_lsn", ""},
                        {"offline", true},
                        {"recover_to", {{"kind", "latest"}, {"value", ""}}},
                        {"archive_end", nullptr},
                        {"wal_segment_bytes", 16 << 20},
                        {"suspect_pages", bj::array{}},
                        {"links_left_out", bj::array{}}};
  if (!odd_) {
    properties["system_identifier"] = source.fact("system_identifier");
    properties["tablespaces"] =
        bj::array{bj::object{{"oid", source.fact("tablespace")}, {"path", (dir_ / "ts").string()}}};
    properties["restore_command"] = bj::array{bj::string((dir_ / "fetch it").string())};
    properties["backup_start_lsn"] = source.fact("start_lsn");
    properties["backup_stop_lsn"] = source.fact("stop_lsn");
    properties["offline"] = false;
    properties["archive_end"] = {
        {"segment", source.fact(branch_ ? "branch_segment" : "last_segment")},
        {"timeline", branch_ ? 2 : 1},
        {"last_record_lsn", source.fact(branch_ ? "branch_record" : "last_record")},
        {"clean", true}};
  }
  for (const auto& [key, value] : changes) properties[key] = value;
  return {
      {"kind", "postgresql_data_directory"}, {"path", data().string()}, {"properties", properties}};
}

void flip_byte(const fs::path& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 0x5A));
  if (!file) throw std::runtime_error("cannot change " + path.string());
}

std::vector<std::string> processes_with(const std::string& text) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string line(std::istreambuf_iterator<char>(file), {});
    if (line.find(text) != std::string::npos) found.push_back(line);
  }
  return found;
}

}  // namespace rad::test
