// Objects as files below a directory, as WAL-E's file backend writes them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/object_store/storage.h"

namespace rad::object_store {

/// A directory tree as a storage. Thread-safe; holds no descriptor between calls.
///
/// Links: the root itself may be a symbolic link. A link to a regular file is an object. A link to
/// a directory is config_invalid when a listing meets it: following it could lead anywhere, leaving
/// it out would hide objects. Anything else that is not a regular file is not an object.
class FileStorage final : public Storage {
 public:
  /// \param root absolute; it need not exist yet.
  explicit FileStorage(std::filesystem::path root);

  Result<std::vector<ObjectInfo>> list(std::string_view prefix) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  Result<UniqueFd> open(std::string_view key, std::uint64_t offset) override;
  std::string describe() const override;

 private:
  struct Walk;
  Status walk(UniqueFd fd, const std::string& relative, Walk& state) const;
  Status visit(int dir_fd, const std::string& key, const char* name, Walk& state) const;

  std::filesystem::path root_;
};

}  // namespace rad::object_store
