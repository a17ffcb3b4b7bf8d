# Header-only proof: projects outside this one build the bring-your-own-model example, one from an installed package that
# was moved after installing, one by add_subdirectory.
set(example ${PROJECT_SOURCE_DIR}/examples/bring_your_own_model.cpp)
if(EXISTS ${example})
  foreach(way find_package add_subdirectory)
    add_test(NAME consumer.${way}
      COMMAND ${CMAKE_COMMAND}
        -D WAY=${way}
        -D CONSUMER=${CMAKE_CURRENT_SOURCE_DIR}/consumers/${way}
        -D EXAMPLE=${example}
        -D MTS_SOURCE=${PROJECT_SOURCE_DIR}
        -D MTS_BUILD=${PROJECT_BINARY_DIR}
        -D COMPILER=${CMAKE_CXX_COMPILER}
        -D WORK=${CMAKE_CURRENT_BINARY_DIR}/consumers/${way}
        -P ${CMAKE_CURRENT_LIST_DIR}/consumer.cmake)
    set_tests_properties(consumer.${way} PROPERTIES LABELS consumer TIMEOUT 600)
  endforeach()
endif()
