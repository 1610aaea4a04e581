// The cluster that make-source builds, and copies of it as a restore plugin would hand them over.
#pragma once

#include <filesystem>
#include <string>

#include <boost/json/object.hpp>

#include "tests/support/temp_dir.h"

namespace rad::test {

/// Built once a test program.
class SourceCluster {
 public:
  static SourceCluster& instance();

  std::filesystem::path path() const { return dir_.path() / "source"; }
  /// A value of facts.json.
  std::string fact(const char* key) const;

 private:
  SourceCluster();
  TempDir dir_;
  boost::json::object facts_;
};

/// A restored copy with an archive of its own, in a directory that the plugin's user may enter.
class RestoredCopy {
 public:
  RestoredCopy();
  /// The cluster with the odd superuser: offline, without an archive.
  struct Odd {};
  explicit RestoredCopy(Odd);

  std::filesystem::path place() const { return dir_.path(); }
  std::filesystem::path data() const { return dir_ / "data"; }
  std::filesystem::path archive() const { return dir_ / "archive"; }
  /// A copy of an archived file that may be changed.
  std::filesystem::path own_segment(const std::string& name);
  /// Goes on with the archive that has a second timeline.
  void use_branch();
  /// Replaces the restore command's script.
  void set_fetch(const std::string& script);

  /// Artifact as JSON; `changes` are laid over its properties.
  boost::json::object artifact(const boost::json::object& changes = {}) const;

 private:
  TempDir dir_;
  void fill_archive(const char* name);

  bool odd_ = false;
  bool branch_ = false;
};

/// Changes one byte of a file to another value.
void flip_byte(const std::filesystem::path& path, std::uint64_t offset);
/// Processes whose command line holds `text`, other than this one.
std::vector<std::string> processes_with(const std::string& text);

}  // namespace rad::test
