#include "plugins/postgresql/superuser.h"

#include <gtest/gtest.h>

namespace rad::postgresql {
namespace {

// As postgres --single prints a row.
std::string output_with(const std::string& name, char super, char login) {
  return "\nPostgreSQL stand-alone backend 15.20\nbackend> \t 1: rolname\t(typeid = 19, len = 64, "
         "typmod = -1, byval = f)\n\t 2: rolsuper\t(typeid = 16, len = 1, typmod = -1, byval = t)\n"
         "\t----\n\t 1: rolname = \"" +
         name + "\"\t(typeid = 19, len = 64, typmod = -1, byval = f)\n\t 2: rolsuper = \"" + super +
         "\"\t(typeid = 16, len = 1)\n\t 3: rolcanlogin = \"" + login +
         "\"\t(typeid = 16, len = 1)\n\t----\nbackend> ";
}

TEST(Superuser, IsReadFromTheOutput) {
  for (const char* name : {"postgres", "odd owner", "with \"quotes\"", "d\xC3\xBCrfte"}) {
    EXPECT_EQ(*superuser_in(output_with(name, 't', 't')), name);
  }
  EXPECT_FALSE(superuser_in("backend> "));
  EXPECT_FALSE(superuser_in(": rolname = \"unfinished"));
}

TEST(Superuser, GetsTheRightsThatItLacks) {
  const auto command = [](char super, char login) {
    return superuser_rights_command(output_with("a \"b\"", super, login), "a \"b\"").value();
  };
  EXPECT_EQ(command('t', 't'), "");
  EXPECT_EQ(command('t', 'f'), "alter role \"a \"\"b\"\"\" with superuser login;\n");
  EXPECT_EQ(command('f', 't'), "alter role \"a \"\"b\"\"\" with superuser login;\n");
  EXPECT_FALSE(superuser_rights_command(output_with("a\nb", 'f', 't'), "a\nb"));
}

}  // namespace
}  // namespace rad::postgresql
