#pragma once
// One thread for libraries that bring pools of their own. By call, because OpenMP reads its environment before main; by
// name, because it is the program's libraries that decide whether there is such a pool.

#include <dlfcn.h>

#include <chrono>
#include <thread>

namespace bench {

/// Calls set(1) for the function of that name. \return whether the program has one
inline bool set_one_thread(const char* name) {
  const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, name));
  if (set) set(1);
  return set != nullptr;
}
inline bool one_thread_in_openmp() { return set_one_thread("omp_set_num_threads"); }
inline bool one_thread_in_openblas() {
  const bool found = set_one_thread("openblas_set_num_threads");
  // Its threads, made when the program began, spin for a while before they sleep.
  if (found) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  return found;
}

}  // namespace bench
