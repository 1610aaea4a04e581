// A directory of the test's own, removed at its end.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace rad::test {

/// Made below $TMPDIR or /tmp with mode 0700; removed with everything in it by the destructor.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }
  /// Writes a file below the directory, parents included. \return its path
  std::filesystem::path write(const std::filesystem::path& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

}  // namespace rad::test
