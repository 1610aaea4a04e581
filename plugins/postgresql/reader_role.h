// The role that people look at a held instance as: it may read everything and do nothing else.
#pragma once

#include <stop_token>
#include <string>

#include "agent/base/error.h"
#include "plugins/postgresql/connection.h"

namespace rad::postgresql {

struct Reader {
  std::string role;      ///< "rad_reader", or with a number behind it if the backup has that role
  std::string database;  ///< the largest one but `postgres`, else that
};

/// Makes a role that is new, so that nothing the backup says about a role of that name holds.
/// Passwords of roles, user mappings and subscriptions are taken out of the copy: they open others.
/// Before PostgreSQL 14, which has pg_read_all_data, the rights are granted table by table. \param
/// superuser  of a running instance that can be written to \return check_error when the catalogs do
/// not take it; cancelled.
Result<Reader> make_reader(const ServerAddress& superuser, std::stop_token stop);

/// The statement that grants reading of every table of one database, for versions before 14.
std::string grant_reading_statement(const std::string& role);

}  // namespace rad::postgresql
