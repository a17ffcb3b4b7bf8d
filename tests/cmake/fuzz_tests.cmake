# Fuzz tests: tests/fuzz/<name>.cpp is a target in libFuzzer's form, and `fuzz.<name>` runs it under the address and
# undefined-behaviour sanitizers for some seconds: by libFuzzer where the compiler has it and the build is sanitized, else by
# fuzz/driver.cpp. What fails: a crash, a report, an exception that the reader should not throw, an allocation of more than
# 8 MiB (inputs have at most 64 KiB), an input that takes 10 s.
include(CheckCXXSourceCompiles)

set(mts_fuzz_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
set(mts_fuzz_coverage -fsanitize-coverage=trace-pc)  # what the driver asks for
set(mts_fuzz_seconds 10)
set(mts_fuzz_allocation_mb 8)
set(mts_fuzz_by_libfuzzer FALSE)
if(MTS_SANITIZE)
  set(mts_fuzz_seconds 60)
  set(CMAKE_REQUIRED_FLAGS -fsanitize=fuzzer)
  check_cxx_source_compiles([[
    #include <cstddef>
    #include <cstdint>
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }]] MTS_HAS_LIBFUZZER)
  unset(CMAKE_REQUIRED_FLAGS)
  if(MTS_HAS_LIBFUZZER)
    set(mts_fuzz_by_libfuzzer TRUE)
    set(mts_fuzz_allocation_mb 64)  # libFuzzer takes 20 for itself; -malloc_limit_mb is the bound on a target
    set(mts_fuzz_coverage -fsanitize=fuzzer-no-link)
  endif()
endif()
set(MTS_FUZZ_SECONDS ${mts_fuzz_seconds} CACHE STRING "How long each reader is fuzzed")

add_library(mts_fuzz_flags INTERFACE)
target_include_directories(mts_fuzz_flags INTERFACE ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/examples)
target_compile_options(mts_fuzz_flags INTERFACE ${mts_fuzz_sanitizers} -g1 -UNDEBUG -D_GLIBCXX_ASSERTIONS)
target_link_options(mts_fuzz_flags INTERFACE ${mts_fuzz_sanitizers})
target_link_libraries(mts_fuzz_flags INTERFACE mts_own_flags mts_data)
if(mts_fuzz_by_libfuzzer)
  target_compile_options(mts_fuzz_flags INTERFACE -O1)
  target_link_options(mts_fuzz_flags INTERFACE -fsanitize=fuzzer)
else()
  target_compile_options(mts_fuzz_flags INTERFACE -O0)  # g++ takes longer to optimise this than the tests take to run
  add_library(mts_fuzz_driver OBJECT fuzz/driver.cpp)
  target_link_libraries(mts_fuzz_driver PRIVATE mts_fuzz_flags)
endif()

# mts_fuzz_program(name FILES... LIBRARIES... SEEDS... SECONDS s): the program fuzz_<name> and the test fuzz.<name>.
function(mts_fuzz_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SECONDS" "FILES;LIBRARIES;SEEDS;DEFINITIONS")
  add_executable(fuzz_${name} ${arg_FILES})
  target_compile_options(fuzz_${name} PRIVATE ${mts_fuzz_coverage})
  set_target_properties(fuzz_${name} PROPERTIES MTS_COMPUTES ON MTS_ALL_CHECKS ON)
  target_compile_definitions(fuzz_${name} PRIVATE ${arg_DEFINITIONS})
  target_link_libraries(fuzz_${name} PRIVATE mts_fuzz_flags ${arg_LIBRARIES})
  list(TRANSFORM arg_SEEDS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  if(mts_fuzz_by_libfuzzer)
    set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz_corpus/${name})  # libFuzzer keeps what it finds in the first folder
    file(MAKE_DIRECTORY ${found})
    set(folders "")
    set(files "")
    foreach(place IN LISTS arg_SEEDS)
      if(IS_DIRECTORY ${place})
        list(APPEND folders ${place})
      else()
        list(APPEND files ${place})
      endif()
    endforeach()
    if(files)
      list(JOIN files "," files)
      set(files -seed_inputs=${files})
    endif()
    add_test(NAME fuzz.${name}
             COMMAND fuzz_${name} ${found} ${folders} ${files} -max_total_time=${arg_SECONDS} -seed=20 -timeout=10 -max_len=65536
                     -rss_limit_mb=1024 -malloc_limit_mb=8 -print_final_stats=1 -verbosity=0 -artifact_prefix=crash-${name}-)
  else()
    target_link_libraries(fuzz_${name} PRIVATE mts_fuzz_driver)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${arg_SECONDS} ${name} ${arg_SEEDS})
  endif()
  math(EXPR timeout "${arg_SECONDS} + 60")
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT ${timeout} ENVIRONMENT
    "ASAN_OPTIONS=max_allocation_size_mb=${mts_fuzz_allocation_mb}:allocator_may_return_null=0:handle_abort=1:detect_stack_use_after_return=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# mts_add_fuzz(name [FILES...] [LIBRARIES...] [SEEDS...]): fuzz/<name>.cpp, the files that it needs from elsewhere, and what mutants are
# made of: fuzz/corpus/<name> where that is, and the files and folders of SEEDS.
function(mts_add_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES;LIBRARIES;SEEDS")
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    list(APPEND arg_SEEDS fuzz/corpus/${name})
  endif()
  mts_fuzz_program(${name} FILES fuzz/${name}.cpp ${arg_FILES} LIBRARIES ${arg_LIBRARIES} SEEDS ${arg_SEEDS}
                   SECONDS ${MTS_FUZZ_SECONDS})
endfunction()

mts_add_fuzz(idx)
file(GLOB npy_files RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS data/numpy/*.npy)
file(GLOB npz_files RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS data/numpy/*.npz)
mts_add_fuzz(npy SEEDS ${npy_files})
mts_add_fuzz(npz SEEDS ${npz_files})
mts_add_fuzz(checkpoint)
if(TARGET mts_lab)
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  mts_add_fuzz(config FILES ${PROJECT_SOURCE_DIR}/examples/lab/config.cpp ${PROJECT_SOURCE_DIR}/examples/lab/settings.cpp
               ${PROJECT_SOURCE_DIR}/examples/lab/device.cpp
               LIBRARIES fmt::fmt nlohmann_json::nlohmann_json)
endif()

# That faults are found at all: readers with one each.
function(mts_plant_fault kind number said)
  mts_fuzz_program(planted_${kind} FILES fuzz/planted.cpp DEFINITIONS MTS_PLANTED=${number} SECONDS 30 SEEDS fuzz/corpus/planted)
  set_tests_properties(fuzz.planted_${kind} PROPERTIES PASS_REGULAR_EXPRESSION "${said}")
endfunction()
mts_plant_fault(overflow 1 "AddressSanitizer: heap-buffer-overflow")
mts_plant_fault(allocation 2 "allocation-size-too-big|libFuzzer: out-of-memory")
mts_plant_fault(exception 3 "an exception that the reader should not throw|terminate called after throwing")
