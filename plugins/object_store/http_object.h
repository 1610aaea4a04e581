// One object that is read in parts, several ahead. Internal to plugins/object_store.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "plugins/object_store/transport_impl.h"

namespace rad::object_store {

/// Parts are ranges of one object, each an attempt or more of its own: what breaks is asked for
/// again from the first byte that is lacking, and only if the object is still the same (ETag).
class HttpObject final : public ObjectReader {
 public:
  HttpObject(std::shared_ptr<CurlTransport> transport, const ObjectRequest& request,
             HttpService& service);
  ~HttpObject() override;

  /// Asks for the first part and waits for its headers.
  Status begin();
  Result<std::size_t> read(std::span<std::byte> out) override;
  void cancel() noexcept override { own_stop_.request_stop(); }

 private:
  struct Shared;
  class Part;

  /// Starts parts, and those again that broke. \return when the next is to be started.
  Result<std::optional<SteadyPoint>> tend();
  Result<std::optional<SteadyPoint>> start(Part& part);
  void learn_end();
  void add_parts();
  void add_part(bool ahead);
  Status look_after(Part& part);
  Status judge_end(Part& part);
  Error ends_early(const Part& part) const;
  Error last_word(Error error, bool vouched) const;
  Error refuse(Error error);
  bool whole_at_once(const Part& part) const;
  static bool over_and_whole(const Part& part);
  std::uint64_t said_total() const;
  std::uint64_t part_bytes() const;
  Result<std::size_t> take(Part& part, std::span<std::byte> out);

  std::shared_ptr<CurlTransport> transport_;
  ObjectRequest request_;
  HttpService& service_;
  std::stop_source own_stop_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::shared_ptr<Shared> shared_;
  std::deque<std::shared_ptr<Part>> parts_;
  std::uint64_t next_;                ///< first byte that no part has yet
  std::optional<std::uint64_t> end_;  ///< one past the last byte wanted, once known
  std::optional<Error> failed_;
  bool nothing_wanted_ = false;
};

}  // namespace rad::object_store
