#pragma once
/// \file
/// What most laws include, precompiled.

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "laws/registry.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/parameters.hpp"
#include "mts/core/random.hpp"
