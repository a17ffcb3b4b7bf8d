// The reader of checkpoints: files as they are and with their checksums put right, and states of what a run is made of.
#include "mts/data/checkpoint.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "mts/data/sampler.hpp"
#include "mts/data/weighted_sampler.hpp"
#include "mts/optim/adam.hpp"

namespace {

using namespace mts::data;

// What is read is written, and read again, as the same.
void read(std::string_view bytes) {
  try {
    const CheckpointContents contents = read_checkpoint(bytes, "input");
    const CheckpointContents again = read_checkpoint(checkpoint_bytes(contents), "what was written");
    if (!(again.origin == contents.origin) || again.sections() != contents.sections()) std::abort();
  } catch (const mts::DataError&) {
  }
}

// The layout that checkpoint.hpp gives, as far as the bytes go: checksums become those of what is there. Without it, hardly any
// mutant would come past the first.
std::string with_right_checksums(std::string bytes) {
  const auto number = [&](std::size_t at) {
    std::uint64_t x = 0;
    std::memcpy(&x, bytes.data() + at, sizeof x);
    return x;
  };
  const auto set = [&](std::size_t at, std::string_view of) {
    const std::uint64_t sum = Checksum().add(of).value();
    std::memcpy(bytes.data() + at, &sum, sizeof sum);
  };
  const std::size_t size = bytes.size();
  if (size < 24) return bytes;
  struct Section {
    std::size_t checksum;
    std::uint64_t length;
  };
  std::vector<Section> sections;
  std::size_t at = 24;
  for (std::uint64_t k = number(16); k > 0; --k) {
    if (size - at < 8 || number(at) > size - at - 8 || size - at - 8 - number(at) < 16) return bytes;
    at += 8 + static_cast<std::size_t>(number(at));
    sections.push_back({at + 8, number(at)});
    at += 16;
  }
  if (size - at < 8) return bytes;
  std::size_t begin = at + 8;
  for (const Section& s : sections) {
    if (s.length > size - begin) break;
    set(s.checksum, std::string_view(bytes).substr(begin, static_cast<std::size_t>(s.length)));
    begin += static_cast<std::size_t>(s.length);
  }
  set(at, std::string_view(bytes).substr(0, at));
  return bytes;
}

template <class T>
std::string saved(const T& state) {
  std::ostringstream out;
  state.save(out);
  return std::move(out).str();
}

// A state that is refused stays what it was; one that is taken can be saved.
template <class T, class... Shape>
void load(const std::string& bytes, T state, const Shape&... shape) {
  const std::string before = saved(state);
  std::istringstream in(bytes);
  try {
    state.load(in, shape...);
    (void)saved(state);
  } catch (const mts::DataError&) {
    if (saved(state) != before) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Parameters = mts::DenseParameters<float>;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with(mts::data::detail::checkpoint_magic)) {
    read(bytes);
    read(with_right_checksums(bytes));
    return 0;
  }
  load(bytes, EpochSampler(20, {.batch = 4, .seed = 1}));
  load(bytes, WeightedSampler(mts::SampleVector::LinSpaced(5, 0, 1), {.batch = 2, .seed = 1}));
  load(bytes, mts::RandomStream(1, "fuzz"));
  load(bytes, mts::Adam<Parameters>({.learning_rate = 1}), Parameters(3));
  return 0;
}
