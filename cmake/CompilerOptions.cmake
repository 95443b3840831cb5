set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")

# For every target, generated code too. The prefix map makes compiler output the same in any
# folder, which is what lets a fresh clone hit the compiler cache of another one.
add_library(countersign_options INTERFACE)
target_compile_options(countersign_options INTERFACE -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
target_include_directories(countersign_options INTERFACE ${CMAKE_SOURCE_DIR})

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # OpenSSF compiler hardening guide, the flags GCC 12 knows.
  target_compile_options(
    countersign_options
    INTERFACE -U_FORTIFY_SOURCE
              -D_FORTIFY_SOURCE=3
              -D_GLIBCXX_ASSERTIONS
              -fstack-clash-protection
              -fstack-protector-strong
              -fcf-protection=full
              -ftrivial-auto-var-init=zero
              -fno-delete-null-pointer-checks
              -fno-strict-overflow)
  target_link_options(
    countersign_options INTERFACE -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen)
endif()

# For our own code on top of that.
add_library(countersign_strict INTERFACE)
target_link_libraries(countersign_strict INTERFACE countersign_options)
target_compile_options(
  countersign_strict INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2
                               -Werror)
if(COUNTERSIGN_FAILPOINTS)
  target_compile_definitions(countersign_strict INTERFACE COUNTERSIGN_FAILPOINTS)
endif()

# Generated code stays unsanitised: it is most of the compile time and none of the bugs.
if(COUNTERSIGN_SANITIZE STREQUAL "address")
  target_compile_options(
    countersign_strict INTERFACE -O1 -fsanitize=address,undefined
                                 -fno-sanitize=vptr,null,alignment -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(COUNTERSIGN_SANITIZE STREQUAL "thread")
  # Boost.Asio has fences, which the sanitizer does not model; the compiler says so at each.
  target_compile_options(countersign_strict INTERFACE -O1 -fsanitize=thread -Wno-tsan)
  add_link_options(-fsanitize=thread)
endif()
