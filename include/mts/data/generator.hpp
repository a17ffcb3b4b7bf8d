#pragma once
/// \file
/// The generative model of the benchmarks: a variational autoencoder of this library, trained once per data set and kept in
/// a cache on disk.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "mts/core/random.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/bytes.hpp"
#include "mts/data/sampler.hpp"
#include "mts/nn/vae.hpp"
#include "mts/optim/adam.hpp"

namespace mts::data {

/// Encoder: images N x D -> codes N x E, row by row, the same bits for the same rows at the same places.
template <class T>
concept Encoder = requires(const T& t, const RowMatrix<float>& rows) {
  { t.encode(rows) } -> std::convertible_to<RowMatrix<float>>;
};
/// Codec: an Encoder with `decode`, codes N x E -> images N x D in [0, 1].
template <class T>
concept Codec = Encoder<T> && requires(const T& t, const RowMatrix<float>& rows) {
  { t.decode(rows) } -> std::convertible_to<RowMatrix<float>>;
};

/// What is trained and how: AdamW with a cosine schedule, the loss averaged over a batch.
struct GeneratorOptions {
  nn::VaeOptions architecture{};  ///< 784-256-32-256-784
  Index epochs = 10;
  Index batch = 256;
  double learning_rate = 4e-3;
  double weight_decay = 0;
  std::uint64_t seed = 0;
};

/// How far training is. `what` names the model.
struct GeneratorProgress {
  std::string_view what;
  Index step = 0;   ///< steps taken
  Index steps = 0;  ///< of how many
  double loss = 0;  ///< mean loss of the last batch
};
using GeneratorProgressCallback = std::function<void(const GeneratorProgress&)>;

/// A trained VAE: a Codec whose codes are the means of the posterior. Thread-safe.
class Generator {
 public:
  /// \throws ShapeError if the parameters are not as many as the architecture has
  Generator(nn::VaeOptions architecture, DenseParameters<float> parameters)
      : vae_(std::move(architecture)), parameters_(std::move(parameters)) {
    check_size("Generator", "number of parameters", vae_.initialize(RandomStream(0, "shape")).size(),
               parameters_.size());
  }

  const nn::Vae<float>& vae() const { return vae_; }
  const DenseParameters<float>& parameters() const { return parameters_; }

  /// N x D -> N x latent.
  RowMatrix<float> encode(const RowMatrix<float>& images) const {
    return in_parts(images, vae_.options().latent,
                    [&](const RowMatrix<float>& part) { return vae_.encode(parameters_, part); });
  }
  /// N x latent -> N x D.
  RowMatrix<float> decode(const RowMatrix<float>& codes) const {
    return in_parts(codes, vae_.options().inputs,
                    [&](const RowMatrix<float>& part) { return vae_.decode(parameters_, part); });
  }

 private:
  /// f on parts of fixed size, which bounds the memory of a large set.
  template <class F>
  static RowMatrix<float> in_parts(const RowMatrix<float>& rows, Index width, F&& f) {
    constexpr Index part = 2048;
    RowMatrix<float> out(rows.rows(), width);
    for (Index b = 0; b < rows.rows(); b += part) {
      const Index n = std::min(part, rows.rows() - b);
      out.middleRows(b, n) = f(RowMatrix<float>(rows.middleRows(b, n)));
    }
    return out;
  }

  nn::Vae<float> vae_;
  DenseParameters<float> parameters_;
};

/// Trains a VAE on `images` (N x D, in [0, 1]). A function of images and options alone.
/// \throws ShapeError, ValueError for images that do not fit the options; NumericalError if the loss becomes non-finite
inline Generator train_generator(const RowMatrix<float>& images, const GeneratorOptions& options,
                                 std::string_view what = "generator", const GeneratorProgressCallback& progress = {}) {
  check_size("train_generator", "length of an image", options.architecture.inputs, images.cols());
  check_value(options.epochs >= 0, "train_generator", "expected epochs >= 0, found ", options.epochs);
  const nn::Vae<float> vae(options.architecture);
  auto theta = vae.initialize(RandomStream(options.seed, "generator: initial weights"));
  auto gradient = theta.zeros_like();
  EpochSampler sampler(images.rows(),
                       {.batch = options.batch, .seed = options.seed, .purpose = "generator: batch order"});
  const Index steps = options.epochs * sampler.batches_per_epoch();
  AdamW<DenseParameters<float>> optimizer({.learning_rate = options.learning_rate,
                                           .weight_decay = options.weight_decay,
                                           .schedule = cosine(std::max<Index>(steps, 1))});
  const SampleVector mean = SampleVector::Constant(options.batch, 1.0 / static_cast<double>(options.batch));
  nn::VaeBatch<float> batch;
  batch.inputs.resize(options.batch, images.cols());
  std::vector<Index> ids;
  for (Index step = 0; step < steps; ++step) {
    sampler.next(ids);
    for (std::size_t k = 0; k < ids.size(); ++k) batch.inputs.row(static_cast<Index>(k)) = images.row(ids[k]);
    batch.draw_noise(options.architecture.latent,
                     RandomStream(options.seed, "generator: latent noise", static_cast<std::uint64_t>(step)));
    const auto linearization = vae.linearize(theta, batch);
    linearization.pullback(mean, gradient);
    optimizer.step(theta, gradient);
    if (progress) progress({what, step + 1, steps, linearization.value().dot(mean)});
  }
  return Generator(options.architecture, std::move(theta));
}

/// Where trained generators are kept: ${XDG_CACHE_HOME}/mts, else ~/.cache/mts, else nowhere ("").
inline std::filesystem::path default_cache_folder() {
  const auto from = [](const char* name) -> std::filesystem::path {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (const auto cache = from("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "mts";
  if (const auto home = from("HOME"); home.is_absolute()) return home / ".cache/mts";
  return {};
}

namespace detail {

/// What the bits of trained parameters depend on besides images and options: compiler, its vector instructions and level.
inline std::string build_description() {
#if defined(__OPTIMIZE__)
  constexpr const char* level = "optimised";
#else
  constexpr const char* level = "not optimised";
#endif
#if defined(__clang__)
  constexpr const char* compiler = __VERSION__;
#else
  constexpr const char* compiler = "g++ " __VERSION__;
#endif
#if defined(__FMA__)
  constexpr const char* fma = "FMA";
#else
  constexpr const char* fma = "no FMA";
#endif
  return text(compiler, "; ", level, "; ", fma, "; ", Eigen::SimdInstructionSetsInUse());
}

}  // namespace detail

/// The key of a trained generator: images, architecture, training options, version of the cache's format, and the build (bits
/// are promised within a build only).
inline std::uint64_t generator_key(const RowMatrix<float>& images, const GeneratorOptions& options) {
  constexpr std::uint64_t version = 2;
  Checksum key;
  key.add(version).add(std::string_view(detail::build_description()));
  key.add(static_cast<std::uint64_t>(images.rows())).add(static_cast<std::uint64_t>(images.cols()));
  key.add(std::span<const float>(images.data(), static_cast<std::size_t>(images.size())));
  const auto& a = options.architecture;
  key.add(static_cast<std::uint64_t>(a.inputs)).add(static_cast<std::uint64_t>(a.latent)).add(a.hidden.size());
  for (const Index width : a.hidden) key.add(static_cast<std::uint64_t>(width));
  key.add(static_cast<std::uint64_t>(a.activation)).add(std::bit_cast<std::uint64_t>(a.divergence_weight));
  key.add(static_cast<std::uint64_t>(options.epochs)).add(static_cast<std::uint64_t>(options.batch)).add(options.seed);
  key.add(std::bit_cast<std::uint64_t>(options.learning_rate)).add(std::bit_cast<std::uint64_t>(options.weight_decay));
  return key.value();
}

/// Parameters on disk: "mts-gen\n", key, number, the floats, checksum of all before it; 64-bit little-endian numbers.
inline void save_generator(const std::filesystem::path& path, const DenseParameters<float>& parameters,
                           std::uint64_t key) {
  std::string bytes("mts-gen\n");
  const auto put = [&](std::uint64_t x) { bytes.append(reinterpret_cast<const char*>(&x), sizeof x); };
  put(key);
  put(static_cast<std::uint64_t>(parameters.size()));
  bytes.append(reinterpret_cast<const char*>(parameters.data()),
               static_cast<std::size_t>(parameters.size()) * sizeof(float));
  put(Checksum().add(std::string_view(bytes)).value());
  write_atomically(path, bytes);
}
/// \throws DataError if the file is missing, no such file, damaged, of another key or number of parameters
inline DenseParameters<float> load_generator(const std::filesystem::path& path, const nn::VaeOptions& architecture,
                                             std::uint64_t key) {
  const std::string bytes = read_bytes(path, "a cached generator");
  auto parameters = nn::Vae<float>(architecture).initialize(RandomStream(0, "shape"));
  const auto refuse = [&](const auto&... what) {
    throw DataError(detail::text(path.string(), ": a cached generator: ", what...));
  };
  const auto number = [&](std::size_t at) {
    std::uint64_t x = 0;
    std::memcpy(&x, bytes.data() + at, sizeof x);
    return x;
  };
  const std::size_t length = static_cast<std::size_t>(parameters.size()) * sizeof(float);
  if (!std::string_view(bytes).starts_with("mts-gen\n")) refuse("expected to begin with 'mts-gen', found other bytes");
  if (bytes.size() != length + 32) refuse("expected ", length + 32, " bytes, found ", bytes.size());
  const std::size_t end = bytes.size() - 8;
  if (number(end) != Checksum().add(std::string_view(bytes).substr(0, end)).value())
    refuse("its checksum does not agree");
  if (number(8) != key) refuse("expected key ", key, ", found ", number(8));
  if (number(16) != static_cast<std::uint64_t>(parameters.size()))
    refuse("expected ", parameters.size(), " parameters, found ", number(16));
  std::memcpy(parameters.data(), bytes.data() + 24, length);
  check_finite(path.string(), "parameters of a cached generator", parameters.values());
  return parameters;
}

/// Where trained generators are kept, and whom to tell.
struct GeneratorCache {
  std::filesystem::path folder = default_cache_folder();  ///< "" for none
  std::function<void(std::string_view)> note = {};        ///< is told of a damaged file, or of a folder that takes none
  GeneratorProgressCallback progress = {};
};

/// The generator of these images and options: from the cache if it is there and sound, else trained and put there. A damaged or
/// foreign cache file, and a cache that can't be written, cost the training and a note, nothing else.
/// \throws as `train_generator`
inline Generator cached_generator(const RowMatrix<float>& images, const GeneratorOptions& options,
                                  std::string_view what, const GeneratorCache& cache = {}) {
  const auto note = [&](std::string_view words) {
    if (cache.note) cache.note(words);
  };
  if (cache.folder.empty()) return train_generator(images, options, what, cache.progress);
  const std::uint64_t key = generator_key(images, options);
  char name[32];
  std::snprintf(name, sizeof name, "vae-%016llx.bin", static_cast<unsigned long long>(key));
  const auto path = cache.folder / name;
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    try {
      return Generator(options.architecture, load_generator(path, options.architecture, key));
    } catch (const Error& error) {
      note(detail::text(error.what(), "; the ", what, " is trained again"));
    }
  }
  Generator trained = train_generator(images, options, what, cache.progress);
  try {
    save_generator(path, trained.parameters(), key);
  } catch (const DataError& error) {
    note(detail::text(error.what(), "; the ", what, " is not kept"));
  }
  return trained;
}

}  // namespace mts::data
