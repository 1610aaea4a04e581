// Objects as files below a directory, as WAL-E's file backend writes them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/unique_fd.h"
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

  Status visit(std::string_view prefix, const ObjectVisitor& visit, std::stop_token stop) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  /// The reader has a descriptor().
  Result<std::unique_ptr<ObjectReader>> open(std::string_view key,
                                             const OpenOptions& options) override;
  std::string describe() const override;

 private:
  struct Walk;
  Status walk(UniqueFd fd, const std::string& relative, Walk& state) const;
  Status take(int dir_fd, const std::string& key, const char* name, Walk& state) const;

  std::filesystem::path root_;
};

/// \param url "file:///path" or "file://host/path". \return config_invalid.
Result<std::unique_ptr<Storage>> open_file_storage(std::string_view url);

}  // namespace rad::object_store
