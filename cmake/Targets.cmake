# countersign_library(core SOURCES a.cc DEPS fmt::fmt) makes countersign_core, alias
# countersign::core. countersign_binary and countersign_test likewise.
function(countersign_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(countersign_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(countersign_${name} PRIVATE countersign_strict PUBLIC ${ARG_DEPS})
    target_include_directories(countersign_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  else()
    add_library(countersign_${name} INTERFACE)
    target_link_libraries(countersign_${name} INTERFACE ${ARG_DEPS})
    target_include_directories(countersign_${name} INTERFACE ${CMAKE_SOURCE_DIR})
  endif()
  add_library(countersign::${name} ALIAS countersign_${name})
endfunction()

function(countersign_binary name)
  cmake_parse_arguments(ARG "NO_INSTALL" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE countersign_strict ${ARG_DEPS})
  # Requests are made on one thread and freed on another, which is what the C library's is bad at.
  # The sanitizers bring an allocator of their own.
  if(NOT COUNTERSIGN_SANITIZE)
    target_link_libraries(${name} PRIVATE PkgConfig::jemalloc)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  if(NOT ARG_NO_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

# LABEL says what the test needs: unit (nothing), pg (a PostgreSQL), kafka (a Kafka).
function(countersign_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE countersign_strict ${ARG_DEPS} GTest::gmock
                                        GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  # What is shipped is driven from outside; the tests of its parts run in the sanitizer builds.
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT 600)
endfunction()
