// What a conversation has to know of the plugin at its far end: something that can be ended and
// waited for. A child process is one (plugin_child.h); a service behind a socket is another.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace rad {

/// All members belong to the thread of the conversation's executor.
class PluginPeer {
 public:
  /// Either may be empty. They are called on the executor, never from within a member.
  struct Listener {
    std::function<void()> changed;               ///< alive() or silent() have changed
    std::function<void(std::string_view)> said;  ///< free text beside the protocol, as it comes
  };

  PluginPeer() = default;
  PluginPeer(const PluginPeer&) = delete;
  PluginPeer& operator=(const PluginPeer&) = delete;
  virtual ~PluginPeer() = default;

  /// Begins to watch it. Called once.
  virtual void watch(Listener listener) = 0;
  /// Of a process on this host; 0 if it is not known.
  virtual int pid() const noexcept = 0;
  /// Becomes false, for good, some time after its end or after kill().
  virtual bool alive() const noexcept = 0;
  /// Nothing more will be said beside the protocol.
  virtual bool silent() const noexcept = 0;
  /// How it ended, to follow "ended with": "exit code 2". Valid once it is not alive.
  virtual std::string end_text() const = 0;

  /// The protocol's side of it has ended. For one that is known by its connection alone this is
  /// its end; a child has one of its own.
  virtual void output_ended() {}
  /// Tells it that nothing more comes. \return false: the conversation closes the descriptor.
  virtual bool end_input() { return false; }
  /// Asks it to end. Harmless after its end.
  virtual void terminate() noexcept = 0;
  /// Ends it and everything it started. Harmless after its end.
  virtual void kill() noexcept = 0;
  /// Waits for no more free text.
  virtual void stop_listening() noexcept = 0;
};

}  // namespace rad
