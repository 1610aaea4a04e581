// What plugins hand to one another through the agent, which passes it on unread.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace rad {

/// What a restore plugin produced. `kind` is postgresql_data_directory, disk_image, block_device or
/// directory; `properties` is agreed between the plugins of that kind (PROTOCOL.md, "Artifacts").
struct Artifact {
  std::string kind;
  std::string path;  ///< absolute, inside the run's scratch directory
  boost::json::object properties;
};

/// What an instance plugin offers to checks. `kind` is postgresql or directory.
struct Endpoint {
  std::string kind;
  boost::json::object properties;
};

}  // namespace rad
