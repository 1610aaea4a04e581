// What the suite has to know of the plugin under test: RAD_CONTRACT_PLUGIN (its path),
// RAD_CONTRACT_OPTIONS (a JSON file, described in docs/plugin-authors-guide.md) and, to put it
// behind a socket as under systemd, RAD_CONTRACT_ACCEPT (the path of rad-accept).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "plugins/protocol/messages.h"

namespace rad::contract {

struct LongRequest {
  boost::json::object options;  ///< laid over the usual ones
  std::string method;
  boost::json::object params;  ///< of the request, e.g. the artifact of `start`
  bool must_cancel = false;    ///< it takes so long that only `cancelled` is a right answer
};

struct Config {
  std::filesystem::path plugin;
  std::filesystem::path accept;  ///< rad-accept, for a plugin behind a socket; "": pipes
  boost::json::object options;
  std::vector<protocol::CheckSpec> checks;
  Depth depth = Depth::restore;
  std::vector<std::string> run;      ///< methods of a good run, in order
  std::vector<std::string> prepare;  ///< command that is run before each plugin process
  boost::json::object artifact;      ///< for `start` without `restore`
  LongRequest long_request;
  std::vector<std::string> secrets;  ///< texts that no argument and no environment may hold
};

/// Reads the variables. Names in the file are replaced: ${source} and ${binary} at once,
/// ${scratch} and ${runtime} by place(). Throws std::runtime_error, which fails the test with its
/// text.
const Config& config();

/// The same value with names replaced.
boost::json::value place(const boost::json::value& value,
                         const std::map<std::string, std::string>& names);

}  // namespace rad::contract
