// Precompiled for the lab: what is slow to parse, and the instances that are compiled once.
#pragma once

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "instances.hpp"
