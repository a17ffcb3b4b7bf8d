#pragma once
/// \file
/// The methods, each in a file of its own.

#include <memory>

namespace mts::lab {

struct Task;
class Training;

std::unique_ptr<Training> start_uniform(const Task& task);  // uniform.cpp
std::unique_ptr<Training> start_mts(const Task& task);      // mts.cpp

}  // namespace mts::lab
