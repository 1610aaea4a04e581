// The clients of one server, and who has to go when there are too many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>

namespace rad {

/// What the list knows of a client. Registered while it lives.
struct SessionEntry {
  std::int64_t user = -1;        ///< uid, -1 for all clients that have none
  bool answering = false;        ///< somebody waits for an answer, or takes one
  bool closed = false;           ///< on its way out: counts no more
  std::size_t unsent_bytes = 0;  ///< of the answer that it is taking
  virtual void close() = 0;

 protected:
  ~SessionEntry() = default;
};

/// All clients, oldest first. Not thread-safe.
class SessionList {
 public:
  using Place = std::list<SessionEntry*>::iterator;

  Place add(SessionEntry& entry) { return entries_.insert(entries_.end(), &entry); }
  void remove(Place place) { entries_.erase(place); }

  std::size_t size() const noexcept;
  std::size_t of_user(std::int64_t user) const noexcept;
  std::size_t unsent_bytes(std::int64_t user) const noexcept;
  void close_all();

  /// Makes room for one more client of `user`. Whoever has been there longest without being
  /// answered goes first, so that clients who only sit there cannot shut out those who ask; and the
  /// user with the most clients loses one, so that none can shut out another.
  /// \return false: there is no room.
  bool make_room(std::int64_t user, std::size_t limit, std::size_t limit_per_user);
  /// Disconnects the client that has been there longest without being answered.
  bool close_oldest_idle();

 private:
  bool close_oldest(std::int64_t user, bool answering_too);

  std::list<SessionEntry*> entries_;
};

}  // namespace rad
