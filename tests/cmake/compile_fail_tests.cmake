# tests/compile_fail/NAME.cpp must be refused by the compiler with the words of its `// expect:` lines; control.cpp, which
# says `// expect-success`, must compile, so that a broken include path cannot pass for a refusal.
file(GLOB files CONFIGURE_DEPENDS compile_fail/*.cpp)
foreach(file IN LISTS files)
  cmake_path(GET file STEM name)
  add_test(NAME compile_fail.${name}
    COMMAND ${CMAKE_COMMAND}
      -D COMPILER=${CMAKE_CXX_COMPILER}
      -D "INCLUDES=$<JOIN:$<TARGET_PROPERTY:mts_test_flags,INTERFACE_INCLUDE_DIRECTORIES>,|>"
      -D SOURCE=${file}
      -P ${CMAKE_CURRENT_LIST_DIR}/compile_fail.cmake)
  set_tests_properties(compile_fail.${name} PROPERTIES LABELS compile_fail TIMEOUT 120)
endforeach()
