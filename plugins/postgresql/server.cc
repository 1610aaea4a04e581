#include "plugins/postgresql/server.h"

#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "plugins/postgresql/process_tree.h"

namespace rad::postgresql {
namespace {

constexpr std::chrono::milliseconds kQuitPatience{5000};

// Lines of postmaster.pid, see miscadmin.h: shared memory key and id are line 7, the status line 8.
std::vector<std::string> pid_file_lines(const std::filesystem::path& data_dir) {
  std::ifstream file(data_dir / "postmaster.pid");
  std::vector<std::string> lines;
  for (std::string line; lines.size() < 16 && std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::map<std::string, std::string> server_environment() {
  return {{"LC_ALL", "C"}, {"TZ", "UTC"}, {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}};
}

std::vector<std::string> file_arguments(const ServerFiles& files) {
  const std::string config = files.config_dir.string();
  return {"-D", files.data_dir.string(),
          "-c", "config_file=" + config + "/postgresql.conf",
          "-c", "hba_file=" + config + "/pg_hba.conf",
          "-c", "ident_file=" + config + "/pg_ident.conf"};
}

}  // namespace

Server::Server(ChildProcess child, std::filesystem::path data_dir)
    : child_(std::move(child)), data_dir_(std::move(data_dir)) {}

Server::~Server() {
  if (!moved_from()) stop(std::chrono::milliseconds(0));
}

Result<Server> Server::start(const ServerFiles& files) {
  const UniqueFd log(
      ::open(files.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log) {
    return fail(Reason::host_unfit,
                fmt::format("cannot write the server's log {}: {}", files.log_file.string(),
                            std::generic_category().message(errno)));
  }
  ChildSpec spec;
  spec.program = files.bin_dir / "postgres";
  spec.args = file_arguments(files);
  spec.environment = server_environment();
  spec.directory = files.data_dir;
  spec.stdout_fd = log.get();
  spec.stderr_fd = log.get();
  RAD_TRY(ChildProcess child, ChildProcess::start(spec));
  return Server(std::move(child), files.data_dir);
}

std::optional<ExitStatus> Server::wait_for_end(std::chrono::milliseconds limit) {
  if (!ended_) ended_ = child_.wait_for(limit);
  return ended_;
}

bool Server::ready() const {
  const auto lines = pid_file_lines(data_dir_);
  return lines.size() >= 8 && lines[7].starts_with("ready") &&
         lines[0] == std::to_string(child_.pid());
}

std::string Server::segment_in_replay() const {
  for (const ProcessId& process : descendants(child_.pid())) {
    const std::string title = process_title(process.pid);
    if (title.find("startup") == std::string::npos) continue;
    for (const std::string_view mark : {"recovering ", "waiting for "}) {
      const auto at = title.find(mark);
      if (at != std::string::npos) return title.substr(at + mark.size(), 24);
    }
  }
  return {};
}

std::uint64_t Server::bytes_read() const {
  std::uint64_t bytes = bytes_read_by(child_.pid());
  for (const ProcessId& process : descendants(child_.pid())) bytes += bytes_read_by(process.pid);
  return bytes;
}

void Server::remember_shared_memory() {
  const auto lines = pid_file_lines(data_dir_);
  if (lines.size() < 7 || lines[0] != std::to_string(child_.pid())) return;
  std::istringstream fields(lines[6]);
  unsigned long key = 0;
  int id = -1;
  if (fields >> key >> id) shared_memory_id_ = id;
}

void Server::adopt_orphans() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

// What a dead postmaster has left has become our child: backends that are busy, a restore command.
void Server::end_orphans() {
  const std::vector<ProcessId> orphans = descendants(::getpid());
  kill_processes(orphans);
  for (const ProcessId& orphan : orphans) ::waitpid(orphan.pid, nullptr, 0);
}

ExitStatus Server::stop(std::chrono::milliseconds patience) {
  remember_shared_memory();
  std::vector<ProcessId> below = descendants(child_.pid());
  if (running() && patience.count() > 0) {
    ::kill(child_.pid(), SIGINT);
    wait_for_end(patience);
  }
  if (running()) {
    below = descendants(child_.pid());
    ::kill(child_.pid(), SIGQUIT);
    wait_for_end(kQuitPatience);
  }
  if (running()) {
    below = descendants(child_.pid());
    child_.kill();
  }
  if (!ended_) ended_ = child_.wait();
  kill_processes(below);
  end_orphans();
  // A postmaster that ends by itself has removed its segment; then this does nothing.
  if (!ended_->ok() && shared_memory_id_ >= 0) {
    ::shmctl(shared_memory_id_, IPC_RMID, nullptr);
    shared_memory_id_ = -1;
  }
  return *ended_;
}

Result<std::string> run_single_user(const ServerFiles& files, const std::string& database,
                                    const std::string& commands) {
  ChildSpec spec;
  spec.program = files.bin_dir / "postgres";
  spec.args = {"--single"};
  for (std::string& argument : file_arguments(files)) spec.args.push_back(std::move(argument));
  spec.args.push_back(database);
  spec.environment = server_environment();
  spec.directory = files.data_dir;
  RAD_TRY(const ToolOutput output, run_tool(spec, commands, std::chrono::minutes(10), 1U << 20U));
  if (!output.status.ok()) {
    Error error =
        fail(Reason::start_failed, fmt::format("postgres --single failed on database '{}' ({})",
                                               printable(database, 70), output.status.text()));
    error.detail = printable(output.err);
    return error;
  }
  return output.out;
}

}  // namespace rad::postgresql
