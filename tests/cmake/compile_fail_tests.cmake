# tests/compile_fail/NAME.cpp must be refused by the compiler with the words of its `// expect:` lines; control.cpp, which
# says `// expect-success`, must compile, so that a broken include path cannot pass for a refusal. The flags are those of
# the test programs, because the compiler takes their precompiled header only then.
string(TOUPPER "${CMAKE_BUILD_TYPE}" config)
separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${config}}")
list(APPEND flags -std=c++20 $<TARGET_PROPERTY:mts_own_flags,INTERFACE_COMPILE_OPTIONS>)
set(directories $<TARGET_PROPERTY:mts_test_flags,INTERFACE_INCLUDE_DIRECTORIES>)

file(GLOB files CONFIGURE_DEPENDS compile_fail/*.cpp)
foreach(file IN LISTS files)
  cmake_path(GET file STEM name)
  add_test(NAME compile_fail.${name}
    COMMAND ${CMAKE_COMMAND}
      -D COMPILER=${CMAKE_CXX_COMPILER}
      -D "FLAGS=$<JOIN:${flags},|>|-I$<JOIN:${directories},|-I>"
      -D PRECOMPILED=${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/mts_test_pch.dir/cmake_pch.hxx
      -D SOURCE=${file}
      -P ${CMAKE_CURRENT_LIST_DIR}/compile_fail.cmake)
  set_tests_properties(compile_fail.${name} PROPERTIES LABELS compile_fail TIMEOUT 120)
endforeach()
