#include <fmt/format.h>

#include "plugins/protocol/codec.h"

namespace rad::protocol {

Status LineSplitter::feed(std::string_view bytes) {
  if (!broken_) {
    buffer_.erase(0, start_);
    tail_ -= start_;
    start_ = 0;
    // Only new bytes can hold a newline behind tail_, so that a long line is scanned once.
    std::size_t scan_from = buffer_.size();
    buffer_.append(bytes);
    while (true) {
      const std::size_t newline = buffer_.find('\n', scan_from);
      const bool whole = newline != std::string::npos;
      // A line still without its newline has at least one more byte to come.
      if ((whole ? newline : buffer_.size()) - tail_ >= kMaxLineBytes) {
        broken_ = true;
        buffer_.resize(tail_);
        break;
      }
      if (!whole) break;
      tail_ = newline + 1;
      scan_from = tail_;
    }
  }
  if (!broken_) return {};
  return fail(Reason::plugin_protocol, fmt::format("a line is longer than {} bytes", kMaxLineBytes),
              "pass large data through files in scratch, not through the protocol");
}

std::optional<std::string> LineSplitter::next() {
  if (start_ == tail_) return std::nullopt;
  const std::size_t newline = buffer_.find('\n', start_);
  std::string line = buffer_.substr(start_, newline - start_);
  start_ = newline + 1;
  return line;
}

}  // namespace rad::protocol
