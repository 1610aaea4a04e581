#include "agent/plugin_host/plugin_process.h"

#include "agent/plugin_host/plugin_child.h"
#include "agent/plugin_host/plugin_conversation.h"
#include "agent/plugin_host/plugin_socket.h"

namespace rad {
namespace asio = boost::asio;

Result<std::unique_ptr<PluginProcess>> PluginProcess::start(asio::any_io_executor executor,
                                                            PluginCommand command) {
  if (!command.socket.empty()) {
    RAD_TRY(ConnectedPlugin plugin,
            connect_plugin(command.name, command.socket, command.plugin_user));
    auto conversation =
        PluginConversation::begin(std::move(executor), std::move(command.name),
                                  std::move(plugin.input), std::move(plugin.output), plugin.peer);
    return std::unique_ptr<PluginProcess>(new PluginProcess(std::move(conversation)));
  }
  RAD_TRY(StartedChild child, start_child(executor, command));
  auto conversation = PluginConversation::begin(std::move(executor), std::move(command.name),
                                                std::move(child.input), std::move(child.output),
                                                std::move(child.peer));
  return std::unique_ptr<PluginProcess>(new PluginProcess(std::move(conversation)));
}

PluginProcess::PluginProcess(std::shared_ptr<PluginConversation> conversation)
    : conversation_(std::move(conversation)) {}
PluginProcess::~PluginProcess() {
  conversation_->abandon();
}
const std::string& PluginProcess::name() const noexcept {
  return conversation_->name();
}
int PluginProcess::pid() const noexcept {
  return conversation_->peer().pid();
}
bool PluginProcess::alive() const noexcept {
  return conversation_->peer().alive();
}
void PluginProcess::on_progress(ProgressHandler handler) {
  conversation_->on_progress(std::move(handler));
}
void PluginProcess::on_log(LogHandler handler) {
  conversation_->on_log(std::move(handler));
}
asio::awaitable<Result<boost::json::object>> PluginProcess::call(std::string method,
                                                                 boost::json::object params,
                                                                 CallLimits limits) {
  return conversation_->call(std::move(method), std::move(params), limits);
}
void PluginProcess::cancel() {
  conversation_->cancel();
}
asio::awaitable<void> PluginProcess::stop(std::chrono::milliseconds patience) {
  return conversation_->stop(patience);
}
void PluginProcess::kill() noexcept {
  conversation_->kill();
}
std::optional<Error> PluginProcess::early_end() const {
  return conversation_->early_end();
}
std::string PluginProcess::captured_log() const {
  return conversation_->captured_log();
}

}  // namespace rad
