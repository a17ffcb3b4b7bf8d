// What a consumer of mts::data needs to build: the headers, and zlib behind the reader of gzipped files.
#include <mts/data/idx.hpp>

int main(int, char** argv) try {
  mts::data::read_idx(argv[0]);
  return 1;
} catch (const mts::DataError&) {  // a program is no idx file
  return 0;
}
