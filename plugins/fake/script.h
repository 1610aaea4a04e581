// The file that tells the fake what to do; README.md describes it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "agent/model/outcome.h"

namespace rad::fake {

/// What to do at each call of each method. Not thread-safe.
class Script {
 public:
  Script() = default;  ///< says nothing: everything is done honestly
  /// \return config_invalid naming the file and the key that is not known.
  static Result<Script> load(const std::string& path);

  /// The act for the next call of `method`: of a list the next member, at its end the last again.
  boost::json::object next(std::string_view method);
  /// Fields that the script lays over the outcome of a check, by its name, then its type.
  boost::json::object outcome(const std::string& name, const std::string& type) const;

 private:
  std::map<std::string, boost::json::array, std::less<>> acts_;
  std::map<std::string, std::size_t, std::less<>> calls_;
  boost::json::object checks_;
};

}  // namespace rad::fake
