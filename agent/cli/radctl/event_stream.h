// Server-sent events of one run, followed without blocking for longer than is wanted.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/cli/radctl/control_client.h"

namespace rad::radctl {

struct ServerEvent {
  std::optional<std::uint64_t> number;
  std::string type;
  std::string data;
};

/// Takes the bytes of a text/event-stream as they come, in whatever pieces. Pure.
class EventParser {
 public:
  /// \return the events that are complete now. What is longer than 16 MiB is left out.
  std::vector<ServerEvent> feed(std::string_view bytes);

 private:
  void take_line(std::string_view line, std::vector<ServerEvent>& out);

  std::string line_;
  ServerEvent event_;
  bool has_data_ = false;
  bool too_long_ = false;
};

/// One GET of /v1/runs/{run}/events. Opens nothing before the first wait(). One thread.
class EventStream {
 public:
  struct Turn {
    std::vector<ServerEvent> events;
    bool open = false;               ///< the agent has begun to answer
    bool ended = false;              ///< nothing more will come
    std::optional<Refusal> refusal;  ///< why, unless the agent just closed the stream
  };

  /// A stream that is silent for longer than this has lost its server, which sends a comment every
  /// 15 s.
  static constexpr std::chrono::seconds kSilence{60};

  EventStream(const std::filesystem::path& socket, const std::string& path, const Clock& clock);
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// Until something came, one of `fds` can be read, or `limit` has passed.
  Turn wait(std::span<const int> fds, std::chrono::milliseconds limit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad::radctl
