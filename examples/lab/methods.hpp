#pragma once
/// \file
/// The methods.

#include <memory>

namespace mts::lab {

struct Task;
class Training;

// subset.cpp: which samples are trained on is decided once
std::unique_ptr<Training> start_uniform(const Task& task);
std::unique_ptr<Training> start_plus_validation(const Task& task);
std::unique_ptr<Training> start_real_only(const Task& task);
std::unique_ptr<Training> start_oracle(const Task& task);
std::unique_ptr<Training> start_random_subset(const Task& task);
std::unique_ptr<Training> start_el2n(const Task& task);
std::unique_ptr<Training> start_grand(const Task& task);
std::unique_ptr<Training> start_knn_agreement(const Task& task);
std::unique_ptr<Training> start_real_margin(const Task& task);
std::unique_ptr<Training> start_validation_margin(const Task& task);

// rules.cpp: a rule weighs each batch
std::unique_ptr<Training> start_small_loss(const Task& task);
std::unique_ptr<Training> start_l2rw(const Task& task);
std::unique_ptr<Training> start_soft_gate(const Task& task);
std::unique_ptr<Training> start_rho_loss(const Task& task);
std::unique_ptr<Training> start_glister(const Task& task);

// ensemble.cpp: several classifiers
std::unique_ptr<Training> start_l2rw_ensemble(const Task& task);
std::unique_ptr<Training> start_soft_gate_ensemble(const Task& task);
std::unique_ptr<Training> start_rho_ensemble(const Task& task);
std::unique_ptr<Training> start_mts_ensemble(const Task& task);

// mts.cpp: cross-fitted evidence and the ratio of densities
std::unique_ptr<Training> start_mts(const Task& task);

// weight_net.cpp: a weight net learns
std::unique_ptr<Training> start_mw_net(const Task& task);
std::unique_ptr<Training> start_cmw_net(const Task& task);
std::unique_ptr<Training> start_data_rater(const Task& task);
std::unique_ptr<Training> start_mts_paper(const Task& task);
std::unique_ptr<Training> start_weight_net(const Task& task);

}  // namespace mts::lab
