#include "agent/control/paths.h"

#include <boost/url/parse_path.hpp>
#include <boost/url/segments_encoded_view.hpp>

namespace rad {
namespace {

namespace urls = boost::urls;
using Segments = std::vector<std::string>;

constexpr std::size_t kMaxPath = 2000;

}  // namespace

std::optional<Segments> split_path(std::string_view path) {
  if (path.size() > kMaxPath || !path.starts_with('/')) return std::nullopt;
  const auto parsed = urls::parse_path({path.data(), path.size()});
  if (!parsed) return std::nullopt;
  Segments segments;
  for (const auto& segment : *parsed) {
    const auto decoded = segment.decode();
    segments.emplace_back(decoded.begin(), decoded.end());
  }
  return segments;
}

std::optional<Segments> match_path(std::string_view pattern, const Segments& path) {
  Segments names;
  std::size_t at = 0;
  pattern.remove_prefix(1);
  while (true) {
    const auto slash = pattern.find('/');
    const std::string_view word = pattern.substr(0, slash);
    if (at == path.size()) return std::nullopt;
    if (word.starts_with('{')) {
      if (path[at].empty()) return std::nullopt;
      names.push_back(path[at]);
    } else if (word != path[at]) {
      return std::nullopt;
    }
    ++at;
    if (slash == std::string_view::npos) break;
    pattern.remove_prefix(slash + 1);
  }
  if (at != path.size()) return std::nullopt;
  return names;
}

}  // namespace rad
