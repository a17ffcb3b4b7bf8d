// Tables as CSV.
#include "mts/data/csv.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "data/support.hpp"

using namespace mts::data;
using mts_test::read_plainly;
using mts_test::TemporaryFolder;

TEST_CASE("a CSV table quotes by RFC 4180 and writes numbers that read back as the same bits") {
  CsvTable table({"name", "x", "n, of all"});
  table.row("plain", 0.1, 3);
  table.row("a \"quoted\", one\nin two lines", 1.0f / 3.0f, -1);
  table.row(std::string("inf"), std::numeric_limits<double>::infinity(), true);
  CHECK(table.text() ==
        "name,x,\"n, of all\"\nplain,0.1,3\n\"a \"\"quoted\"\", one\nin two lines\",0.33333334,-1\ninf,inf,1\n");
  CHECK_REFUSED(mts::ShapeError, table.row(1, 2), "expected 3", "found 2");
  CHECK_REFUSED(mts::ValueError, CsvTable(std::vector<std::string>{}), "at least one column");
  const TemporaryFolder folder;
  table.save(folder / "t.csv");
  CHECK(read_plainly(folder / "t.csv") == table.text());
  for (const double x : {0.1, 1e300, 5e-324, 123456.789, -1.0 / 3.0}) {
    CsvTable t({"x"});
    t.row(x);
    CHECK(std::strtod(t.text().c_str() + 2, nullptr) == x);
  }
}

TEST_CASE("a CSV table takes rows whose length is known only when the program runs") {
  CsvTable table({"name", "a", "b"});
  table.row_with(std::vector<float>{0.5f, -1.0f}, "x, y");
  CHECK(table.text() == "name,a,b\n\"x, y\",0.5,-1\n");
  CHECK_REFUSED(mts::ShapeError, table.row_with(std::vector<float>{1}, "x"), "expected 3", "found 2");
}
