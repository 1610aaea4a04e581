// How keys of a store become the names of objects in a bucket or container, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/error.h"

namespace rad::object_store {

/// "scheme://container/path" taken apart. `path` is as written: "" or with a leading "/".
struct ContainerUrl {
  std::string container;
  std::string path;
};
/// \return config_invalid naming the URL; no percent-decoding takes place, as in WAL-E.
Result<ContainerUrl> parse_container_url(std::string_view url);

/// All names of a store begin with its root.
class ObjectNames {
 public:
  /// WAL-E on S3 and Azure: names have no leading slash.
  static ObjectNames without_leading_slash(std::string_view path);
  /// WAL-E on Swift and GCS: names have one, also when the path is empty.
  static ObjectNames with_leading_slash(std::string_view path);

  const std::string& root() const noexcept { return root_; }  ///< "" or with a trailing "/"
  std::string name(std::string_view key) const { return root_ + std::string(key); }
  /// Nothing for names outside the root, and for the root's own marker.
  std::optional<std::string> key(std::string_view name) const;

 private:
  explicit ObjectNames(std::string root) : root_(std::move(root)) {}
  std::string root_;
};

}  // namespace rad::object_store
