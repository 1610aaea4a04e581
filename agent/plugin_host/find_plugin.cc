#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/plugin_host/plugin_process.h"

namespace rad {
namespace {

Status check_owner(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return fail(Reason::tool_missing,
                fmt::format("plugin file '{}': {}", path.string(), std::strerror(errno)),
                "set agent.plugin_dir to the directory that holds the plugins", path.string());
  }
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return fail(Reason::config_invalid,
                fmt::format("plugin file '{}' belongs to user {}, expected root or user {}",
                            path.string(), info.st_uid, ::geteuid()),
                fmt::format("chown root '{}'", path.string()), path.string());
  }
  const bool sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky) {
    return fail(Reason::config_invalid,
                fmt::format("plugin file '{}' has mode {:o}: others could have changed it",
                            path.string(), info.st_mode & 07777U),
                fmt::format("chmod go-w '{}'", path.string()), path.string());
  }
  return {};
}

Status check_name(const std::string& name) {
  if (!name.empty() && name.find('/') == std::string::npos && name.front() != '.') return {};
  return fail(Reason::config_invalid, fmt::format("plugin name '{}' is not a file name", name),
              "write the name of a file in agent.plugin_dir");
}

}  // namespace

Result<PluginCommand> find_plugin(const std::string& name, const std::filesystem::path& plugin_dir,
                                  const std::filesystem::path& libexec_dir,
                                  const std::filesystem::path& socket_dir,
                                  const std::string& plugin_user) {
  RAD_CHECK(check_name(name));
  if (!socket_dir.empty()) {
    const std::filesystem::path socket = socket_dir / (name + ".sock");
    std::error_code ec;
    if (std::filesystem::is_socket(socket, ec)) {
      return PluginCommand{.name = name,
                           .program = {},
                           .launcher = {},
                           .socket = socket,
                           .plugin_user = plugin_user};
    }
  }
  return find_plugin(name, plugin_dir, libexec_dir);
}

Result<PluginCommand> find_plugin(const std::string& name, const std::filesystem::path& plugin_dir,
                                  const std::filesystem::path& libexec_dir) {
  RAD_CHECK(check_name(name));
  const std::filesystem::path program = plugin_dir / name;
  std::error_code ec;
  if (!std::filesystem::exists(program, ec)) {
    return fail(Reason::tool_missing,
                fmt::format("plugin '{}' is not in '{}'", name, plugin_dir.string()),
                "install it there, or set agent.plugin_dir", program.string());
  }
  RAD_CHECK(check_owner(plugin_dir));
  RAD_CHECK(check_owner(program));
  if (::access(program.c_str(), X_OK) != 0) {
    return fail(Reason::config_invalid,
                fmt::format("plugin file '{}' cannot be executed", program.string()),
                fmt::format("chmod +x '{}'", program.string()), program.string());
  }
  const std::filesystem::path launcher = libexec_dir / "rad-launch";
  if (::access(launcher.c_str(), X_OK) != 0) {
    return fail(Reason::tool_missing, fmt::format("launcher '{}' is not there", launcher.string()),
                "reinstall rad-agent, or set agent.libexec_dir", launcher.string());
  }
  return PluginCommand{
      .name = name, .program = program, .launcher = launcher, .socket = {}, .plugin_user = {}};
}

}  // namespace rad
