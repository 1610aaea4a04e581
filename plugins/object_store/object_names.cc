#include "plugins/object_store/object_names.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

std::string with_trailing_slash(std::string root) {
  if (!root.empty() && root.back() != '/') root += '/';
  return root;
}

}  // namespace

Result<ContainerUrl> parse_container_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) {
    return fail(Reason::config_invalid,
                fmt::format("storage '{}' is not a URL", printable(url, 200)));
  }
  const std::string_view rest = url.substr(scheme + 3);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  ContainerUrl parts{.container = std::string(rest.substr(0, slash)),
                     .path = std::string(rest.substr(slash))};
  if (parts.container.empty()) {
    return fail(Reason::config_invalid,
                fmt::format("storage '{}' names no container", printable(url, 200)),
                fmt::format("write {}://NAME/PREFIX", url.substr(0, scheme)));
  }
  if (parts.container.find_first_of("?#@\\ \t\r\n") != std::string::npos) {
    return fail(Reason::config_invalid,
                fmt::format("storage '{}' names no container", printable(url, 200)),
                "its name has no blanks and none of ? # @ \\");
  }
  return parts;
}

ObjectNames ObjectNames::without_leading_slash(std::string_view path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  return ObjectNames(with_trailing_slash(std::string(path)));
}

ObjectNames ObjectNames::with_leading_slash(std::string_view path) {
  std::string root(path);
  if (root.empty() || root.front() != '/') root.insert(root.begin(), '/');
  return ObjectNames(with_trailing_slash(std::move(root)));
}

std::optional<std::string> ObjectNames::key(std::string_view name) const {
  if (!name.starts_with(root_) || name.size() == root_.size()) return std::nullopt;
  return std::string(name.substr(root_.size()));
}

}  // namespace rad::object_store
