# Every third-party library the binaries link, all from Debian packages (deploy/packages/debian.txt).
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CURL 7.85 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(tl-expected CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(GTest CONFIG REQUIRED)
pkg_check_modules(libpqxx REQUIRED IMPORTED_TARGET libpqxx>=6.4)
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka>=2.0)

find_library(PHONENUMBER_LIBRARY phonenumber REQUIRED)
find_path(PHONENUMBER_INCLUDE_DIR phonenumbers/phonenumberutil.h REQUIRED)
add_library(phonenumber INTERFACE IMPORTED)
target_link_libraries(phonenumber INTERFACE ${PHONENUMBER_LIBRARY})
target_include_directories(phonenumber SYSTEM INTERFACE ${PHONENUMBER_INCLUDE_DIR})

find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_program(PROTOC protoc REQUIRED)

# google.rpc and google.api protos: from the Python package that `make setup` installs.
file(GLOB countersign_site_packages
     ${CMAKE_SOURCE_DIR}/.run/toolchain/python/lib/python3*/site-packages)
set(COUNTERSIGN_GOOGLEAPIS "${countersign_site_packages}"
    CACHE PATH "Folder that holds google/rpc/*.proto")
if(NOT EXISTS ${COUNTERSIGN_GOOGLEAPIS}/google/rpc/error_details.proto)
  message(FATAL_ERROR "google/rpc/error_details.proto not found: run `make setup` first")
endif()
