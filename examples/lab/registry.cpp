#include "lab/registry.hpp"

#include "lab/benchmarks.hpp"
#include "lab/methods.hpp"
#include "mts/data/pool.hpp"

namespace mts::lab {

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> entries = {
      spurious_benchmark(),
      attribute_benchmark(),
      texture_benchmark(),
      domain_benchmark(),
  };
  return entries;
}

const std::vector<Method>& methods() {
  static const std::vector<Method> entries = {
      {"uniform", "no selection: every sample of the pool counts the same", false, 3, &start_uniform},
      {"real-only", "the real samples alone", false, 3, &start_real_only},
      {"plus-validation",
       "no selection, and validation samples in each batch (--validation-rows, else a tenth)",
       false,
       3,
       &start_plus_validation,
       {{"validation-rows", {"0.02", "0.05", "0.1", "0.2", "0.3"}}}},
      {"random-subset",
       "the real samples and a random share of the edits of each class",
       false,
       3,
       &start_random_subset,
       {{"keep", {"0.3", "0.5", "0.75", "0.9"}}, {"validation-rows", {"0", "0.1"}}}},
      {"small-loss",
       "of each batch the share with the smallest losses, after --uniform-steps",
       true,
       3,
       &start_small_loss,
       {{"keep", {"0.5", "0.6", "0.7", "0.8", "0.9"}}, {"validation-rows", {"0", "0.1"}}}},
      {"el2n",
       "the edits of each class with the smallest error norm in a run without selection",
       false,
       6,
       &start_el2n,
       {{"keep", {"0.5", "0.75", "0.9"}}, {"keep-hard", {"false", "true"}}, {"validation-rows", {"0.1"}}}},
      {"grand",
       "the same by the norm of the gradient",
       false,
       6,
       &start_grand,
       {{"keep", {"0.5", "0.75", "0.9"}}, {"keep-hard", {"false", "true"}}, {"validation-rows", {"0.1"}}}},
      {"knn-agreement",
       "the edits of each class whose nearest neighbours share their label",
       false,
       3,
       &start_knn_agreement,
       {{"keep", {"0.3", "0.4", "0.5", "0.6", "0.75", "0.9"}}, {"validation-rows", {"0", "0.1"}}}},
      {"real-margin",
       "the edits nearer to real samples of their class than to others'",
       false,
       3,
       &start_real_margin,
       {{"keep", {"0.3", "0.4", "0.5", "0.6", "0.75", "0.9"}}, {"validation-rows", {"0", "0.1"}}}},
      {"validation-margin",
       "the edits nearer to validation samples of their class than to others'",
       false,
       3,
       &start_validation_margin,
       {{"keep", {"0.3", "0.4", "0.5", "0.6", "0.75", "0.9"}}, {"validation-rows", {"0", "0.1"}}}},
      {"l2rw",
       "each batch weighted by its clipped alignments",
       true,
       4,
       &start_l2rw,
       {{"uniform-steps", {"0", "50", "100", "200"}}, {"validation-rows", {"0", "0.05", "0.1"}}}},
      {"soft-gate",
       "each batch weighted by a sigmoid of its alignments",
       true,
       4,
       &start_soft_gate,
       {{"sharpness", {"1", "2", "4"}}, {"uniform-steps", {"0", "100"}}, {"validation-rows", {"0", "0.1"}}}},
      {"rho-loss",
       "of each batch the share whose loss is largest beyond that of a model of the validation samples",
       true,
       6,
       &start_rho_loss,
       {{"keep", {"0.5", "0.6", "0.7", "0.75", "0.8", "0.9"}}, {"validation-rows", {"0", "0.1"}}},
       {},
       {"same", "mlp"}},
      {"glister",
       "of each batch the share whose last-layer gradients lower the validation loss most",
       true,
       4,
       &start_glister,
       {{"keep", {"0.25", "0.5", "0.75"}}, {"validation-rows", {"0", "0.1"}}}},
      {"mw-net",
       "a weight net that sees the loss",
       true,
       6,
       &start_mw_net,
       {{"meta-lr", {"0.0003", "0.001", "0.003"}}, {"validation-rows", {"0", "0.1"}}}},
      {"cmw-net",
       "a weight net that sees the loss and the class",
       true,
       6,
       &start_cmw_net,
       {{"meta-lr", {"0.0003", "0.001", "0.003"}}, {"validation-rows", {"0", "0.1"}}}},
      {"data-rater",
       "a weight net that sees the generative embedding and the class, softmax over the batch",
       true,
       6,
       &start_data_rater,
       {{"meta-lr", {"0.0001", "0.0003", "0.001"}}, {"validation-rows", {"0", "0.1"}}}},
      {"mts-paper",
       "a weight net that sees the 22 inputs of the MTS paper",
       true,
       9,
       &start_mts_paper,
       {{"meta-lr", {"0.0001", "0.0003", "0.001", "0.003"}}, {"validation-rows", {"0", "0.1"}}}},
      {"weight-net",
       "a weight net that sees what --features names",
       true,
       6,
       &start_weight_net,
       {{"meta-lr", {"0.0001", "0.0003", "0.001"}}, {"b-eff-floor", {"0", "0.5"}}, {"validation-rows", {"0", "0.1"}}}},
      {"mts",
       "batches drawn by cross-fitted label evidence times the density ratio of validation to pool",
       false,
       12,
       &start_mts,
       {{"keep", {"0.6", "0.75"}}, {"fold-share", {"0.5", "1"}}, {"validation-rows", {"0.1", "0.2"}}},
       {},
       {"mlp"}},
      {"l2rw-ensemble",
       "the mean prediction of --members classifiers trained by l2rw",
       true,
       12,
       &start_l2rw_ensemble,
       {},
       "l2rw"},
      {"soft-gate-ensemble", "the same by soft-gate", true, 12, &start_soft_gate_ensemble, {}, "soft-gate"},
      {"rho-ensemble", "the same by rho-loss", true, 18, &start_rho_ensemble, {}, "rho-loss"},
      {"mts-ensemble", "the same by mts", false, 36, &start_mts_ensemble, {}, "mts"},
      {"oracle", "the samples that help by construction, which no method can know", false, 3, &start_oracle},
  };
  return entries;
}

namespace {

template <class Entries>
const auto& named(const char* what, const Entries& entries, std::string_view name) {
  for (const auto& entry : entries)
    if (entry.name == name) return entry;
  throw unknown(what, name, names_of(entries));
}

}  // namespace

const Benchmark& benchmark_named(std::string_view name) { return named("benchmark", benchmarks(), name); }
const Method& method_named(std::string_view name) { return named("method", methods(), name); }
const FeatureEntry& feature_named(std::string_view name) { return named("feature", features(), name); }

}  // namespace mts::lab
