#include "agent/run/sample.h"

#include <algorithm>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/unique_fd.h"

namespace rad {
namespace fs = std::filesystem;
namespace bj = boost::json;

namespace {

constexpr std::size_t kMaxDescription = std::size_t{1} << 20U;
constexpr std::string_view kPlace = "{sample}";
constexpr const char* kReinstall = "install the package again";

Error wrong(std::string message) {
  return fail(Reason::config_invalid, std::move(message), kReinstall);
}

Result<fs::path> inner_path(const std::string& text) {
  const fs::path path(text);
  const bool climbs = std::any_of(path.begin(), path.end(),
                                  [](const fs::path& part) { return part == ".." || part == "."; });
  if (text.empty() || path.is_absolute() || climbs) {
    return wrong(fmt::format("'{}' is no path inside of the sample", text));
  }
  return path;
}

Result<SampleDamage> read_damage(const bj::object& row) {
  using Kind = SampleDamage::Kind;
  SampleDamage damage;
  for (const auto& [word, kind] : {std::pair("flip", Kind::flip), std::pair("cut", Kind::cut),
                                   std::pair("remove", Kind::remove)}) {
    if (!row.contains(word)) continue;
    damage.kind = kind;
    RAD_TRY(const std::string file, json::get_string(row, word));
    RAD_TRY(damage.file, inner_path(file));
    if (kind == Kind::remove) return damage;
    RAD_TRY(damage.at, json::get_uint(row, "at"));
    return damage;
  }
  return wrong("damage is none of flip, cut and remove");
}

Result<CheckConfig> read_check(const bj::object& row) {
  CheckConfig check;
  RAD_TRY(check.check, json::get_string(row, "check"));
  RAD_TRY(check.name, json::get_string(row, "name", check.check));
  for (const auto& [key, value] : row) {
    if (key != "check" && key != "name") check.options.values[key] = value;
  }
  return check;
}

Status read_expectation(const bj::object& row, SampleCase& one) {
  RAD_TRY(const std::string depth, json::get_string(row, "depth"));
  RAD_TRY(const std::string verdict, json::get_string(row, "verdict"));
  RAD_TRY(const std::string reason, json::get_string(row, "reason", ""));
  const auto known_depth = parse_depth(depth);
  const auto known_verdict = parse_verdict(verdict);
  if (!known_depth || !known_verdict) {
    return wrong(
        fmt::format("case '{}': depth '{}' or verdict '{}' is unknown", one.name, depth, verdict));
  }
  one.depth = *known_depth;
  one.verdict = *known_verdict;
  one.reason = parse_reason(reason);
  if (one.reason.has_value() == (one.verdict == Verdict::pass)) {
    return wrong(fmt::format("case '{}': reason '{}' does not go with verdict '{}'", one.name,
                             reason, verdict));
  }
  return {};
}

Result<SampleCase> read_case(const bj::object& row) {
  SampleCase one;
  RAD_TRY(one.name, json::get_string(row, "name"));
  RAD_TRY(one.about, json::get_string(row, "about"));
  RAD_CHECK(read_expectation(row, one));
  RAD_TRY(one.options, json::get_object(row, "options"));
  RAD_TRY(const bj::array damages, json::get_array(row, "damage"));
  for (const bj::value& damage : damages) {
    if (!damage.is_object()) return wrong(fmt::format("case '{}': damage is no object", one.name));
    RAD_TRY(SampleDamage read, read_damage(damage.as_object()));
    one.damage.push_back(std::move(read));
  }
  RAD_TRY(const bj::array checks, json::get_array(row, "checks"));
  for (const bj::value& check : checks) {
    if (!check.is_object()) return wrong(fmt::format("case '{}': a check is no object", one.name));
    RAD_TRY(CheckConfig read, read_check(check.as_object()));
    one.checks.push_back(std::move(read));
  }
  return one;
}

Result<Sample> read_description(const fs::path& directory) {
  const fs::path file = directory / "selftest.json";
  RAD_TRY(const std::string text, read_file(file, kMaxDescription));
  RAD_TRY(const bj::value parsed, json::parse(text, file.string(), Reason::config_invalid));
  if (!parsed.is_object()) return wrong("it is no object");
  const bj::object& object = parsed.as_object();
  RAD_TRY(const std::uint64_t version, json::get_uint(object, "version"));
  if (version != 1) return wrong(fmt::format("version {} is unknown, expected 1", version));
  Sample sample;
  sample.directory = directory;
  RAD_TRY(sample.about, json::get_string(object, "about"));
  RAD_TRY(sample.options, json::get_object(object, "options"));
  RAD_TRY(const bj::array cases, json::get_array(object, "cases"));
  std::set<std::string> names;
  for (const bj::value& one : cases) {
    if (!one.is_object()) return wrong("a case is no object");
    RAD_TRY(SampleCase read, read_case(one.as_object()));
    if (!names.insert(read.name).second) {
      return wrong(fmt::format("case '{}' is there twice", read.name));
    }
    sample.cases.push_back(std::move(read));
  }
  for (const Verdict needed : {Verdict::pass, Verdict::fail}) {
    const bool there = std::ranges::any_of(
        sample.cases, [needed](const SampleCase& one) { return one.verdict == needed; });
    if (!there) return wrong(fmt::format("no case must end as '{}'", to_string(needed)));
  }
  return sample;
}

Error system_error(const std::error_code& ec, std::string_view doing, const fs::path& path) {
  const bool full = ec == std::errc::no_space_on_device;
  return fail(full ? Reason::scratch_full : Reason::host_unfit,
              fmt::format("cannot {} '{}': {}", doing, path.string(), ec.message()), "",
              path.string());
}

/// The account of the plugins may be another one than the agent's.
Status open_to_readers(const fs::path& copy) {
  std::error_code ec;
  fs::permissions(copy, fs::perms{0755}, ec);
  for (fs::recursive_directory_iterator it(copy, ec), end; !ec && it != end; it.increment(ec)) {
    fs::permissions(it->path(), it->is_directory() ? fs::perms{0755} : fs::perms{0644}, ec);
  }
  if (ec) return system_error(ec, "change the mode of", copy);
  return {};
}

Status flip(const fs::path& path, std::uint64_t at) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  unsigned char byte = 0;
  const auto offset = static_cast<off_t>(at);
  if (!fd || ::pread(fd.get(), &byte, 1, offset) != 1) {
    return wrong(fmt::format("the sample has no byte {} in '{}'", at, path.string()));
  }
  byte ^= 0xffU;
  if (::pwrite(fd.get(), &byte, 1, offset) != 1) {
    return system_error({errno, std::system_category()}, "write", path);
  }
  return {};
}

Status damage_file(const fs::path& path, const SampleDamage& damage) {
  std::error_code ec;
  if (!fs::exists(fs::symlink_status(path, ec))) {
    return wrong(fmt::format("the sample has no '{}'", damage.file.string()));
  }
  switch (damage.kind) {
    case SampleDamage::Kind::flip:
      return flip(path, damage.at);
    case SampleDamage::Kind::cut:
      if (fs::file_size(path, ec) <= damage.at || ec) {
        return wrong(
            fmt::format("'{}' of the sample cannot be cut at {}", damage.file.string(), damage.at));
      }
      fs::resize_file(path, damage.at, ec);
      break;
    case SampleDamage::Kind::remove:
      return remove_tree(path);
  }
  if (ec) return system_error(ec, "cut", path);
  return {};
}

void fill_in(bj::value& value, const std::string& copy) {
  if (bj::string* text = value.if_string()) {
    std::string filled(text->data(), text->size());
    const auto at = filled.find(kPlace);
    if (at != std::string::npos) filled.replace(at, kPlace.size(), copy);
    *text = filled;
  } else if (bj::array* list = value.if_array()) {
    for (bj::value& inner : *list) fill_in(inner, copy);
  } else if (bj::object* object = value.if_object()) {
    for (auto& [key, inner] : *object) fill_in(inner, copy);
  }
}

void overlay(bj::object& options, const bj::object& more, const std::string& copy) {
  for (const auto& [key, value] : more) {
    if (value.is_null()) {
      options.erase(key);
      continue;
    }
    bj::value filled = value;
    fill_in(filled, copy);
    options[key] = std::move(filled);
  }
}

}  // namespace

Result<std::optional<Sample>> load_sample(const fs::path& sample_dir, const std::string& plugin) {
  const fs::path directory = sample_dir / plugin;
  std::error_code ec;
  if (!fs::exists(directory, ec) && !ec) return std::optional<Sample>{};
  auto sample = read_description(directory);
  if (!sample) {
    Error error =
        std::move(sample).error().within(fmt::format("the sample in '{}'", directory.string()));
    error.reason = Reason::config_invalid;
    return error;
  }
  return std::optional<Sample>(*std::move(sample));
}

Status lay_out(const Sample& sample, const SampleCase& one, const fs::path& copy) {
  std::error_code ec;
  fs::copy(sample.directory, copy, fs::copy_options::recursive, ec);
  if (ec) return system_error(ec, "copy the sample to", copy);
  RAD_CHECK(open_to_readers(copy));
  for (const SampleDamage& damage : one.damage) {
    RAD_CHECK(damage_file(copy / damage.file, damage));
  }
  return {};
}

TargetConfig on_sample(const TargetConfig& target, const Sample& sample, const SampleCase& one,
                       const fs::path& copy) {
  TargetConfig config;
  config.name = target.name;
  config.restore = target.restore;
  overlay(config.restore.options.values, sample.options, copy.string());
  overlay(config.restore.options.values, one.options, copy.string());
  if (one.depth == Depth::restore) config.instance = target.instance;
  config.checks = one.checks;
  for (CheckConfig& check : config.checks) {
    for (auto& [key, value] : check.options.values) fill_in(value, copy.string());
  }
  config.timeouts = target.timeouts;
  return config;
}

}  // namespace rad
