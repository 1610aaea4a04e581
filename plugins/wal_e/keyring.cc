#include "plugins/wal_e/keyring.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"
#include "agent/base/isolation.h"
#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxKeyFile = 64U << 20U;
constexpr std::string_view kProbeText = "rad-agent key probe\n";
constexpr std::chrono::seconds kStopLimit{5};

ChildSpec gpg_spec(const fs::path& home, std::vector<std::string> args) {
  ChildSpec spec;
  spec.program = "gpg";
  spec.args = {"--homedir", home.string(), "--batch", "--no-tty"};
  spec.args.insert(spec.args.end(), std::make_move_iterator(args.begin()),
                   std::make_move_iterator(args.end()));
  spec.environment = std::map<std::string, std::string>{
      {"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}, {"HOME", home.string()}};
  return spec;
}

Error unavailable(std::string message, std::string hint, std::string detail = {}) {
  Error error = fail(Reason::key_unavailable, std::move(message), std::move(hint));
  error.detail = printable(detail);
  return error;
}

bool is_wanted(const std::string& name) {
  // Sockets, locks and the seed belong to the keyring's own agent; gpg makes them anew.
  return !name.starts_with("S.") && !name.starts_with(".#lk") && !name.ends_with(".lock") &&
         name != "random_seed" && !name.ends_with("~");
}

Status own(const fs::path& path, const std::string& account, unsigned mode) {
  if (::chmod(path.c_str(), mode) != 0) {
    return fail(Reason::host_unfit, fmt::format("cannot set the mode of '{}': {}", path.string(),
                                                std::strerror(errno)));
  }
  if (account.empty() || ::geteuid() != 0) return {};
  RAD_TRY(const Account owner, find_account(account));
  if (::chown(path.c_str(), owner.uid, owner.gid) != 0) {
    return fail(Reason::host_unfit, fmt::format("cannot give '{}' to {}: {}", path.string(),
                                                account, std::strerror(errno)));
  }
  return {};
}

Status make_directory(const fs::path& path, const std::string& account) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Reason::host_unfit, fmt::format("cannot create directory '{}': {}", path.string(),
                                                std::strerror(errno)));
  }
  return own(path, account, 0700);
}

Status copy_folder(const fs::path& source, const fs::path& target, const std::string& account) {
  std::error_code code;
  fs::directory_iterator entries(source, code);
  if (code) {
    const bool denied = code == std::errc::permission_denied;
    return fail(denied ? Reason::access_denied : Reason::config_invalid,
                fmt::format("gpg_home '{}' cannot be read: {}", source.string(), code.message()),
                denied ? "let the agent's user read it: chown, or chmod 0700 for its owner"
                       : "set restore.gpg_home to the directory with the secret keys",
                source.string());
  }
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!is_wanted(name) || !entry.is_regular_file(code)) continue;
    RAD_TRY(const std::string content, read_file(entry.path(), kMaxKeyFile));
    RAD_CHECK(write_file_atomic(target / name, content, 0600));
    RAD_CHECK(own(target / name, account, 0600));
  }
  return {};
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> fields;
  while (true) {
    const auto end = text.find(by);
    fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

std::int64_t seconds(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 10);
  return value;
}

}  // namespace

std::vector<SecretKey> parse_key_listing(std::string_view text) {
  // Fields (GnuPG, doc/DETAILS): 1 kind, 2 validity, 5 key id, 6 created, 7 expires, 12 uses,
  // 15 "#" for a stub, else the token or "+".
  std::vector<SecretKey> keys;
  std::string primary;
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 12 || (fields[0] != "sec" && fields[0] != "ssb")) continue;
    SecretKey key;
    key.key_id = printable(fields[4], 40);
    if (fields[0] == "sec") primary = key.key_id;
    key.primary_id = primary;
    key.revoked = fields[1] == "r";
    key.created = seconds(fields[5]);
    key.expires = seconds(fields[6]);
    key.encrypts = fields[11].find('e') != std::string_view::npos;
    key.present = fields.size() < 15 || fields[14] != "#";
    keys.push_back(std::move(key));
  }
  return keys;
}

Status Keyring::copy(const fs::path& source, const fs::path& home, const std::string& account) {
  RAD_CHECK(make_directory(home, account));
  RAD_CHECK(copy_folder(source, home, account));
  constexpr std::array kFolders{"private-keys-v1.d", "public-keys.d"};
  for (const char* folder : kFolders) {
    std::error_code code;
    if (!fs::is_directory(source / folder, code)) continue;
    RAD_CHECK(make_directory(home / folder, account));
    RAD_CHECK(copy_folder(source / folder, home / folder, account));
  }
  return {};
}

Keyring::Keyring(fs::path home, std::chrono::milliseconds limit)
    : home_(std::move(home)), limit_(limit) {}

Result<std::vector<SecretKey>> Keyring::list_keys() const {
  const auto spec = gpg_spec(home_, {"--list-secret-keys", "--with-colons"});
  auto output = run_tool(spec, {}, limit_);
  if (!output && output.error().reason == Reason::timeout) {
    return unavailable("gpg or its agent does not answer",
                       "run gpg --list-secret-keys as the agent's user; look at gpg-agent.conf");
  }
  if (!output) return std::move(output).error();
  auto keys = parse_key_listing(output->out);
  if (keys.empty() && !output->status.ok()) {
    return unavailable(fmt::format("gpg cannot list the secret keys ({})", output->status.text()),
                       "run gpg --list-secret-keys with the same home", output->err);
  }
  return keys;
}

Status Keyring::probe(const SecretKey& key) const {
  std::vector<std::string> args{"--quiet", "--trust-model", "always",         "--output",
                                "-",       "--recipient",   key.key_id + "!", "--encrypt"};
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().now().time_since_epoch())
          .count();
  if (key.expires != 0 && key.expires <= now) {
    // gpg refuses to encrypt to an expired key but decrypts with it.
    args.insert(args.begin(), {"--faked-system-time", fmt::format("{}!", key.expires - 1)});
  }
  const std::string hint =
      "check that the secret key in gpg_home is complete and has no passphrase, and that gpg-agent "
      "can run";
  auto encrypted = run_tool(gpg_spec(home_, std::move(args)), kProbeText, limit_);
  if (!encrypted && encrypted.error().reason != Reason::timeout) {
    return std::move(encrypted).error();
  }
  if (!encrypted) return unavailable("gpg does not answer when it encrypts a probe", hint);
  if (!encrypted->status.ok()) {
    return unavailable(fmt::format("a probe cannot be encrypted to key {}", key.key_id), hint,
                       encrypted->err);
  }
  // Without a terminal nobody can answer a passphrase dialogue; "error" makes it fail at once.
  auto decrypted = run_tool(gpg_spec(home_, {"--quiet", "--pinentry-mode", "error", "--decrypt"}),
                            encrypted->out, limit_);
  if (!decrypted && decrypted.error().reason != Reason::timeout) {
    return std::move(decrypted).error();
  }
  if (!decrypted) {
    return unavailable(fmt::format("gpg-agent does not answer for key {} within {}", key.key_id,
                                   format_duration(limit_)),
                       hint);
  }
  if (!decrypted->status.ok() || decrypted->out != kProbeText) {
    return unavailable(fmt::format("secret key {} cannot be used: a probe encrypted to it is not "
                                   "decrypted",
                                   key.key_id),
                       hint, decrypted->err);
  }
  return {};
}

void Keyring::remove(const fs::path& home) noexcept {
  try {
    std::error_code code;
    if (!fs::exists(home, code)) return;
    for (const char* action : {"--kill", "--remove-socketdir"}) {
      ChildSpec spec;
      spec.program = "gpgconf";
      spec.args = {"--homedir", home.string(), action};
      if (std::string_view(action) == "--kill") spec.args.push_back("gpg-agent");
      (void)run_tool(spec, {}, kStopLimit);
    }
    (void)remove_tree(home);
  } catch (const std::exception&) {
    // Cleanup goes on; what is left is found by the sweep.
  }
}

std::vector<Finding> judge_expiry(const std::vector<SecretKey>& keys, TimePoint now) {
  constexpr std::chrono::days kSoon{30};
  std::vector<Finding> findings;
  for (const SecretKey& key : keys) {
    if (key.expires == 0) continue;
    const TimePoint end{std::chrono::seconds(key.expires)};
    const auto day = format_rfc3339(end).substr(0, 10);
    if (end <= now) {
      findings.push_back({"key_expired",
                          fmt::format("key {} expired on {}; gpg still decrypts with it, but "
                                      "nothing new can be encrypted to it",
                                      key.key_id, day),
                          key.key_id});
    } else if (end - now < kSoon) {
      findings.push_back(
          {"key_expires_soon",
           fmt::format("key {} expires on {}; archiving stops on that day", key.key_id, day),
           key.key_id});
    }
  }
  return findings;
}

}  // namespace rad::wal_e
