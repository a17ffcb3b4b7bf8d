// The lab's reader of option files.
#include "lab/config.hpp"

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mts::lab;
  const mts_test::FuzzFile file(data, size);
  Settings settings;
  Session session;
  try {
    (void)read_config(file.path(), settings, session);
    (void)settings_text(settings);  // what was taken can be kept
  } catch (const UsageError&) {
  }
  return 0;
}
