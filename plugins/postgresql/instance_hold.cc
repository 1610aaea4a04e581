// An instance for people: how it comes to be read only and open to those whom the agent lets in.
#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "plugins/postgresql/instance.h"

namespace rad::postgresql {
namespace {

namespace fs = std::filesystem;

/// Passing through is all that others need; the agent decides who gets that far. What is the
/// agent's own is opened by the agent.
Status let_others_through(const fs::path& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) == 0 && info.st_uid != ::geteuid()) return {};
  if (::chmod(directory.c_str(), 0711) == 0) return {};
  return fail(Reason::host_unfit,
              fmt::format("cannot change the mode of {}: {}", directory.string(),
                          std::generic_category().message(errno)));
}

Status append(const fs::path& path, const std::string& text) {
  RAD_TRY(const std::string before, read_file(path));
  return write_file_atomic(path, before + text, 0600);
}

}  // namespace

Result<std::unique_ptr<Instance>> Instance::hold(DataDirectory data, InstanceOptions options,
                                                 sdk::Context& context) {
  // Recovery is over: what was its end must not become the end of a standby's.
  data.restore_command.clear();
  data.recover_to = {};
  std::unique_ptr<Instance> instance(new Instance(std::move(data), std::move(options)));
  RAD_CHECK(instance->prepare());
  RAD_CHECK(instance->launch("starting again", context));
  RAD_CHECK(instance->find_superuser(context));
  const ServerAddress superuser = instance->address_;
  RAD_TRY(const Reader reader, make_reader(superuser, context.stop_token()));
  RAD_CHECK(instance->stop_for_maintenance());
  RAD_CHECK(instance->prepare_holding(reader));
  RAD_CHECK(instance->launch("starting for reading", context));
  if (Connection::open(superuser, reader.database, {}, context.stop_token())) {
    return fail(Reason::internal_error, "the held instance lets its superuser in");
  }
  instance->address_.user = reader.role;
  instance->database_ = reader.database;
  return instance;
}

Status Instance::prepare_holding(const Reader& reader) {
  RAD_CHECK(append(files_.config_dir / "postgresql.conf", holding_conf(data_.major)));
  RAD_CHECK(
      write_file_atomic(files_.config_dir / "pg_hba.conf", holding_hba_conf(reader.role), 0600));
  const bool old = data_.major < 12;
  RAD_CHECK(write_file_atomic(data_.path / (old ? "recovery.conf" : "standby.signal"),
                              old ? recovery_conf(data_) + "standby_mode = 'on'\n" : "", 0600));
  RAD_CHECK(let_others_through(options_.runtime_dir));
  return let_others_through(options_.settings.socket_dir);
}

}  // namespace rad::postgresql
