#pragma once
/// \file
/// The laws that `mts-lab verify` and the tests check. A law is one source file of this folder: it makes its claims and
/// registers them; nothing else has to be told of it.
///
///     namespace {
///     const laws::Register l17("L17", [] { return std::vector<mts::theory::Claim>{...}; });
///     }

#include <functional>
#include <mts/theory/claim.hpp>
#include <string>
#include <utility>
#include <vector>

namespace laws {

struct Law {
  std::string name;
  std::function<std::vector<mts::theory::Claim>()> claims;
};

/// Every registered law, in no particular order.
inline std::vector<Law>& registered() {
  static std::vector<Law> laws;
  return laws;
}

struct Register {
  Register(std::string name, std::function<std::vector<mts::theory::Claim>()> claims) {
    registered().push_back({std::move(name), std::move(claims)});
  }
};

}  // namespace laws
