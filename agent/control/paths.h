// Paths of requests, and the patterns of the routes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rad {

/// "/v1/runs/a%20b" is "v1", "runs", "a b". At most 2000 bytes. \return nothing for what is no
/// path.
std::optional<std::vector<std::string>> split_path(std::string_view path);

/// \param pattern  "/v1/runs/{run}/log": {…} stands for any one segment that is not empty
/// \return what stands for each {…}, or nothing if the path is another one.
std::optional<std::vector<std::string>> match_path(std::string_view pattern,
                                                   const std::vector<std::string>& path);

}  // namespace rad
