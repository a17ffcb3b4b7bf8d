# mts_own_flags: how our own tests, benchmarks and examples are compiled. Never exported: a user's flags are the user's.
# Floating-point contraction (FMA) is left as the compiler has it.
include(CheckCXXSourceRuns)

set(CMAKE_CXX_EXTENSIONS OFF)

set(MTS_SANITIZE "" CACHE STRING "Sanitizers for our own programs, as -fsanitize= takes them; empty for none")

set(mts_arch_default "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$" AND NOT CMAKE_CROSSCOMPILING)
  check_cxx_source_runs([[
    int main() {
      __builtin_cpu_init();
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") ? 0 : 1;
    }]] MTS_CPU_HAS_AVX2_FMA)
  if(MTS_CPU_HAS_AVX2_FMA)
    set(mts_arch_default x86-64-v3)
  endif()
endif()
set(MTS_ARCH "${mts_arch_default}" CACHE STRING "-march for our own programs; empty for the compiler's default")

set(mts_warnings
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wdouble-promotion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 takes `"literal" + std::string` for overlapping memory, and the copy of a list into a new vector for one into
  # no memory, depending on what it inlined.
  list(APPEND mts_warnings -Wno-restrict -Wno-stringop-overflow)
endif()
add_library(mts_own_flags INTERFACE)
target_compile_options(mts_own_flags INTERFACE ${mts_warnings})
if(MTS_ARCH)
  target_compile_options(mts_own_flags INTERFACE -march=${MTS_ARCH})
endif()
if(MTS_SANITIZE)
  target_compile_options(mts_own_flags INTERFACE
    -fsanitize=${MTS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(mts_own_flags INTERFACE -fsanitize=${MTS_SANITIZE})
endif()
# Under the address sanitizer -O0 takes a quarter of the time to compile, and two to ten times that to run: so only what computes is
# optimised. And of the checks of undefined behaviour, those that take longest to compile and to run are left to what handles bytes and
# addresses by hand. Elsewhere most of what they would find shows too, as a fault of the address or by Eigen's assertions on alignment.
define_property(TARGET PROPERTY MTS_COMPUTES BRIEF_DOCS "Optimised under the address sanitizer")
define_property(TARGET PROPERTY MTS_ALL_CHECKS BRIEF_DOCS "With all of -fsanitize=undefined where that is among the sanitizers")
if(MTS_SANITIZE MATCHES "address")
  target_compile_options(mts_own_flags INTERFACE $<$<NOT:$<BOOL:$<TARGET_PROPERTY:MTS_COMPUTES>>>:-O0>)
endif()
if(MTS_SANITIZE MATCHES "undefined")
  target_compile_options(mts_own_flags INTERFACE
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:MTS_ALL_CHECKS>>>:-fno-sanitize=null,alignment,object-size,pointer-overflow,vptr>)
endif()

# The same for what nvcc compiles: it says that Eigen's defaulted functions need no annotation (20012), and does not know a
# pragma of g++ (1675).
if(MTS_CUDA)
  add_library(mts_own_cuda INTERFACE)
  target_link_libraries(mts_own_cuda INTERFACE mts_cuda)
  target_compile_definitions(mts_own_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:EIGEN_NO_CUDA>)
  target_compile_options(mts_own_cuda INTERFACE
    "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-diag-suppress=20012,1675 -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror>")
  if(MTS_ARCH)
    target_compile_options(mts_own_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-march=${MTS_ARCH}>)
  endif()
endif()

# LibTorch, the second framework: tests, benchmarks and examples only. Its 1.13 headers need g++, and Debian's library
# is built without sanitizers, so only an unsanitized g++ build looks for it.
set(MTS_WITH_LIBTORCH AUTO CACHE STRING "Build what links LibTorch: AUTO (if found), ON or OFF")
set_property(CACHE MTS_WITH_LIBTORCH PROPERTY STRINGS AUTO ON OFF)
set(MTS_LIBTORCH_FOUND FALSE)
if(MTS_WITH_LIBTORCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT MTS_SANITIZE)
  find_package(Torch QUIET)
  if(TORCH_FOUND)
    set(MTS_LIBTORCH_FOUND TRUE)
    add_library(mts_libtorch INTERFACE)
    target_link_libraries(mts_libtorch INTERFACE ${TORCH_LIBRARIES})
    target_include_directories(mts_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
    target_compile_options(mts_libtorch INTERFACE ${TORCH_CXX_FLAGS})
  endif()
endif()
if(MTS_WITH_LIBTORCH STREQUAL "ON" AND NOT MTS_LIBTORCH_FOUND)
  message(FATAL_ERROR "MTS_WITH_LIBTORCH is ON, but LibTorch was not found (or the build is not plain g++)")
endif()
message(STATUS "mts: arch '${MTS_ARCH}', sanitizers '${MTS_SANITIZE}', LibTorch ${MTS_LIBTORCH_FOUND}")

# Instances that tests and lab share, compiled once. Link the library and include "instances.hpp" (best precompiled).
add_library(mts_own_instances STATIC EXCLUDE_FROM_ALL
  ${PROJECT_SOURCE_DIR}/cmake/instances/instances_float.cpp ${PROJECT_SOURCE_DIR}/cmake/instances/instances_double.cpp)
target_include_directories(mts_own_instances PUBLIC ${PROJECT_SOURCE_DIR}/cmake/instances)
target_link_libraries(mts_own_instances PUBLIC mts PRIVATE mts_own_flags)
set_target_properties(mts_own_instances PROPERTIES MTS_COMPUTES ON)
